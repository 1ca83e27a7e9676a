"""Commands that make and check shards: build, flatten, encode, merge, check, status."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datagen.cli.app import MANY_WORKERS, Address, Engine, Finished, Json, Limit, Trust, app, refuse_address

if TYPE_CHECKING:
    from datagen.recipe import Recipe

_N_CORES = os.cpu_count() or 1
_Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        max=MANY_WORKERS,
        help="Number of workers; by default one per core, or as many as fit on a Ray cluster.",
    ),
]
_Processes = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=1, max=MANY_WORKERS, help="Number of processes; by default one per core."
    ),
]
_Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe.")]


@app.command()
def build(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE", help="A recipe file, or the name of a shipped recipe (see `datagen recipes`)."
        ),
    ],
    input: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="PATH", help="File, directory, URL or hf:NAME to read; can be repeated."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="OUT", help="Output directory or URL (docs/stores.md); by default out/RECIPE."),
    ] = None,
    workers: _Workers = None,
    engine: Engine = "local",
    address: Address = "local",
    limit: Limit = None,
    takes: Annotated[
        list[str] | None,
        typer.Option("--takes", metavar="OUT", help="Reuse the speech of this build, which had takes.keep=true."),
    ] = None,
    set_: _Set = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the hashes of finished units' files before resuming a build.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Stop before the first speech: probe all resources, print what would be done."),
    ] = False,
    trust: Trust = False,
) -> None:
    """Turn dialogues into training shards. Run it again to continue an interrupted build."""
    from datagen.run.machine import loading

    with loading():
        from datagen import recipe as recipes
        from datagen.cli.progress import JobProgress
        from datagen.run.build import build as run
        from datagen.run.spare import spares
        from datagen.run.supervise import serve
        from datagen.run.worker import warm_up

    refuse_address(address, engine)
    overrides = _overrides(set_, input, limit, takes)
    if not trust:
        refuse_code_of_a_data_set(recipe, overrides)
    values = recipes.load(recipe, overrides)
    target = out or str(Path("out") / values.name)
    if dry_run:
        _print_dry_run(values, target, address if engine == "ray" else None)
        return
    n_workers = workers or (0 if engine == "ray" else _N_CORES)
    if engine == "local":
        with loading():
            warm_up(values)
    with spares(n_workers if engine == "local" else 0, serve), JobProgress(target) as progress:
        manifest = run(values, target, n_workers, progress, engine, address, verify=verify)
    progress.built(manifest)


def _print_dry_run(recipe: "Recipe", out: str, address: str | None) -> None:
    from datagen.run.preflight import dry_run
    from datagen.terminal import printable

    found = dry_run(recipe, out, address)
    for line in found.notices:
        typer.echo(printable(line))
    typer.echo(f"{printable(out)}: {found.line}\n{found.cost}\nNo fault was found; nothing was written.")


def refuse_code_of_a_data_set(recipe: str, overrides: Sequence[str]) -> None:
    """Refuse what a recipe would run and read if it lies in somebody's build: it came with the data.

    Raises:
        TrustError: If it names code or a place to read; says what would happen.
    """
    from datagen.engines.trust import refuse_untrusted_recipe
    from datagen.recipe import read_text, set_value, values_of
    from datagen.recipe.in_data_set import in_data_set

    if not in_data_set(recipe):
        return
    values = values_of(read_text(recipe), recipe)  # before it is validated, which would read its profile
    for override in overrides:
        set_value(values, override)
    refuse_untrusted_recipe(values, recipe, [override.partition("=")[0].strip() for override in overrides])


def _overrides(
    set_: list[str] | None, paths: list[str] | None, limit: int | None, takes: list[str] | None
) -> tuple[str, ...]:
    import json

    chosen = list(set_ or ())
    if paths:
        chosen.append(f"input.paths={json.dumps(paths)}")
    if limit is not None:
        chosen.append(f"input.limit={limit}")
    if takes:
        chosen.append(f"takes.reuse={json.dumps(takes)}")
    return tuple(chosen)


@app.command()
def flatten(
    source: Finished,
    out: Annotated[str, typer.Option("--out", metavar="OUT", help="Directory or URL for the new shards.")],
    chunk: Annotated[
        str | None,
        typer.Option("--chunk", metavar="SPEECH/TEXT", help="Speech and text tokens per chunk, for example 5/1."),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", metavar="TASK", help="Make only this task; can be repeated.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens", metavar="N", min=64, max=1 << 24, help="Maximum number of tokens in a dialogue row."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of `flatten`, for example half_duplex=heard."),
    ] = None,
    workers: _Processes = None,
) -> None:
    """Make new shards from the conversations of a build, without synthesizing speech again."""
    from datagen.cli.progress import JobProgress
    from datagen.recipe import set_value
    from datagen.run.reflatten import reflatten

    changes: dict[str, object] = {}
    if chunk is not None:
        speech, slash, text = chunk.partition("/")
        if not slash or not speech.isdecimal() or not text.isdecimal():
            raise typer.BadParameter("use the form SPEECH/TEXT, for example 5/1", param_hint="--chunk")
        changes |= {"speech_chunk_tokens": int(speech), "text_chunk_tokens": int(text)}
    if task:
        changes["tasks"] = task
    if max_tokens is not None:
        changes["max_tokens"] = max_tokens
    for setting in set_ or ():
        set_value(changes, setting, example="half_duplex=heard")
    with JobProgress(out) as progress:
        manifest = reflatten(source, out, changes, workers or _N_CORES, progress)
    progress.built(manifest)


@app.command()
def encode(
    source: Finished,
    tokenizer: Annotated[
        str, typer.Option("--engine", metavar="NAME", help="Speech tokenizer, such as mimi (see `datagen engines`).")
    ],
    out: Annotated[str, typer.Option("--out", metavar="OUT", help="Directory or URL for the new build.")],
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="KEY=VALUE", help="Set an option of the tokenizer, for example n_codebooks=16."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of `flatten`, for example tasks=[parallel]."),
    ] = None,
    keep_audio: Annotated[
        bool, typer.Option("--keep-audio", help="Keep the audio in the new build too, not only in its source.")
    ] = False,
    workers: _Workers = None,
    ray: Annotated[bool, typer.Option("--ray", help="Run on a Ray cluster instead of this machine.")] = False,
    address: Address = "local",
    per_gpu: Annotated[
        int,
        typer.Option(
            "--per-gpu", metavar="N", min=0, max=MANY_WORKERS, help="Ray: workers that share a GPU; 0: none needs one."
        ),
    ] = 0,
) -> None:
    """Encode the kept audio of a build with another codec, without synthesizing speech again."""
    from datagen.cli.progress import JobProgress
    from datagen.recipe import set_value
    from datagen.run.reencode import reencode

    runs_on: Engine = "ray" if ray else "local"
    refuse_address(address, runs_on, "--ray")
    options: dict[str, object] = {}
    changes: dict[str, object] = {}
    for setting in option or ():
        set_value(options, setting, "--option", "n_codebooks=16")
    for setting in set_ or ():
        set_value(changes, setting, example="tasks=[parallel]")
    with JobProgress(out) as progress:
        n_workers = workers or (0 if ray else _N_CORES)
        manifest = reencode(
            source, out, tokenizer, options, changes, n_workers, progress, runs_on, address,
            keep_audio=keep_audio, gpus=1 / per_gpu if per_gpu else 0,
        )  # fmt: skip
    progress.built(manifest)


@app.command()
def merge(
    sources: Annotated[list[str], typer.Argument(metavar="OUT...", help="Finished builds with equal vocabularies.")],
    out: Annotated[str, typer.Option("--out", metavar="OUT", help="Directory or URL for the merged build.")],
    workers: _Processes = None,
) -> None:
    """Merge finished builds into one, for example recorded and synthetic conversations."""
    from datagen.cli.progress import print_summary
    from datagen.run.merge import merge as run

    print_summary(run(sources, out, workers or _N_CORES), out)


@app.command()
def check(
    out: Finished,
    conversations: Annotated[
        str | None, typer.Option("--conversations", metavar="OUT", help="The build from which OUT was flattened.")
    ] = None,
) -> None:
    """Check a build or an export against its manifest and its format. Exits with status 1 on a fault."""
    from datagen.cli.bar import Bar
    from datagen.run.check import check as run
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store

    store = open_store(out)
    if store.exists("export.json"):
        _check_export(out)
        return
    with Bar(f"check {out}") as bar:
        manifest = Manifest.load(store)
        tell = bar.part("units", manifest.n_units, manifest.hours)
        report = run(store, open_store(conversations) if conversations else None, tell)
    _end_check(out, report.faults)
    typer.echo(f"{out}: {report.n_files} files, {report.n_rows} rows, no faults\ndigest {report.digest}")


def _check_export(out: str) -> None:
    from datagen.cli.bar import Bar
    from datagen.export.export_check import check_export
    from datagen.export.export_identity import Exported
    from datagen.shards.store import open_store

    store = open_store(out)
    with Bar(f"check {out}") as bar:
        exported = Exported.load(store)
        report = check_export(store, bar.part("units", exported.n_units, exported.hours))
    _end_check(out, report.faults)
    typer.echo(f"{out}: {report.n_files} files, no faults\ndigest {report.digest}")


def _end_check(out: str, faults: Sequence[str]) -> None:
    """Print the faults; exit with status 1 if there are any."""
    from datagen.terminal import counted, printable

    for fault in faults:
        typer.echo(printable(fault), err=True)
    if faults:
        typer.echo(f"{out}: {counted(len(faults), 'fault')}", err=True)
        raise typer.Exit(1)


@app.command()
def status(
    out: Annotated[str, typer.Argument(metavar="OUT", help="Output of a running, interrupted or finished build.")],
    as_json: Json = False,
) -> None:
    """Report the progress of a build: units, hours, rejects, recent speed, remaining work."""
    from datagen.cli.progress import print_status
    from datagen.export.export_identity import progress
    from datagen.run.status import status as run
    from datagen.shards.store import open_store

    store = open_store(out)
    if (units := progress(store)) is not None:
        _print_export(out, *units, as_json=as_json)
        return
    found = run(store)
    if as_json:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps(asdict(found)))
    else:
        print_status(found)


def _print_export(out: str, n_done: int, n_units: int, *, as_json: bool) -> None:
    """Progress of an export."""
    from datagen.terminal import print_json, printable

    if as_json:
        print_json({"url": out, "n_units": n_units, "n_units_done": n_done})
        return
    finished = "finished" if n_done == n_units else "unfinished: the same command continues it"
    typer.echo(printable(f"{out}: an export, {n_done} of {n_units} units done; {finished}"))
