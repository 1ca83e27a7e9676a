"""A shared folder is filled once, also by several processes, and anew after a failure."""

from pathlib import Path

import pytest

from tests.shared import shared


class Factory:
    """A folder of temporary files that belongs to one process of a run."""

    def __init__(self, base: Path) -> None:
        self.base = base
        base.mkdir()

    def getbasetemp(self) -> Path:
        return self.base


def test_two_processes_share_what_one_fills(tmp_path, monkeypatch):
    filled = []
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    folders = [shared(Factory(tmp_path / name), "a", lambda folder: filled.append(folder)) for name in ("gw0", "gw1")]
    assert folders[0] == folders[1] == tmp_path / "shared-a"
    assert len(filled) == 1
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    assert shared(Factory(tmp_path / "alone"), "a", filled.append).parent == tmp_path / "alone"
    assert len(filled) == 2


def test_what_could_not_be_filled_is_filled_anew(tmp_path, monkeypatch):
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError

    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    factory = Factory(tmp_path / "base")
    with pytest.raises(OSError):
        shared(factory, "a", fail)
    assert list(shared(factory, "a", lambda folder: (folder / "whole").touch()).iterdir()) == [
        tmp_path / "base" / "shared-a" / "whole"
    ]
