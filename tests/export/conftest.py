"""A small build with its sound kept, and one with ids that no input would let through."""

import shutil
from pathlib import Path

import pytest

import datagen.inspect
from datagen.inspect import Output
from tests.run.builds import Forger, made
from tests.shared import shared

IDS = ["../../x", "/etc/passwd", "..", "a\x00b", "x" * 1000, "中文/" * 50, "CON", "con", "<script>'\"\n"]


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    changes = ("mix.keep_audio=true", "timing.profile=hard")
    return shared(tmp_path_factory, "export", lambda folder: made(folder, *changes, n=14)) / "out"


@pytest.fixture
def output(out: Path) -> Output:
    return datagen.inspect.open(str(out))


@pytest.fixture(scope="session")
def hostile_out(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("hostile") / "out"
    shutil.copytree(out, target)
    forger, ids = Forger(target), iter(IDS)
    for key in forger.keys("conversations"):
        forger.edit(key, lambda rows: [row.update(dialogue_id=next(ids)) for row in rows])
    forger.seal()
    return target
