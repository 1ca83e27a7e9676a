"""From a finished build to its report."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import datagen.inspect
from datagen.audit.audit import N_CONVERSATIONS, audit, cells
from datagen.errors import DatagenError
from datagen.evaluate.tables import Document
from datagen.faults import cannot
from datagen.inspect import Output
from datagen.inspect.conversation import ConversationFile
from datagen.measure.charts import Chart, floor_transfers, human_ranges, lengths
from datagen.measure.compared_timing import ComparedTiming
from datagen.measure.timing_report import as_json
from datagen.report.choice import Candidate
from datagen.report.page import Content, link, render
from datagen.report.player import players, silent_because
from datagen.report.survey import Survey, code_chart, count_rows, length_chart, rejects, survey
from datagen.shards.bucket import is_url
from datagen.shards.manifest import Manifest
from datagen.shards.store import Store
from datagen.shards.unit import Marker, marker_key


class Part(Protocol):
    """Begins a part of the work, and returns the function that is called with 1 after each of its items."""

    def __call__(self, name: str, total: float = 0, hours: float | None = None) -> Callable[[int], object]:
        """Receive the name, number of items, and hours of sound in all of them."""
        ...


def _untold(name: str, total: float = 0, hours: float | None = None) -> Callable[[int], object]:  # noqa: ARG001
    return lambda _: None


@dataclass(frozen=True)
class WrittenReport:
    """A report in a file."""

    file: Path
    fragment: str
    """Opens its player at the first conversation's event: `conversation=ID&t=SECONDS`; empty without a player."""
    mute: str = ""
    """Reason why tokens cannot be decoded here; empty if they can."""

    @property
    def url(self) -> str:
        """Address of the file, with the fragment."""
        return self.file.resolve().as_uri() + (f"#{self.fragment}" if self.fragment else "")


def write_report(
    out: str,
    to: str | None = None,
    n_conversations: int = 5,
    part: Part = _untold,
    trust: bool = False,
    scores: str | None = None,
) -> WrittenReport:
    """Write the report of a finished build.

    Args:
        out: Directory or URL of the build.
        to: File to write; by default `report.html` in the build, or `NAME-report.html` here if the build is remote.
        n_conversations: Most conversations in the player.
        part: Receives each part of the work and counts its items, because this may take a minute.
        trust: As of `datagen.open`.
        scores: File of `datagen evaluate ... --to FILE.json`, to show its tables too.

    Raises:
        DatagenError: If the build is unfinished or damaged, the scores are of another build, or the file cannot be
            written.
    """
    output = datagen.inspect.open(out, trust)
    tables = _scores(scores, output) if scores else None
    content = replace(read(output, n_conversations, part), scores=tables)
    file = Path(to) if to else default_file(out)
    write_page(file, render(content))
    return WrittenReport(file, link(content.talks[0]) if content.talks else "", content.mute)


def _scores(file: str, output: Output) -> Document:
    """Scores of the build.

    Raises:
        DatagenError: If the file cannot be read, or is about another build.
    """
    try:
        found = Document.of_json(Path(file).read_bytes(), file)
    except (OSError, ValueError) as error:
        raise DatagenError(f"{cannot('read', Path(file), error)}; use a file of `datagen evaluate --to`") from error
    if found.digest != output.manifest.digest:
        raise DatagenError(f"{file} holds scores of another build ({found.build}); run `datagen evaluate` on this one")
    return found


def write_page(file: Path, page: str) -> None:
    """Write a page as a whole or not at all.

    Raises:
        DatagenError: If it cannot be written; names the file.
    """
    scratch = file.with_name(f".{uuid4().hex}.writing")  # a name that the build cannot have made a link
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("x", encoding="utf-8", newline="\n") as out_file:
            out_file.write(page)
        scratch.replace(file)
    except OSError as error:
        raise DatagenError(f"{cannot('write', file, error)}, or choose another file with --to FILE") from error
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink()


def default_file(out: str) -> Path:
    """Default place of a report.

    >>> str(default_file("s3://bucket/out/mine/")), default_file("out/mine").as_posix()
    ('mine-report.html', 'out/mine/report.html')
    """
    if is_url(out):
        return Path(f"{out.rstrip('/').rpartition('/')[2]}-report.html")
    return Path(out) / "report.html"


def read(output: Output, n_conversations: int, part: Part = _untold) -> Content:
    """Read all tables once, and choose and load the conversations of the player."""
    manifest, n = output.manifest, output.manifest.n_conversations
    has_talks = "conversations" in manifest.tables
    found = survey(output, n_conversations, part("1 of 3, reading", n, manifest.hours)) if has_talks else None
    tasks = {task: sums for task, sums in count_rows(output).items() if sums.n_rows}
    chosen = found.sample.chosen() if found else []
    talks, mute = _talks(output, chosen, part("2 of 3, sound of conversations", len(chosen), 0))
    n_audited = min(n, N_CONVERSATIONS)
    told = part("3 of 3, audit", n_audited, manifest.hours * n_audited / max(n, 1))
    return Content(
        manifest=manifest,
        place=output.url,
        built_at=_built_at(output.store, manifest.n_units),
        survey=_facts(found, manifest) if found else None,
        timing=as_json(found.measured, manifest, []) if found else None,
        timing_charts=_timing_charts(found, manifest) if found else [],
        human_charts=human_ranges(found.measured.battery) if found else [],
        codes={role: use.figures() for role, use in found.codes.items()} if found else {},
        tasks={task: sums.figures() for task, sums in tasks.items()},
        token_charts=[code_chart(found.codes)] if found else [],
        length_charts=[length_chart(task, sums) for task, sums in tasks.items()],
        audit=[cells(finding) for finding in audit(manifest, tell=told)] if found and found.n_of_split else [],
        rejects=rejects(output),
        talks=talks,
        mute=mute,
    )


def _talks(output: Output, chosen: list[Candidate], tell: Callable[[int], object]) -> tuple[list[dict[str, Any]], str]:
    """Data of the player, and the reason if tokens cannot be decoded."""
    talks = [ConversationFile(output, candidate.file)[candidate.index] for candidate in chosen]
    return players(talks, tell), silent_because(talks[0]) if talks else ""


def _facts(found: Survey, manifest: Manifest) -> dict[str, Any]:
    tts = manifest.engines.get("tts")
    return {
        "rate_hz": found.measured.battery.rate_hz,
        "n_samples": found.measured.battery.n_samples,
        "languages": dict(found.languages.most_common()),
        "splits": {name: (found.n_of_split[name], n) for name, n in found.splits.most_common()},
        "voices": found.voices,
        "takes": found.takes.figures(),
        "styles_followed": (tts.styles if tts else None) or (),
        "written": found.written.figures(),
    }


def _timing_charts(found: Survey, manifest: Manifest) -> list[Chart]:
    battery, reference = found.measured.battery, ComparedTiming.of_build(manifest)
    return [floor_transfers(battery, reference), *lengths(battery, reference)]


def _built_at(store: Store, n_units: int) -> int | None:
    """End of the last unit; None if its marker is gone, which no reader needs."""
    try:
        key = marker_key(n_units - 1)
        return Marker.from_json(store.read(key), key).finished_at or None
    except DatagenError:
        return None
