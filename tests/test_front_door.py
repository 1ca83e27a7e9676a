"""The names that `import datagen` gives: pinned, typed, imported lazily, and no more than they need."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import datagen
from tests.run.builds import made

PACKAGE = Path(datagen.__file__).parent
NAMES = ["Dialogue", "Pipeline", "Reject", "Turn", "__version__", "build", "load_recipe", "open"]


def test_the_exported_names_are_these():
    assert datagen.__all__ == NAMES
    assert {name: getattr(datagen, name) for name in NAMES}.keys() <= set(dir(datagen))
    assert isinstance(datagen.DATA_VERSION, int)
    with pytest.raises(AttributeError, match="module 'datagen' has no attribute 'nonesuch'"):
        _ = datagen.nonesuch


def test_type_checkers_and_python_see_the_same():
    """The imports for type checkers name the homes from which Python imports."""
    imports = [
        n for n in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))) if isinstance(n, ast.ImportFrom)
    ]
    seen = {
        a.asname or a.name: f"{n.module}:{a.name}" for n in imports for a in n.names if str(n.module)[:8] == "datagen."
    }
    assert seen == datagen._HOMES
    assert sorted([*seen, "__version__"]) == NAMES


def test_the_example_of_the_docstring_runs(tmp_path, monkeypatch):
    """On the fake engines: a recipe, a build, its output, and the stages by hand."""
    monkeypatch.chdir(tmp_path)
    recipe = datagen.load_recipe("fake", ("input.limit=1",))
    manifest = datagen.build(recipe, "out")
    output = datagen.open("out")
    assert output.manifest == manifest
    item = datagen.Dialogue("d", (datagen.Turn("user", "Are apples red?"), datagen.Turn("assistant", "Yes.")))
    for step in datagen.Pipeline(recipe).steps():
        item = step.make()(item)
    assert not isinstance(item, datagen.Reject)


def loaded(code: str, *arguments: str) -> set[str]:
    """Modules after some code, in a process of its own."""
    code += "\nimport sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return set(run.stdout.splitlines()[-1].split())


def rooms(modules: set[str]) -> set[str]:
    """The top-level parts of the package among them."""
    return {name.split(".")[1] for name in modules if name.startswith("datagen.")}


def test_importing_it_imports_nothing():
    modules = loaded("import datagen")
    assert rooms(modules) == set()
    assert not {"numpy", "pyarrow", "pydantic", "yaml", "msgspec"} & modules


READERS = {
    *("clock", "errors", "events", "faults", "feed", "inspect", "installed", "intervals", "marks", "records"),
    *("redaction", "seeds", "shards", "suggest", "terminal", "text"),
}
"""All that reading a build may load: no stage, no run, no engine, no recipe."""


def test_feeding_a_training_loads_no_stage_no_engine_and_no_recipe():
    pytest.importorskip("torch")
    modules = loaded("import datagen.feed")
    assert "feed" in rooms(modules) <= READERS
    assert "yaml" not in modules


READ = """
import sys, datagen
output = datagen.open(sys.argv[1])
row = output.row("three_stream", 0)
talk = output.conversation(row.dialogue_id)
assert row.n_chunks and len(row.input_ids) and len(talk.utterances) and len(talk.events) and len(talk.words)
assert talk.audio.seconds and repr(output) and len(output.table("asr")) and talk.rows("three_stream")
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("built"), "mix.keep_audio=true", n=4)[0]


def test_reading_a_build_loads_no_stage_no_engine_and_no_recipe(out):
    modules = loaded(READ, str(out))
    assert "inspect" in rooms(modules) <= READERS
    assert "yaml" not in modules


def test_tokenizers_and_the_recipe_are_loaded_at_their_first_use(out):
    modules = loaded(f"{READ}\nprint(row, list(row.runs()))", str(out))
    assert "engines" in rooms(modules)
    assert not {"pipeline", "run", "sources"} & rooms(modules)
    assert "recipe" in rooms(loaded(f"{READ}\nassert output.recipe.mix.keep_audio", str(out)))


USER = '''
"""A user's file."""

import datagen
import datagen.feed
import datagen.inspect
from datagen import Dialogue, Pipeline, Reject, Turn, build, load_recipe
from datagen import open as open_output
from datagen.engines.base import TTS, EngineInfo, Speech, Voice
from datagen.records import Streams


class Mine(TTS):
    """An engine of one's own."""

    info = EngineInfo("mine", "1", "MIT", "no")
    sample_rate_hz = 24_000
    voices = ("a",)
    languages = ("en",)

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        raise NotImplementedError


def hours(out: str) -> float:
    manifest = build(load_recipe("fake", ("input.limit=1",)), out, n_workers=2)
    output: datagen.inspect.Output = open_output(out)
    voice: Voice = manifest.voices["tone-0"]
    hop: int = output.manifest.clock.hop_samples
    rows: int = manifest.tables["asr"]["train"].n_rows
    version: str = datagen.__version__
    print(voice.speaker, hop, rows, version, output.row("asr").input_ids.sum(), manifest.engines["tts"].licence)
    return manifest.hours


def kept(recipe: str) -> list[Streams]:
    pipeline = Pipeline(load_recipe(recipe))
    item: object = Dialogue("d", (Turn("user", "Are apples red?"), Turn("assistant", "Yes.")))
    for step in pipeline.steps():
        item = step.make()(item)
    return [item] if isinstance(item, Streams) and not isinstance(item, Reject) else []


def batches(out: str) -> datagen.feed.Feed:
    return datagen.feed.Feed(out, datagen.feed.Stage("all", {"asr": 1}, max_tokens=1024, batch_size=2))
'''

WRONG = (
    USER
    + """

datagen.nonesuch
reveal: str = datagen.open("out").manifest.hours
Turn("nobody", "Hello.")
"""
)


def mypy(path: Path, text: str) -> str:
    """What mypy says of a user's file, with the strict settings and the cache of this repository."""
    path.write_text(text, "utf-8")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--config-file",
        "pyproject.toml",
        str(path),
    ]
    run = subprocess.run(command, capture_output=True, text=True, cwd=PACKAGE.parent)
    return run.stdout + run.stderr


def test_a_users_file_is_typed_strictly(tmp_path):
    assert importlib.util.find_spec("mypy"), "install the group dev"
    assert (PACKAGE / "py.typed").exists()
    assert mypy(tmp_path / "user.py", USER) == ""
    found = mypy(tmp_path / "wrong.py", WRONG)
    assert 'has no attribute "nonesuch"' in found
    assert 'expression has type "float", variable has type "str"' in found
    assert "has incompatible type \"Literal['nobody']\"" in found
