"""A small build with its sound kept, one with ids that no input would let through, and a short way to export."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

import datagen.inspect
from datagen.export.export_identity import Exported
from datagen.export.export_job import ExportRequest, export
from datagen.export.selection import Selection
from datagen.inspect import Output
from tests.run.builds import Forger, made
from tests.shared import shared

IDS = ["../../x", "/etc/passwd", "..", "a\x00b", "x" * 1000, "中文/" * 50, "CON", "con", "<script>'\"\n"]
PACKAGES = {
    "lhotse": None,
    "shar": "lhotse",
    "moshi": None,
    "webdataset": "webdataset",
    "datasets": None,
    "chat": None,
    "megatron": None,
    "mds": "streaming",
    "litdata": "litdata",
    "preference": None,
    "full-duplex-bench": None,
}
"""The package that each format needs beyond those of datagen."""


def needing(format: str):
    """A parameter that is skipped if the package of the format is not installed."""
    package = PACKAGES[format]
    has = package is None or importlib.util.find_spec(package) is not None
    return pytest.param(format, marks=() if has else pytest.mark.skip(reason=f"needs {package}"))


ALL = [needing(format) for format in PACKAGES]


def send(out: Path | str, to: Path | str, format: str = "", n_workers: int = 0, **request) -> Exported:
    """Export in units of one unit of the build; keywords of the request, others of its convention."""
    names = ("preset", "trust", "selection")
    own = {name: request.pop(name) for name in names if name in request}
    selection = own.pop("selection", None) or Selection()
    values = {"shard_hours": 1e-6, **request}
    return export(str(out), str(to), ExportRequest(format=format, values=values, selection=selection, **own), n_workers)


def integers(audio) -> np.ndarray:
    """Samples of 16 bits from floats."""
    return np.rint(np.asarray(audio) * 32768).astype(int)


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
