"""The group engines: a table of what there is, and a check of one."""

from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datagen.cli.app import app

if TYPE_CHECKING:
    from datagen.engines.base import Audio

_LOOK_SECONDS = 0.5

engines = typer.Typer(
    help="What speaks, hears and encodes: all engines, or a check of one.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
app.add_typer(engines, name="engines")


@engines.callback()
def table(ctx: typer.Context) -> None:
    """Show all engines: what is installed, licences, rates; `datagen engines check NAME` loads one."""
    if ctx.invoked_subcommand:
        return
    from datagen.engines.catalogue import cards
    from datagen.terminal import console
    from datagen.terminal import table as plain

    columns = ("kind", "engine", "state", "what", "licence: code", "weights", "rates", "voices")
    rows = ((k, n, c.state, c.about, c.licence, c.weights, c.rates, c.voices) for k, n, c in cards())
    console().print(plain(columns, rows))
    typer.echo("An engine of your own is named module:Class (docs/engines.md).")


@engines.command()
def check(
    name: Annotated[str, typer.Argument(help="An engine of the table, or module:Class of your own.")],
    kind: Annotated[str, typer.Option("--kind", help="tts, speech_tokenizer, ...; needed where a name has two.")] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An option of the engine, as in a recipe.")
    ] = None,
) -> None:
    """Load an engine, ask it all that every engine must do, and measure its speed."""
    from datagen.engines import load
    from datagen.engines.conformance import check as ask
    from datagen.terminal import console

    kind = kind or _kind(name)
    begin = perf_counter()
    engine = load.load(kind, name, _given(kind) | _options(set_ or []))
    info = engine.info
    typer.echo(f"{kind} {info.name} {info.version}, {info.licence}, loaded in {perf_counter() - begin:.1f} s")
    failed, out = 0, console()
    speech = _plain_speech(engine)
    for finding in ask(kind, engine, speech):
        failed += not finding.holds
        out.print(f"{'ok  ' if finding.holds else 'FAIL'}  {finding.law}  [dim]{_escaped(finding.seen)}[/dim]")
    if failed:
        typer.echo(f"verdict: {failed} {'law' if failed == 1 else 'laws'} broken; do not use it in a build")
        raise typer.Exit(1)
    typer.echo(_speed(kind, engine, speech))
    typer.echo("verdict: usable")


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _kind(name: str) -> str:
    from datagen.engines.catalogue import kind_of
    from datagen.errors import RecipeError

    kinds = kind_of(name)
    if len(kinds) != 1:
        fault = f"{name} is {' and '.join(kinds)}" if kinds else f"{name} is in no table"
        raise RecipeError(f"{fault}; say which kind of engine it is: --kind tts")
    return kinds[0]


def _given(kind: str) -> dict[str, Any]:
    """What a build gives engines of a kind beside their options."""
    from datagen.recipe.mix_config import RoomConfig

    return {"room": RoomConfig(), "sample_rate_hz": 24_000, "run_seed": 0} if kind == "rooms" else {}


def _options(pairs: list[str]) -> dict[str, Any]:
    from datagen.recipe import set_value

    options: dict[str, Any] = {}
    for pair in pairs:
        set_value(options, pair)
    return options


def _plain_speech(engine: Any) -> "tuple[Audio, int, str] | None":
    """The embedded voice, for engines that listen, at their rate."""
    from datagen.engines import load
    from datagen.engines.audio import resample
    from datagen.engines.conformance import SAMPLES

    if hasattr(engine, "speak") or hasattr(engine, "vocabulary_size"):
        return None
    voice = load.tts("hibari", {})
    rate = getattr(engine, "sample_rate_hz", 16_000)
    spoken = voice.speak(SAMPLES["en"], voice.voices[0], 0)
    return resample(spoken.audio, voice.sample_rate_hz, rate), rate, SAMPLES["en"]


def _speed(kind: str, engine: Any, speech: "tuple[Audio, int, str] | None") -> str:
    """How fast an engine is at its work, on one sample and what this process has of the machine."""
    import numpy as np

    from datagen.engines.conformance import SAMPLES

    begin = perf_counter()
    if kind == "tts":
        texts = [SAMPLES.get(engine.about(engine.voices[0]).languages[0], SAMPLES["en"])] * 5
        n_samples = sum(len(engine.speak(text, engine.voices[0], k).audio) for k, text in enumerate(texts))
        return (
            f"speed: {n_samples / engine.sample_rate_hz / (perf_counter() - begin):.1f} x real time, one call at a time"
        )
    if kind == "speech_tokenizer":
        audio = np.random.default_rng(1).normal(0, 2000, 20 * engine.sample_rate_hz).astype(np.int16)
        engine.encode(audio)
        return f"speed: {20 / (perf_counter() - begin):.1f} x real time a channel"
    if kind == "text_tokenizer":
        n_ids = len(engine.encode(SAMPLES["en"] * 1000))
        return f"speed: {n_ids / (perf_counter() - begin) / 1e6:.2f} million ids a second"
    if kind in ("asr", "mos", "vad") and speech:
        audio, rate, _ = speech
        ask = {"asr": lambda: engine.transcribe(audio, "en"), "mos": lambda: engine.score(audio)}
        ask.get(kind, lambda: engine.speech(audio, rate))()
        return f"speed: {len(audio) / rate / (perf_counter() - begin):.1f} x real time"
    rng, n_calls = np.random.default_rng(1), 0
    while perf_counter() - begin < _LOOK_SECONDS:
        engine.take(engine.kinds()[0], rng, 24_000) if kind == "noise" else engine.response(1 + n_calls)
        n_calls += 1
    return f"speed: {n_calls / (perf_counter() - begin):,.0f} a second"
