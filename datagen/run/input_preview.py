"""Preview of the input of a build, before any work: shapes, samples, and what would be rejected."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from datagen.errors import SourceError
from datagen.pipeline.select import Select
from datagen.recipe import Recipe, RecordingsConfig
from datagen.records import Dialogue, Reject, Turn
from datagen.sources import Maker, read_one
from datagen.sources.advice import fix_of, without_fix
from datagen.sources.inputs import Source, resolve
from datagen.sources.mappings.table import key_of
from datagen.sources.recordings.open_corpus import open_corpus, records_of
from datagen.sources.recordings.single_speakers import SpeechCorpus
from datagen.sources.shapes import AdvisingShapes
from datagen.text import Read, spoken

N_SAMPLES = 3


@dataclass
class Rejected:
    """Rejects of one reason."""

    count: int = 0
    example: str = ""
    fix: str = ""


@dataclass
class Preview:
    """One input as it would be read."""

    place: str
    container: str
    n_records: int = 0
    n_kept: int = 0
    is_whole: bool = True
    """False if records were left unread because of the limit."""
    error: str = ""
    """Why it cannot be read to its end, if so."""
    shapes: dict[str, int] = field(default_factory=dict)
    """Number of dialogues by shape."""
    samples: list[dict[str, Any]] = field(default_factory=list)
    """The first dialogues as understood: id, shape, language, system, cut, turns."""
    rejects: dict[str, Rejected] = field(default_factory=dict)
    """By stage and reason, such as `source/unknown_role`."""
    notices: dict[str, Rejected] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)
    """Dialogues of which turns are left out, by reason."""
    parts: dict[str, int] = field(default_factory=dict)
    """Utterances by part of a corpus of single speakers."""


def preview(recipe: Recipe, limit: int, read: Read = spoken) -> Iterator[Preview]:
    """Preview each input of a recipe.

    Args:
        recipe: The recipe; only `input` and `select` are used.
        limit: Records to read of each input.
        read: The normalizers; by default the rules of the package.

    Raises:
        SourceError: If an input does not exist.
    """
    source = recipe.input
    maker = Maker(AdvisingShapes(key_of(source.shape, source.mapping), source.roles, source.tool_calls == "keep"))
    select = Select(recipe.select, read)
    for file in resolve(source.paths):
        found = Preview(file.place, _container(file))
        try:
            for item in read_one(file, maker, source.hf_split, source.max_record_bytes, limit + 1):
                if found.n_records == limit:
                    found.is_whole = False
                    break
                _add(found, item, maker.shape, select)
        except SourceError as error:
            found.error = str(error)
        yield found


def preview_recordings(config: RecordingsConfig, sample_rate_hz: int, limit: int) -> Preview:
    """Preview a corpus of recordings; the sound of single speakers is not hashed.

    Args:
        config: The corpus.
        sample_rate_hz: Of the conversations.
        limit: Records to read.
    """
    found = Preview(config.path, f"recordings, {config.layout}")
    try:
        corpus = open_corpus(config)
        found.container = f"recordings, {corpus.config.layout}"
        records = records_of(corpus, sample_rate_hz)
        for item in islice(records, limit):
            _add_recorded(found, item)
        if isinstance(corpus, SpeechCorpus):
            found.parts = dict(corpus.n_of_parts)
        found.is_whole = next(records, None) is None
    except SourceError as error:
        found.error = str(error)
    return found


def _add_recorded(found: Preview, item: Dialogue | Reject) -> None:
    found.n_records += 1
    if isinstance(item, Reject):
        _count(found.rejects, f"{item.stage}/{item.reason}", f"{item.dialogue_id}: {item.detail}", fix_of(item.reason))
        return
    found.n_kept += 1
    if len(found.samples) < N_SAMPLES:
        turns = [{"role": each.role, "text": each.text} for each in item.transcript]
        speaker = item.recorded.user.speaker if item.recorded else ""
        about = {"id": item.id, "shape": f"speaker {speaker}", "language": item.language, "system": "", "cut": ""}
        found.samples.append({**about, "turns": turns})


def _container(file: Source) -> str:
    """The format of a file, and its packing.

    >>> from pathlib import Path
    >>> _container(Source("a.jsonl.gz", "a", "jsonl", Path("a.jsonl.gz"), packing="gzip"))
    'jsonl, gzip'
    """
    return f"{file.format}, {file.packing}" if file.packing else file.format


def _add(found: Preview, item: Dialogue | Reject, shape: str, select: Select) -> None:
    found.n_records += 1
    if isinstance(item, Dialogue):
        found.shapes[shape] = found.shapes.get(shape, 0) + 1
        if item.cut:
            found.cuts[item.cut] = found.cuts.get(item.cut, 0) + 1
        for notice in item.notices:
            _count(found.notices, notice.partition(": ")[0], f"{item.id}: {notice.partition(': ')[2]}", "")
        if len(found.samples) < N_SAMPLES:
            found.samples.append(_sample(item, shape))
        item = select(item)
    if isinstance(item, Reject):
        example = f"{item.dialogue_id}: {without_fix(item.reason, item.detail)}"
        _count(found.rejects, f"{item.stage}/{item.reason}", example, fix_of(item.reason, item.detail))
    else:
        found.n_kept += 1


def _count(counts: dict[str, Rejected], name: str, example: str, fix: str) -> None:
    entry = counts.setdefault(name, Rejected(0, example, fix))
    entry.count += 1


def _parts(turn: Turn) -> Iterator[tuple[str, str]]:
    """A turn's calls of tools with the words before them, then its own words."""
    for call in turn.calls:
        if call.before:
            yield turn.role, call.before
        yield "call", call.call
        yield "result", call.result
    yield turn.role, turn.text


def _sample(item: Dialogue, shape: str) -> dict[str, Any]:
    turns = [{"role": role, "text": text} for turn in item.turns for role, text in _parts(turn)]
    about = {"id": item.id, "shape": shape, "language": item.language, "system": item.system, "cut": item.cut}
    return {**about, "turns": turns}
