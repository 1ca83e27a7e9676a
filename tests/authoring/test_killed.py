"""Killed at any moment and run again: the same results, and nothing that was kept is paid twice. The server counts."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("openai", reason="needs the extra llm")

from tests.authoring import model
from tests.authoring.server import Fault, Server, serving

ROOT = Path(__file__).parent.parent.parent
CONCURRENCY = 4
N_RECORDS = 6
N_QUESTIONS = 3 * N_RECORDS
CHILD = f"""
import json, os, sys, threading
from types import SimpleNamespace
from datagen.shards.store import LocalStore
from datagen.authoring.authoring_config import Llm
from tests.authoring.conftest import recipe, write
from tests.authoring.test_client import talks

url, out, n_kept = sys.argv[1], sys.argv[2], int(sys.argv[3])

class Store(LocalStore):
    n = 0
    def create(self, key, data):
        Store.n += 1
        if Store.n > n_kept:
            os.write(1, b"paid, and not kept\\n")
            threading.Event().wait()
        return super().create(key, data)

llm = Llm(model="writer", base_url=url, api_key_env="TEST_LLM_KEY", concurrency={CONCURRENCY})
found = write(recipe(SimpleNamespace(url=url), "spoken", "script", "judge", llm=llm), talks({N_RECORDS}), Store(out))
print(json.dumps([item.to_json() for item in found]))
"""


@contextlib.contextmanager
def started(server: Server, out: Path, n_kept: int = 10**6) -> Iterator[subprocess.Popen]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CHILD, server.url, str(out), str(n_kept)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def kept(out: Path) -> set[str]:
    """Keys of the answers that are kept."""
    return {file.stem for file in (out / "answers").rglob("*.json")}


def killed(child: subprocess.Popen) -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL


def killed_with_an_answer_in_hand(server: Server, out: Path, n_kept: int) -> None:
    """The worst moment: an answer has arrived and is paid, and its write has not begun."""
    with started(server, out, n_kept) as child:
        assert child.stdout.readline() == "paid, and not kept\n"
        killed(child)


def killed_after(server: Server, out: Path, n_replies: int) -> None:
    """Some moment: so many answers were sent."""
    reached, before = threading.Event(), server.n_replies
    server.faults = lambda ask: Fault(hang=True) if server.n_replies - before >= n_replies else None
    server.on_reply = lambda n: reached.set() if n - before >= n_replies else None
    with started(server, out) as child:
        assert reached.wait(60)
        killed(child)
    server.faults, server.on_reply = lambda ask: None, lambda n: None


def finished(server: Server, out: Path) -> list:
    with started(server, out) as child:
        text, _ = child.communicate(timeout=60)
        assert child.returncode == 0
    return json.loads(text)


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory) -> list:
    with serving(model.answer) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_LLM_KEY", "sk-test-7d1f0c55aa0943e2")
        found = finished(server, tmp_path_factory.mktemp("unharmed"))
        assert server.n_calls == N_QUESTIONS
        return found


Kill = Callable[[Server, Path, int], None]


def storm(server: Server, out: Path, kills: list[tuple[Kill, int]]) -> list:
    """Kill at each of the moments, then finish; what was kept before a run is not asked for by it."""
    for kill, n in kills:
        before, n_asked = kept(out), server.n_calls
        kill(server, out, n)
        assert not before & {ask.key.split("-")[1] for ask in server.asks[n_asked:]}
    return finished(server, out)


def check(server: Server, found: list, unharmed: list, n_kills: int) -> None:
    assert found == unharmed
    assert len(server.paid) == N_QUESTIONS
    assert sum(server.paid.values()) <= N_QUESTIONS + n_kills * CONCURRENCY


def test_killed_with_an_answer_in_hand(server, tmp_path, unharmed):
    check(server, storm(server, tmp_path, [(killed_with_an_answer_in_hand, 7)]), unharmed, 1)
    assert max(server.paid.values()) == 2  # the answers in hand, and they alone
    assert len(kept(tmp_path)) == N_QUESTIONS


def test_a_server_that_knows_idempotency_keys_bills_every_answer_once(server, tmp_path, unharmed):
    server.honours_keys = True
    check(server, storm(server, tmp_path, [(killed_with_an_answer_in_hand, 7)]), unharmed, 1)
    assert set(server.paid.values()) == {1}
    assert server.n_calls > N_QUESTIONS


@pytest.mark.slow
def test_killed_at_some_moment(server, tmp_path, unharmed):
    check(server, storm(server, tmp_path, [(killed_after, 5)]), unharmed, 1)


@pytest.mark.slow
def test_a_storm_of_kills(server, tmp_path, unharmed):
    kills = [(kill, n) for n in (1, 3, 2) for kill in (killed_after, killed_with_an_answer_in_hand)]
    check(server, storm(server, tmp_path, kills), unharmed, len(kills))


RECIPE = """
name: k
input: {{topics: "{topics}"}}
tasks: [dialogue, spoken, script, judge]
unit_records: 2
dialogues: {{min_turns: 2}}
llm: {{model: writer, base_url: "{url}", api_key_env: TEST_LLM_KEY, concurrency: {concurrency}}}
"""


@pytest.mark.slow
def test_the_command_killed_again_and_again_writes_what_it_would_have(server, tmp_path):
    topics, file = tmp_path / "topics.txt", tmp_path / "recipe.yaml"
    topics.write_text("\n".join(f"a story of {k} ducks" for k in range(8)) + "\n", "utf-8")
    file.write_text(RECIPE.format(topics=topics, url=server.url, concurrency=CONCURRENCY), "utf-8")

    def start(out: Path) -> subprocess.Popen:
        code = "from datagen.cli import main; main()"
        command = [sys.executable, "-c", code, "write", str(file), "--out", str(out)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def written(out: Path) -> dict[str, bytes]:
        assert start(out).communicate(timeout=120) is not None
        names = [*out.glob("dialogues/*"), *out.glob("rejects/*"), out / "written.json"]
        return {name.name: name.read_bytes() for name in names}

    whole = written(tmp_path / "whole")
    before = answers_of(server)
    assert sum(before.values()) == 8 * 4
    out = tmp_path / "killed"
    moments, n_tests = (1, 6, 3, 9, 2), 8  # two wordings judge four dialogues of known rank
    for n in (n_tests + n for n in moments):
        reached, n_before = threading.Event(), server.n_replies
        server.faults = lambda ask, n=n, before=n_before: Fault(hang=True) if server.n_replies - before >= n else None
        server.on_reply = lambda now, n=n, before=n_before, reached=reached: (
            reached.set() if now - before >= n else None
        )
        child = start(out)
        assert reached.wait(60)
        killed(child)
    server.faults, server.on_reply = lambda ask: None, lambda n: None
    assert written(out) == whole
    paid = answers_of(server) - before
    assert paid.keys() == before.keys()
    assert paid.total() <= before.total() + len(moments) * CONCURRENCY


def answers_of(server: Server) -> Counter[str]:
    """Paid answers about records by key; those to tests of the judge, which each run makes anew, have longer keys."""
    return Counter({key: n for key, n in server.paid.items() if key.count("-") == 2})
