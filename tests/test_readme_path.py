"""The path of README.md from five dialogues to a trained model, literally, and the Python of docs on its build.

Runs the blocks of README.md from part 2 to part 3 in their order, then those of api.md, audit.md, inspect.md and
exports.md.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fences import ROOT, blocks_of

pytestmark = pytest.mark.slow  # about two minutes of processor time
THIS = "tests/test_readme_path.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the examples, and the build after all steps of the path."""
    folder = tmp_path_factory.mktemp("path")
    (folder / "examples").symlink_to(ROOT / "examples")
    text = (ROOT / "README.md").read_text("utf-8")
    path = text[text.index("**2. Build") : text.index("**4. ")]
    for block in blocks_of(ROOT / "README.md", path):
        run(folder, block.language, block.body)
    return folder


def run(folder: Path, language: str, body: str) -> str:
    """Run a block of the shell, or of Python, and return what it prints.

    Raises:
        AssertionError: If a command of it fails.
    """
    place = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": place, "PYTHONPATH": str(ROOT), "HF_HOME": str(folder / "hf")}
    program = [sys.executable, "-"] if language == "python" else ["bash", "-eu"]
    done = subprocess.run(program, input=body, capture_output=True, text=True, cwd=folder, env=env, check=False)
    assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_path_of_the_readme_leaves_what_it_promises(folder):
    made = ("out/mine/manifest.json", "out/mine/report.html", "tea.wav", "runs/tiny/two_stream/model.safetensors")
    assert [name for name in made if not (folder / name).is_file()] == []
    splits = {path.name.partition("-")[0] for path in (folder / "out" / "mine" / "three_stream").iterdir()}
    assert splits == {"train", "validation", "test"}
    assert list((folder / "out" / "moshi").rglob("*.flac"))


@pytest.mark.parametrize("page", ["api.md", "audit.md", "inspect.md", "exports.md"])
def test_python_of_docs_runs_on_that_build(folder, page):
    found = [block for block in blocks_of(ROOT / "docs" / page) if block.runner == THIS]
    assert found
    run(folder, "", "datagen export out/mine --to out/lhotse --format lhotse")
    for block in found:
        run(folder, "python", block.body)
