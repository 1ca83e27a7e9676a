"""The command group `engines`, and the command `voices` for voice banks."""

from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datagen.cli.app import app

if TYPE_CHECKING:
    from datagen.engines.base import Audio
    from datagen.engines.voices import Verdict

_LOOK_SECONDS = 0.5
_VOICE_COLUMNS = (
    *("voice", "sex", "languages", "recording", "s", "kHz"),
    *("dBFS", "noise dB", "clipped", "transcript", "verdict"),
)

engines = typer.Typer(
    help="List the engines for speech, recognition and tokens, or check one of them.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
app.add_typer(engines, name="engines")


@engines.callback()
def table(ctx: typer.Context) -> None:
    """Show all engines with their state, licences and rates; `datagen engines check NAME` tests one."""
    if ctx.invoked_subcommand:
        return
    from datagen.engines.catalogue import cards
    from datagen.terminal import console
    from datagen.terminal import table as plain

    columns = ("kind", "engine", "state", "what", "licence: code", "weights", "rates", "voices")
    rows = ((k, n, c.state, c.about, c.licence, c.weights, c.rates, c.voices) for k, n, c in cards())
    console().print(plain(columns, rows))
    for name, card in ((n, c) for _, n, c in cards() if c.styles):
        typer.echo(f"Styles that {name} follows: {card.styles}.")
    for name, card in ((n, c) for _, n, c in cards() if c.lineage):
        typer.echo(f"Weights of {name}: {card.lineage}.")
    typer.echo("Your own engines are named as module:Class (docs/engines.md).")


@engines.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An engine from the table, or your own as module:Class.")],
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Kind of engine (tts, speech_tokenizer, ...); needed if the name is ambiguous.",
        ),
    ] = "",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set an option of the engine, as in a recipe."),
    ] = None,
) -> None:
    """Load an engine, check the rules for its kind, and measure its speed."""
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
        fault = f"{name} is {' and '.join(kinds)}" if kinds else f"{name} is not in the table of engines"
        raise RecipeError(f"{fault}; name its kind, for example --kind tts")
    return kinds[0]


def _given(kind: str) -> dict[str, Any]:
    """Arguments in addition to the options that a build passes to engines of a kind."""
    from datagen.recipe.mix_config import RoomConfig

    return {"room": RoomConfig(), "sample_rate_hz": 24_000, "run_seed": 0} if kind == "rooms" else {}


def _options(pairs: list[str]) -> dict[str, Any]:
    from datagen.recipe import set_value

    options: dict[str, Any] = {}
    for pair in pairs:
        set_value(options, pair)
    return options


def _plain_speech(engine: Any) -> "tuple[Audio, int, str] | None":
    """Speech for engines that read it, at their sample rate: a sentence of the embedded voice."""
    from datagen.engines import load
    from datagen.engines.audio import resample
    from datagen.engines.conformance import SAMPLES

    if any(hasattr(engine, name) for name in ("speak", "vocabulary_size", "spoken")):
        return None
    voice = load.tts("hibari", {})
    rate = getattr(engine, "sample_rate_hz", 16_000)
    spoken = voice.speak(SAMPLES["en"], voice.voices[0], 0)
    return resample(spoken.audio, voice.sample_rate_hz, rate), rate, SAMPLES["en"]


def _speed(kind: str, engine: Any, speech: "tuple[Audio, int, str] | None") -> str:
    """Speed of an engine on one sample, using the cores of this process."""
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
        return f"speed: {20 / (perf_counter() - begin):.1f} x real time per channel"
    if kind == "text_tokenizer":
        n_ids = len(engine.encode(SAMPLES["en"] * 1000))
        return f"speed: {n_ids / (perf_counter() - begin) / 1e6:.2f} million ids per second"
    if kind == "normalizer":
        n_turns = 500
        for k in range(n_turns):
            engine.spoken(f"{SAMPLES['en']} {k}, {k}.")
        return f"speed: {n_turns / (perf_counter() - begin):,.0f} turns per second"
    if kind in ("asr", "mos", "vad") and speech:
        audio, rate, _ = speech
        ask = {"asr": lambda: engine.transcribe(audio, "en"), "mos": lambda: engine.score(audio)}
        ask.get(kind, lambda: engine.speech(audio, rate))()
        return f"speed: {len(audio) / rate / (perf_counter() - begin):.1f} x real time"
    rng, n_calls = np.random.default_rng(1), 0
    while perf_counter() - begin < _LOOK_SECONDS:
        engine.take(engine.kinds()[0], rng, 24_000) if kind == "noise" else engine.response(1 + n_calls)
        n_calls += 1
    return f"speed: {n_calls / (perf_counter() - begin):,.0f} per second"


@app.command()
def voices(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="Directory of recordings, or a CSV or TSV file that lists them.")
    ],
    language: Annotated[
        list[str] | None,
        typer.Option("--language", metavar="CODE", help="Language code for speakers without one; can be repeated."),
    ] = None,
    licence: Annotated[
        str, typer.Option("--licence", metavar="NAME", help="Licence for recordings without one.")
    ] = "unknown",
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit", metavar="KEY=VALUE", help="Change a limit, for example min_snr_db=10; can be repeated."
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write the usable voices to this file as a new bank."),
    ] = None,
) -> None:
    """Show each voice of a bank with its best recording, measurements, and a verdict."""
    from datagen.engines.voices import RecordingLimits, survey, write_table
    from datagen.recipe import set_value
    from datagen.terminal import console, table

    given: dict[str, Any] = {}
    for each in limit or []:
        set_value(given, each, "--limit", "min_snr_db=10")
    verdicts = survey(path, RecordingLimits.of(given), language or ("en",), licence)
    console().print(table(_VOICE_COLUMNS, [_voice_cells(verdict) for verdict in verdicts]))
    good = [verdict for verdict in verdicts if not verdict.faults]
    typer.echo(
        f"{len(good)} of {len(verdicts)} voices are usable. SNR is an estimate. "
        "The number of speakers in a recording is not checked: listen to it."
    )
    if to:
        write_table(to, good)
        typer.echo(f"{to}: {len(good)} voices")
    if len(good) < len(verdicts):
        raise typer.Exit(1)


def _voice_cells(verdict: "Verdict") -> list[str]:
    voice, found = verdict.voice, verdict.measures
    numbers = [""] * 5
    if found:
        numbers = [
            f"{found.seconds:.1f}",
            f"{found.rate_hz / 1000:g}",
            f"{found.level_dbfs:.0f}",
            f"{found.snr_db:.0f}",
            f"{found.clipped_share:.2%}",
        ]
    known = "yes" if verdict.transcript else "no"
    said = "; ".join(verdict.faults) or "good"
    return [voice.name, voice.sex, " ".join(voice.languages), voice.source, *numbers, known, said]
