"""The command `export`: conversations of a build in the format of another package."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datagen.cli.app import MANY_WORKERS, Address, Engine, Finished, Trust, app, refuse_address

if TYPE_CHECKING:
    from datagen.export.export_identity import Exported
    from datagen.export.export_job import ExportRequest

_N_CORES = os.cpu_count() or 1
_MANY_HOURS = 1e6


@app.command()
def export(
    out: Finished,
    to: Annotated[
        str, typer.Option("--to", metavar="DIR", help="Directory or URL to write; an interrupted export resumes.")
    ],
    format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="Format (docs/exports.md), or module:Class of your own.")
    ] = "",
    for_: Annotated[
        str, typer.Option("--for", metavar="CONSUMER", help="Format and conventions of a trainer, such as nemo.")
    ] = "",
    split: Annotated[
        list[str] | None, typer.Option("--split", metavar="NAME", help="Export only this split; can be repeated.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", metavar="CODE", help="Export only this language; can be repeated.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="CONDITION", help="Export only if this holds, such as events.kind=barge_in; repeatable."
        ),
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option("--rate", metavar="ROLE=HZ", help="Sample rate of a role, such as user=16000; can be repeated."),
    ] = None,
    roles: Annotated[
        str, typer.Option("--roles", metavar="USER,AGENT", help="Names of both speakers, such as User,Assistant.")
    ] = "",
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", metavar="KIND=HOW", help="Tag, merge or drop backchannel, attempt or aside; can be repeated."
        ),
    ] = None,
    marks: Annotated[
        int | None,
        typer.Option("--marks", metavar="MS", min=0, max=1000, help="Frame of inline time marks; 0 for none."),
    ] = None,
    codec: Annotated[str, typer.Option("--codec", metavar="NAME", help="Sound files: flac, wav, opus, or codes.")] = "",
    task: Annotated[str, typer.Option("--task", metavar="TASK", help="Task of the rows, for formats of tokens.")] = "",
    shard_hours: Annotated[
        float | None,
        typer.Option(
            "--shard-hours", metavar="H", min=1e-6, max=_MANY_HOURS, help="Approximate hours of conversation per shard."
        ),
    ] = None,
    augment: Annotated[
        list[str] | None,
        typer.Option(
            "--augment", metavar="CHANGE", help="Change sound and labels: swap, speed=0.9 or noise=15; can be repeated."
        ),
    ] = None,
    decoded: Annotated[bool, typer.Option("--decoded", help="Export audio decoded from the tokens.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", min=1, max=MANY_WORKERS, help="Number of workers; by default one per core."
        ),
    ] = None,
    engine: Engine = "local",
    address: Address = "local",
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the hashes of finished units' files before resuming.")
    ] = False,
    trust: Trust = False,
) -> None:
    """Export conversations in the format of another package or trainer. Run it again to continue."""
    from datagen.export.augment import augmentation
    from datagen.export.convention import kinds, rates
    from datagen.export.convention import roles as names
    from datagen.export.export_job import ExportRequest
    from datagen.export.selection import Selection

    refuse_address(address, engine)
    values: dict[str, Any] = {
        **rates(rate or []),
        **(names(roles) if roles else {}),
        **({"kinds": kinds(kind)} if kind else {}),
        **({"marks_ms": marks} if marks is not None else {}),
        **({"codec": codec} if codec else {}),
        **({"task": task} if task else {}),
        **({"shard_hours": shard_hours} if shard_hours is not None else {}),
        **({"decoded": True} if decoded else {}),
        **augmentation(augment or []),
    }
    selection = Selection.of(split or (), language or (), where or ())
    request = ExportRequest(format=format, preset=for_, values=values, selection=selection, trust=trust)
    n_workers = workers or (0 if engine == "ray" else _N_CORES)
    _run(out, to, request, n_workers, engine, address, verify=verify)


def _run(
    out: str, to: str, request: "ExportRequest", n_workers: int, engine: Any, address: str, *, verify: bool
) -> None:
    from datagen.cli.progress import JobProgress
    from datagen.export.export_job import ExportJob
    from datagen.run.run_job import run_job

    job = ExportJob(out, request)
    with JobProgress(to, job.sample_rate_hz) as progress:
        exported = run_job(job, to, n_workers, progress, engine, address, verify=verify)
    _report(to, exported, request, job.next_step(to))


def _report(to: str, exported: "Exported", request: "ExportRequest", next_step: str) -> None:
    from datagen.export.presets import preset_of
    from datagen.inspect.conversation import NO_AUDIO
    from datagen.terminal import printable

    by_split = ", ".join(f"{split} {n:,}" for split, n in exported.n_conversations.items())
    decoded = exported.identity.convention.decoded
    notice = (
        f", with sound decoded from tokens{NO_AUDIO}" if decoded and not (request.values or {}).get("decoded") else ""
    )
    lines = [
        f"{to}: {sum(exported.n_conversations.values()):,} conversations ({by_split}) for {exported.identity.format}, "
        f"{exported.hours:.2f} hours{notice}",
        *(f"{n:,} {what}" for what, n in exported.counts.items()),
        f"digest {exported.digest}",
        *(f"Assumes:  {each}" for each in (preset_of(request.preset).assumes if request.preset else ())),
        f"Next:  {next_step}",
    ]
    for line in lines:
        typer.echo(printable(line))
