"""The command line, run in this process in a folder of its own."""

import pytest

from tests.test_cli import Cli


@pytest.fixture
def datagen(capsys, monkeypatch, tmp_path) -> Cli:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return Cli(capsys, monkeypatch)
