"""From a finished build to its report: what is read, in which order, and where the page goes."""

import contextlib
from pathlib import Path
from typing import Any

from datagen.build import Build
from datagen.bucket import is_url
from datagen.engines.base import SpeechTokenizer
from datagen.errors import DatagenError, EngineError
from datagen.recipe import Recipe
from datagen.report.charts import Chart, code_use, floor_transfers, lengths, row_lengths
from datagen.report.lines import Painter
from datagen.report.page import Content, render
from datagen.report.player import Studio
from datagen.report.survey import Survey, count_rows, load, rejects, survey
from datagen.run.manifest import Manifest
from datagen.run.markers import markers
from datagen.run.store import Store, open_store
from datagen.timing.fit import reference
from datagen.timing.report import as_json
from datagen.vocab import Vocabulary

_MOST_SOUND_MS = 600_000
"""Of all conversations of a page together: 13 MB of it, recorded and decoded."""
_PEOPLE = "natural"
"""Profile of people's timing that charts show beside a build's."""


def write_report(out: str, to: str | None = None, n_conversations: int = 8) -> Path:
    """Write the report of a finished build.

    Args:
        out: Directory or URL of the build.
        to: File to write; by default `report.html` in the build, or `NAME-report.html` here if the build is remote.
        n_conversations: How many conversations to let one hear, at most.

    Raises:
        DatagenError: If the build is unfinished or damaged, or the file cannot be written.
    """
    store = open_store(out)
    page = render(read(store, Manifest.load(store), n_conversations))
    file = Path(to) if to else default_file(out)
    scratch = file.with_name(f".{file.name}.writing")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(page, "utf-8", newline="\n")
        scratch.replace(file)
    except OSError as error:
        raise DatagenError(f"cannot write {file}: {error.strerror}; choose another place with --to FILE") from error
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink()
    return file


def default_file(out: str) -> Path:
    """Where a report goes if nobody says.

    >>> str(default_file("s3://bucket/out/mine/")), default_file("out/mine").as_posix()
    ('mine-report.html', 'out/mine/report.html')
    """
    if is_url(out):
        return Path(f"{out.rstrip('/').rpartition('/')[2]}-report.html")
    return Path(out) / "report.html"


def read(store: Store, manifest: Manifest, n_conversations: int) -> Content:
    """Go through all tables once, and choose and load the conversations of the player."""
    values = manifest.values
    found = survey(store, manifest, n_conversations) if "conversations" in values["tables"] else None
    chosen = found.sample.chosen() if found else []
    rows = count_rows(store, manifest, {candidate.dialogue_id for candidate in chosen})
    studio, mute = _studio(values) if chosen else (None, "")
    talks: list[dict[str, Any]] = []
    for streams in load(store, chosen):
        if studio and sum(talk["n_ms"] for talk in talks) < _MOST_SOUND_MS:
            talks.append(studio.conversation(streams, rows.chosen.get(streams.dialogue_id, [])))
    tasks = {task: sums for task, sums in rows.sums.items() if sums.n_rows}
    return Content(
        values=values,
        place=store.url,
        built_at=_built_at(store, values["n_units"]),
        survey=found and _facts(found),
        timing=found and as_json(found.measured, manifest, []),
        timing_charts=_timing_charts(found) if found else [],
        codes={role: use.figures() for role, use in found.codes.items()} if found else {},
        tasks={task: sums.figures() for task, sums in tasks.items()},
        token_charts=[code_use(found.codes)] if found else [],
        length_charts=[row_lengths(task, sums) for task, sums in tasks.items()],
        rejects=rejects(store, manifest),
        talks=talks,
        mute=mute,
    )


def _facts(found: Survey) -> dict[str, Any]:
    return {
        "rate_hz": found.measured.battery.rate_hz,
        "n_samples": found.measured.battery.n_samples,
        "languages": dict(found.languages.most_common()),
        "splits": {name: (found.n_of_split[name], n) for name, n in found.splits.most_common()},
        "voices": found.voices,
    }


def _timing_charts(found: Survey) -> list[Chart]:
    battery, people = found.measured.battery, reference(_PEOPLE)
    return [floor_transfers(battery, people["fto"]), *lengths(battery, people)]


def _studio(values: dict[str, Any]) -> tuple[Studio, str]:
    """What makes the player's data, and why it cannot make tokens audible if it cannot."""
    build, clock = Build(Recipe.model_validate(values["recipe"])), values["clock"]
    flat = build.recipe.flatten
    vocabulary = Vocabulary.from_dict(values["vocabulary"])
    painter = Painter(vocabulary, build.text_tokenizer, flat.speech_chunk_tokens, flat.text_chunk_tokens)
    tokenizer, mute = _tokenizer(build, values["engines"]["speech_tokenizer"])
    return Studio(clock["sample_rate_hz"], clock["hop_samples"], painter, tokenizer), mute


def _tokenizer(build: Build, made_with: dict[str, Any]) -> tuple[SpeechTokenizer | None, str]:
    try:
        tokenizer = build.speech_tokenizer
    except EngineError as error:
        return None, f"the speech tokenizer could not be loaded: {error}"
    if tokenizer.info.version != made_with["version"]:
        return None, f"the codes are of tokenizer version {made_with['version']}; {tokenizer.info.version} is installed"
    return tokenizer, ""


def _built_at(store: Store, n_units: int) -> int | None:
    """When the last unit was finished; none if its marker is gone, which no reader needs."""
    try:
        (marker,) = markers(store, [n_units - 1])
    except (DatagenError, ValueError):
        return None
    return marker.finished_at or None
