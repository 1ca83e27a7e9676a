"""The commands, code and links of README and docs work."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from datagen import resources
from datagen.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "benchmarks").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language]


def commands(page: Path) -> list[str]:
    """Every datagen command in a code block or span, to be typed by a user."""
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    spans = re.findall(r"`(datagen [^`]+)`", page.read_text("utf-8"))
    return [line.split("#")[0].strip() for line in [*lines, *spans] if line.startswith("datagen ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_exist_with_their_options(page):
    known = typer.main.get_command(app).commands
    for line in commands(page):
        _, name, *arguments = shlex.split(line)
        assert name in known, line
        command = known[name]
        if hasattr(command, "commands") and arguments:
            command = command.commands[arguments.pop(0)]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {a.split("=")[0] for a in arguments if a.startswith("--")} <= options, line


def test_the_readme_begins_with_the_two_commands():
    first = blocks(ROOT / "README.md", "")[0].splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_stages_called_by_hand_as_the_readme_shows():
    (code,) = [block for block in blocks(ROOT / "README.md", "python") if "pipeline.steps()" in block]
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert {row.task for row in names["rows"]} == {"asr", "tts", "four_stream", "three_stream", "two_stream"}


def test_every_shipped_recipe_is_named():
    text = (ROOT / "README.md").read_text("utf-8")
    assert all(f"pipelines/{name}.yaml" in text for name in resources.recipes())
