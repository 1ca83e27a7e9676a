"""The notebooks run from top to bottom, show what they say they show, and are stored without what running leaves."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.run.builds import made

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
_LONGEST_CELL_LINES = 16

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def run(name: str) -> list[str]:
    """Everything that the cells of a notebook show, as HTML where there is some."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    where = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    data = [output.get("data", {}) for output in shown]
    return [output.get("text", "") for output in shown] + [
        "".join(each.get("text/html", each.get("text/plain", ""))) for each in data
    ]


def test_inspect_shows_a_build(tmp_path, monkeypatch):
    out, _ = made(tmp_path, "mix.keep_audio=true", "flatten.tasks=[asr, tts, four_stream, three_stream]", n=8)
    monkeypatch.setenv("DATAGEN_OUT", str(out))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    shown = "\n".join(run("inspect.ipynb"))
    for wanted in ("conversations,", "code", "dataframe", "<svg", "<audio", "user ends", "DatasetDict", "barge_in"):
        assert wanted in shown, wanted


def test_first_build_goes_from_text_to_tokens():
    """With the real voice."""
    shown = "\n".join(run("first_build.ipynb"))
    for wanted in (
        "select | code |",
        "four minutes",
        "unsaid",
        "noise: ",
        "three_stream",
        "barge-ins begin in",
        "<svg",
    ):
        assert wanted in shown, wanted
    assert shown.count("<audio") == 4


def test_both_are_there():
    assert [path.name for path in NOTEBOOKS] == ["first_build.ipynb", "inspect.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_stored_clean_and_read_well(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.keys() == {"kernelspec", "language_info"}
    for before, cell in zip([None, *notebook.cells], notebook.cells, strict=False):
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None), "clear the outputs before you commit"
            assert len(cell.source.splitlines()) <= _LONGEST_CELL_LINES
            assert cell.source == cell.source.strip()
        else:
            assert before is None or before.cell_type == "code", "prose goes into one cell"
    assert notebook.cells[0].source.startswith("# ")
