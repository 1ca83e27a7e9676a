"""The soak's own logic: it sees what it is there to see."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the soak needs Linux")


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def soak(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "soak.py"), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


@pytest.mark.slow
def test_a_short_soak_resumes_from_its_log(tmp_path):
    log, folder = tmp_path / "log.jsonl", tmp_path / "work"
    folder.mkdir()
    options = ("--only", "build", "--log", log, "--folder", folder, "--seed", 3)
    first = soak(*options, "--kills", 3)  # 1 of them for this work
    assert first.returncode == 0, first.stdout + first.stderr
    lines = log.read_text().splitlines()
    log.write_text(log.read_text() + '{"campaign": "bu')  # a soak that was killed while it wrote
    again = soak(*options, "--kills", 3)
    assert again.returncode == 0
    assert log.read_text().splitlines()[: len(lines)] == lines
    assert "round" not in again.stdout.split("campaign")[0]
    assert list(folder.iterdir()) == []


def test_a_process_obeys_an_order_at_its_change(tmp_path):
    code = """
import sys
from pathlib import Path
from soak_orders import Order
folder = Path(sys.argv[1])
Order(3, int(sys.argv[2])).arm(folder)
for k in range(9):
    (folder / str(k)).write_bytes(b"")
"""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"}
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(int(signal.SIGKILL))], env=environment)
    assert ended.returncode == -signal.SIGKILL
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0", "1"]


LOOKING = """
import os, sys, time
from pathlib import Path
import soak_processes
soak_processes.adopt_orphans()

def leave():
    if not os.fork():
        time.sleep(600)

soak_processes.Forked(leave, Path(sys.argv[1])).wait()
found = soak_processes.leftovers(seconds=0.1)
print(len(found), len(soak_processes.leftovers(seconds=0)))
"""


def test_an_orphan_is_found_and_ended(tmp_path):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"}
    said = subprocess.run(
        [sys.executable, "-c", LOOKING, str(tmp_path / "log")], env=environment, capture_output=True, text=True
    )
    assert said.stdout.split() == ["1", "0"], said.stderr


def test_a_flip_that_goes_unseen_is_a_fault():
    from soak_flips import Round

    found = Round()
    found.count("asr", "found", "a")
    found.count("takes", "harmless", "b")
    found.count("units", "missed", "c")
    assert found.n == 3
    assert found.faults == ["missed: c"]
    assert found.blows == Counter({"asr: found": 1, "takes: harmless": 1, "units: missed": 1})


def test_every_value_of_a_manifest_is_changed_to_another_of_its_type():
    from soak_flips import changed, leaves

    values = {"a": [1, {"b": "x", "c": True}], "d": 0.5, "e": None, "f": "", "g": "a"}
    for path in leaves(values):
        before, after = values, changed(values, path)
        for name in path:
            before, after = before[name], after[name]
        assert type(after) is type(before)
        assert after != before
    assert len(list(leaves(values))) == 6


def test_a_campaign_that_kills_nothing_is_given_up(tmp_path, monkeypatch, capsys):
    import argparse

    import soak as module
    from soak_flips import Round

    class Nothing:
        unit, spared = "kills", ()

        def round(self, folder: Path, chance: random.Random, n_most: int, deadline: float) -> Round:
            return Round()

        def close(self) -> None: ...

    monkeypatch.setattr(module.Campaign, "open", lambda self, base: Nothing())
    options = argparse.Namespace(log=tmp_path / "log", seed=0, folder=tmp_path, keep=False)
    module.soak(module.Campaign("none", 5, ""), options, time.monotonic() + 600)
    assert capsys.readouterr().out.count("0 of 5 kills") == module._MOST_EMPTY
