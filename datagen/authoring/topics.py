"""A file of topics → briefs: topic, persona and style of each dialogue."""

import json
from collections.abc import Iterator
from pathlib import Path

from datagen import resources, seeds
from datagen.authoring.authored import Brief
from datagen.authoring.authoring_config import WriteRecipe
from datagen.errors import SourceError
from datagen.faults import cannot
from datagen.records import Reject

_MOST_CHARACTERS = 2000
_FIELDS = ("topic", "language", "persona", "style")


def briefs(recipe: WriteRecipe) -> Iterator[Brief | Reject]:
    """All briefs of a recipe with topics: topic by topic, language by language, sample by sample.

    A line of JSON may name its own language, persona and style. Otherwise there are dialogues in
    each language of the recipe, and persona and style are drawn by topic, language and sample.

    Returns:
        One brief per dialogue, one reject per invalid line; numbered in order.

    Raises:
        SourceError: If the file cannot be read.
    """
    file, record, seen = file_of(recipe.input.topics), 0, set[tuple[str, ...]]()
    for number, line in enumerate(read_named(recipe.input.topics, "topics").split("\n"), 1):
        if not line.strip():
            continue
        fault = None
        try:
            given = _given(line)
            if tuple(given.values()) in seen:
                fault = "duplicate", f"line {number} came before"
        except (ValueError, RecursionError) as error:
            fault = "bad_topic", f"line {number}: {error}"
        if fault:
            yield Reject(record, f"{file.stem}-{record}", file.name, "write", *fault)
            record += 1
            continue
        seen.add(tuple(given.values()))
        for language in [given["language"]] if given["language"] else recipe.languages:
            for sample in range(recipe.n_per_topic):
                if recipe.input.limit is not None and record >= recipe.input.limit:
                    return
                yield _brief(recipe, given, language, sample, record, file)
                record += 1


def file_of(name: str) -> Path:
    """The file that a recipe names; `package:NAME` is a shipped one."""
    shipped = name.removeprefix("package:")
    return Path(name) if shipped == name else resources.directory("data") / Path(shipped).name


def _brief(recipe: WriteRecipe, given: dict[str, str], language: str, sample: int, record: int, file: Path) -> Brief:
    key = (given["topic"], language, sample)
    drawn = {
        name: str(chance.choice(choices)) if choices else ""
        for name, choices in (("persona", recipe.personas), ("style", recipe.styles))
        for chance in [seeds.rng(recipe.seed, "brief", name, *key)]
    }
    persona, style = (given[name] or drawn[name] for name in ("persona", "style"))
    return Brief(
        f"{file.stem}-{record}",
        given["topic"],
        language,
        persona,
        style,
        sample=sample,
        source=file.name,
        record=record,
    )


def _given(line: str) -> dict[str, str]:
    """The fields of a line.

    Raises:
        ValueError: If it is no topic.

    >>> _given("losing a key")["topic"], _given('{"topic": "tea", "language": "zh"}')["language"]
    ('losing a key', 'zh')
    """
    given: object = json.loads(line) if line.lstrip().startswith("{") else {"topic": line.strip()}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ValueError("not an object of texts")
    if unknown := sorted(set(given) - set(_FIELDS)):
        raise ValueError(f"unknown field {unknown[0]!r}; there are {', '.join(_FIELDS)}")
    found = {name: str(given.get(name, "")).strip() for name in _FIELDS}
    if not found["topic"]:
        raise ValueError("no topic")
    if any(len(text) > _MOST_CHARACTERS or not text.isprintable() for text in found.values()):
        raise ValueError(f"more than {_MOST_CHARACTERS} characters, or unprintable ones")
    return found


def read_named(name: str, what: str) -> str:
    """The text of the file that a recipe names.

    Args:
        name: As of `file_of`.
        what: Its kind, for messages.

    Raises:
        SourceError: If it cannot be read.
    """
    file = file_of(name)
    try:
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise SourceError(cannot("read", f"{what} {file}", error)) from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8 text (byte {error.start})") from error
