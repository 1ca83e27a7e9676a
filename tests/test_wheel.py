"""An installed wheel has everything a checkout has."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_wheel_holds_recipes_prompts_schemas_and_models(tmp_path):
    build = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    made = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    with zipfile.ZipFile(tmp_path / made) as wheel:
        names = set(wheel.namelist())
        wheel.extractall(tmp_path / "site")
    for folder in ("pipelines", "prompts", "schemas"):
        for file in (ROOT / folder).rglob("*.*"):
            assert f"datagen/{file.relative_to(ROOT).as_posix()}" in names
    assert {
        "datagen/data/quickstart.jsonl",
        "datagen/data/kmeans_25hz.npz",
        "datagen/data/kmeans_25hz_decoder.npz",
        "datagen/data/card.md.j2",
    } <= names
    assert "datagen/py.typed" in names  # type checkers read the hints of an installed package only with it
    assert not any(name.startswith("tools") for name in names)
    for file in (ROOT / "datagen" / "report" / "template").iterdir():
        assert file.relative_to(ROOT).as_posix() in names
    code = (
        "import datagen, sys; assert datagen.__file__.startswith(sys.argv.pop(1)); from datagen.cli import main; main()"
    )
    listed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "recipes"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [line.split()[0] for line in listed.splitlines()] == sorted(
        f.stem for f in (ROOT / "pipelines").glob("*.yaml")
    )
