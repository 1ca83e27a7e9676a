"""The head and Ray's own actors may be lost: the first is reported, the second costs a pass."""

import os
import socket
from contextlib import nullcontext

import pytest

import datagen.run.ray as ray_runs
from datagen.errors import ClusterError
from datagen.run.build import BuildJob
from datagen.run.ray import head_watched, reached, run_ray
from datagen.shards.unit import Block, Marker
from tests.run.builds import fake, made, markers_of, until


def test_a_head_that_falls_silent_and_returns_is_reported_once_each():
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as head:
        port = head.getsockname()[1]
    address = f"127.0.0.1:{port}"
    with head_watched(address, lines.append, every=0.01):
        until(lambda: lines)
        with socket.create_server(("127.0.0.1", port)):
            until(lambda: len(lines) == 2)
    assert f"the head of the cluster at {address} does not answer" in lines[0]
    assert "run the same command again to resume" in lines[0]
    assert lines[1] == f"the head of the cluster at {address} answers again"


def test_a_head_that_answers_is_not_mentioned():
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        with head_watched(address, lines.append, every=0.01):
            for _ in range(9):
                head.accept()[0].close()
    assert lines == []


def test_an_address_where_something_else_listens_is_no_cluster(monkeypatch):
    raylet, said = pytest.importorskip("ray._raylet"), pytest.importorskip("ray.exceptions").RpcError

    def hangs(address):
        raise said("Timed out while waiting for GCS to become available.")

    monkeypatch.setattr(raylet, "GcsClient", hangs)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ClusterError) as found, reached(address):
            pass
    assert str(found.value).startswith("no Ray cluster at '127.0.0.1:")
    assert "(Timed out while waiting for GCS to become available.)" in str(found.value)
    assert "resume" not in str(found.value)


def test_what_ray_prints_before_it_gives_up_is_not_shown(monkeypatch, capfd):
    ray = pytest.importorskip("ray")

    def gives_up(*_, **__):
        os.write(2, b"twenty lines\n" * 20)
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setattr(ray, "init", gives_up)
    said = r"no Ray cluster at 'auto' \(ray client connection timeout\)"
    with pytest.raises(ClusterError, match=said), reached("auto"):
        pass
    assert capfd.readouterr().err == ""


def test_an_actor_of_ray_data_that_is_lost_costs_a_pass_and_not_the_build(monkeypatch, tmp_path):
    lost = pytest.importorskip("ray.exceptions").ActorUnschedulableError("its node is gone")
    out, _ = made(tmp_path)
    markers = list(markers_of(out))
    passes: list[list[int]] = []

    def scripted(job: object, blocks: list[Block], *_: object):
        units = [block.unit for block in blocks]
        passes.append(units)
        yield from (marker for marker in markers if marker.unit in units[:1])
        if len(passes) == 1:
            raise lost
        yield from (marker for marker in markers if marker.unit in units[1:])

    monkeypatch.setattr(ray_runs, "cluster", lambda *_: nullcontext())
    monkeypatch.setattr(ray_runs, "_board", lambda _: nullcontext())
    monkeypatch.setattr(ray_runs, "_wait_for_room", lambda *_: None)
    monkeypatch.setattr(ray_runs, "_ended", scripted)
    done: list[Marker] = []
    lines: list[str] = []
    units = [marker.unit for marker in markers]
    run_ray(BuildJob(fake(tmp_path)), str(out), units, 1, "local", done.append, lines.append)
    assert [marker.unit for marker in done] == units
    assert passes == [units, units[1:]]
    assert "its node is gone" in lines[0]
