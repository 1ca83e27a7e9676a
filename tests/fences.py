"""The code blocks of pages, and the programs whose command lines can be checked without running them."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main
import yaml

from datagen.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A code block. One line above it may say in a comment why it is not run, or which test runs it."""

    page: Path
    line: int
    language: str
    """Empty for commands; `text` for what is printed."""
    body: str
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def is_excepted(self) -> bool:
        """True if its comment says why it is not run."""
        return re.fullmatch(r"not run: \S.{9,}", self.mark) is not None

    @property
    def runner(self) -> str:
        """The test file that runs it, as its comment says; empty if there is no such comment."""
        found = re.fullmatch(r"run by (tests/\S+\.py)", self.mark)
        return found[1] if found else ""


def blocks_of(page: Path, text: str | None = None) -> list[Block]:
    """The code blocks of a page, or of a text in its place."""
    text = page.read_text("utf-8") if text is None else text
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found["language"], found["body"], found["mark"] or "")
        for found in _FENCE.finditer(text)
    ]


def faults(block: Block) -> Iterator[str]:
    """Everything in a block that could not be typed by a user as it stands."""
    if block.mark and not block.is_excepted and not block.runner:
        yield f"{block}: the comment {block.mark!r} is neither `not run: REASON` nor `run by tests/FILE.py`"
    if block.runner and not (ROOT / block.runner).exists():
        yield f"{block}: there is no {block.runner}"
    check = _CHECKS.get(block.language)
    if check is None and block.language not in ("text", "dockerfile", "bibtex"):
        yield f"{block}: nobody checks {block.language!r}"
    if check and not block.is_excepted:
        try:
            check(block)
        except Exception as error:
            yield f"{block}: {error}"


def command_lines(body: str) -> list[list[str]]:
    """The words of each command of a shell block, without comments and here-documents.

    >>> command_lines("cat > a <<'END'\\nx 'y\\nEND\\ndatagen check out > b  # all\\n")
    [['cat', '>', 'a', '<<END'], ['datagen', 'check', 'out']]
    """
    body = re.sub(r" > [\w./-]+\s*(#.*)?$", "", body, flags=re.MULTILINE)
    body = re.sub(r"(<<'?(\w+)'?)\n.*?^\2$", r"\1", body.replace("\\\n", " "), flags=re.MULTILINE | re.DOTALL)
    return [words for line in body.splitlines() if (words := shlex.split(line, comments=True))]


def check_command(words: list[str]) -> None:
    """Check one command line.

    Raises:
        ValueError: If its program is not known here, or does not take these words.
    """
    program, *arguments = words
    name = program.removeprefix(".venv/bin/")
    if name not in _PROGRAMS:
        raise ValueError(f"`{shlex.join(words)}` cannot be checked: mark its block with `<!-- not run: REASON -->`")
    try:
        _PROGRAMS[name](arguments)
    except Exception as error:  # typer has errors of its own
        said = getattr(error, "message", "") or str(error)
        raise ValueError(f"`{shlex.join(words)}`: {said}") from error


def _datagen(arguments: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    context, names = None, list(arguments)
    while hasattr(command, "commands") and names and not names[0].startswith("-"):
        if names[0] not in command.commands:
            if command.invoke_without_command:  # a word of its own, as in `datagen prompts`
                break
            raise ValueError(f"there is no command {names[0]!r}")
        context = command.context_class(command, parent=context)
        command = command.commands[names.pop(0)]
    if names or not hasattr(command, "commands"):
        command.make_context(command.name, names, parent=context).close()


def unknown_words(line: str) -> list[str]:
    """Commands and options in a `datagen ...` within a sentence that do not exist; values may be left out."""
    command: Any = typer.main.get_command(app)
    names = shlex.split(line)[1:]
    while hasattr(command, "commands") and names and names[0] in command.commands:
        command = command.commands[names.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    not_there = names[:1] if hasattr(command, "commands") and names and not names[0].startswith("-") else []
    return [*not_there, *sorted({name.partition("=")[0] for name in names if name.startswith("--")} - known)]


def _make(arguments: list[str]) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    if unknown := [name for name in arguments if "=" not in name and name not in targets]:
        raise ValueError(f"the Makefile has no target {unknown[0]}")


def _pip(arguments: list[str]) -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]")[2]
    extras = re.findall(r"^([\w-]+) = \[", project.partition("\n[")[0], re.MULTILINE)
    for named in re.findall(r"(?:duplex-datagen|\.)\[([\w,-]+)\]", " ".join(arguments)):
        if unknown := set(named.split(",")) - set(extras):
            raise ValueError(f"there is no extra {', '.join(sorted(unknown))}")


def _python(arguments: list[str]) -> None:
    at = arguments[1].replace(".", "/") + ".py" if arguments[0] == "-m" else arguments[0]
    file = ROOT / at
    if not file.exists():
        raise ValueError(f"there is no {at}")
    known = set(re.findall(r'"(--[\w-]+)"', file.read_text("utf-8")))
    if unknown := {word.partition("=")[0] for word in arguments if word.startswith("--")} - known:
        raise ValueError(f"{at} has no option {', '.join(sorted(unknown))}")


def _any(_: list[str]) -> None:
    """Programs of the shell, whose words need no check."""


_PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "datagen": _datagen, "make": _make, "pip": _pip, "python": _python, "cat": _any, ".": _any,
}  # fmt: skip


def _shell(block: Block) -> None:
    for words in command_lines(block.body):
        check_command(words)


def _compiled(block: Block) -> None:
    if not block.runner:
        raise ValueError("no test runs it: name one in `<!-- run by tests/FILE.py -->`, or say why with `not run:`")
    compile(block.body, str(block), "exec")


def _json(block: Block) -> None:
    for line in block.body.splitlines():
        json.loads(line)


_CHECKS: dict[str, Callable[[Block], object]] = {
    "": _shell,
    "sh": _shell,
    "bash": _shell,
    "python": _compiled,
    "json": _json,
    "yaml": lambda block: yaml.safe_load(block.body),
}
