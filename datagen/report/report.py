"""From a finished build to its report: what is read, in which order, and where the page goes."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datagen.inspect
from datagen.audit import audit
from datagen.audit.audit_table import cells
from datagen.errors import DatagenError
from datagen.inspect import Output
from datagen.inspect.conversation import ConversationFile
from datagen.measure.compared import ComparedTiming
from datagen.measure.timing_report import as_json
from datagen.report.charts import Chart, code_use, floor_transfers, lengths, row_lengths
from datagen.report.choose import Candidate
from datagen.report.page import Content, render
from datagen.report.player import players, silent_because
from datagen.report.survey import Survey, count_rows, rejects, survey
from datagen.shards.bucket import is_url
from datagen.shards.manifest import Manifest
from datagen.shards.markers import markers
from datagen.shards.store import Store

_SOUND_S = 200
"""Sound of a page, shared out among its conversations: decoding it is most of the work, and compressed it is 5 MB."""


Say = Callable[[str], object]


def _silently(message: str) -> None:
    """Say nothing."""


def write_report(out: str, to: str | None = None, n_conversations: int = 5, say: Say = _silently) -> Path:
    """Write the report of a finished build.

    Args:
        out: Directory or URL of the build.
        to: File to write; by default `report.html` in the build, or `NAME-report.html` here if the build is remote.
        n_conversations: How many conversations to let one hear, at most.
        say: Told what is being done, which may take a minute.

    Raises:
        DatagenError: If the build is unfinished or damaged, or the file cannot be written.
    """
    page = render(read(datagen.inspect.open(out), n_conversations, say))
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


def read(output: Output, n_conversations: int, say: Say = _silently) -> Content:
    """Go through all tables once, and choose and load the conversations of the player."""
    manifest = output.manifest
    say(f"reading {manifest.hours:,.1f} hours ...")
    found = survey(output, n_conversations) if "conversations" in manifest.tables else None
    tasks = {task: sums for task, sums in count_rows(output).items() if sums.n_rows}
    chosen = found.sample.chosen() if found else []
    say(f"making {len(chosen)} conversations audible ...")
    talks, mute = _talks(output, chosen)
    say("looking for what rows should not teach ...")
    return Content(
        manifest=manifest,
        place=output.url,
        built_at=_built_at(output.store, manifest.n_units),
        survey=_facts(found) if found else None,
        timing=as_json(found.measured, manifest, []) if found else None,
        timing_charts=_timing_charts(found, manifest) if found else [],
        codes={role: use.figures() for role, use in found.codes.items()} if found else {},
        tasks={task: sums.figures() for task, sums in tasks.items()},
        token_charts=[code_use(found.codes)] if found else [],
        length_charts=[row_lengths(task, sums) for task, sums in tasks.items()],
        audit=[cells(finding) for finding in audit(manifest)] if found and found.n_of_split else [],
        rejects=rejects(output),
        talks=talks,
        mute=mute,
    )


def _talks(output: Output, chosen: list[Candidate]) -> tuple[list[dict[str, Any]], str]:
    """What the player is given, and why tokens cannot be heard if they cannot."""
    talks = [ConversationFile(output, candidate.file)[candidate.index] for candidate in chosen]
    return players(talks, _SOUND_S), silent_because(talks[0]) if talks else ""


def _facts(found: Survey) -> dict[str, Any]:
    return {
        "rate_hz": found.measured.battery.rate_hz,
        "n_samples": found.measured.battery.n_samples,
        "languages": dict(found.languages.most_common()),
        "splits": {name: (found.n_of_split[name], n) for name, n in found.splits.most_common()},
        "voices": found.voices,
        "takes": found.takes.figures(),
        "written": found.written.figures(),
    }


def _timing_charts(found: Survey, manifest: Manifest) -> list[Chart]:
    battery, reference = found.measured.battery, ComparedTiming.of_build(manifest)
    return [floor_transfers(battery, reference), *lengths(battery, reference)]


def _built_at(store: Store, n_units: int) -> int | None:
    """When the last unit was finished; none if its marker is gone, which no reader needs."""
    try:
        (marker,) = markers(store, [n_units - 1])
    except (DatagenError, ValueError):
        return None
    return marker.finished_at or None
