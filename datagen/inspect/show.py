"""A conversation in a terminal: timed utterances in two lanes, and events."""

from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from datagen.clock import samples_to_ms
from datagen.inspect.html import inert
from datagen.inspect.rows import event_name
from datagen.records import Event, Spoken, StoredCall
from datagen.terminal import console

if TYPE_CHECKING:
    from datagen.inspect.conversation import StoredConversation

_PIPED_WIDTH = 120
_STYLES = {"user": "cyan", "assistant": "green"}


def show(talk: "StoredConversation") -> None:
    """Print a conversation, as wide as the terminal."""
    to = console(_PIPED_WIDTH)
    to.print(Text(title(talk), style="bold"))
    table = Table("s", "user", "assistant", "", box=None, header_style="bold", pad_edge=False)
    for column, ratio in zip(table.columns[1:], (5, 5, 3), strict=True):
        column.ratio, column.overflow = ratio, "fold"
    table.expand = True
    for _, start_samples, cells in sorted(_lines(talk), key=itemgetter(1, 0)):
        seconds = samples_to_ms(start_samples, talk.sample_rate_hz) / 1000
        table.add_row(f"{seconds:6.2f}", *cells)
    if talk.system:
        to.print(Text(f"system: {inert(talk.system)}", style="dim"))
    if prompt := talk.streams.voice_prompt:
        to.print(Text(f"voice prompt, {inert(prompt.voice)}: {inert(prompt.text)}", style="dim"))
    to.print(table)
    to.print(Text("[...] was cut and is not heard; ( ) was scripted and did not fit", style="dim"))


def title(talk: "StoredConversation") -> str:
    """One line about a conversation."""
    streams, voices = talk.streams, dict[str, str]()
    for u in streams.utterances:
        voices.setdefault(u.role, u.voice)
    parts = [streams.dialogue_id, streams.split, f"{talk.seconds:.1f} s", streams.language]
    parts += [f"{role}: {voice}" for role, voice in voices.items()]
    mixing = streams.mixing
    if mixing.noise:
        snr = f" at {mixing.snr_db:.0f} dB" if mixing.snr_db is not None else ""
        parts.append(f"noise: {mixing.noise}{snr}")
    if mixing.line:
        parts.append(f"line: {mixing.line}")
    parts.append("with its sound" if talk.has_audio else "no sound kept")
    return ", ".join(map(inert, parts))


def _lines(talk: "StoredConversation") -> Iterator[tuple[int, int, tuple[Text, Text, Text]]]:
    """Order, start in samples, and cells of every line: one per utterance, and per event without one."""
    of_utterance: dict[int, list[str]] = {}
    for event in talk.streams.events:
        if event.utterance >= 0:
            of_utterance.setdefault(event.utterance, []).append(_event(talk, event))
        else:
            yield -1, event.start_samples, (Text(""), Text(""), Text(_event(talk, event), style="yellow"))
    for call in talk.streams.tool_calls:
        for start_samples, text in _called(call):
            yield call.utterance, start_samples, (Text(""), text, Text(""))
    for index, u in enumerate(talk.streams.utterances):
        said = _said(u)
        lanes = (said, Text("")) if u.role == "user" else (Text(""), said)
        if u.style:
            said.append(f" ({inert(u.style.words)})", style="dim")
        yield index, u.start_samples, (*lanes, Text("\n".join(of_utterance.get(index, ())), style="yellow"))


def _called(call: StoredCall) -> Iterator[tuple[int, Text]]:
    """Times and texts of a call and of its result, which nobody hears."""
    yield call.start_samples, Text(f"calls {inert(call.call)}", style="magenta")
    came = "cancelled" if call.cancelled else f"gets {inert(call.result)}"
    yield call.end_samples, Text(came, style="magenta")


def _said(u: Spoken) -> Text:
    """The audible text, its kind before it unless it is a turn, and the cut text after it."""
    text = Text()
    text.append(f"{u.kind}: " if u.kind != "turn" else "", style="dim")
    text.append(inert(u.said), style=_STYLES[u.role])
    if u.unsaid:
        text.append(f"{' ' if u.said else ''}[{inert(u.unsaid)}]", style="dim")
    return text


def _event(talk: "StoredConversation", event: Event) -> str:
    name = event_name(event.kind, event.role if event.utterance < 0 else "user")
    if not event.placed:
        return f"({name})"
    length_ms = samples_to_ms(event.end_samples - event.start_samples, talk.sample_rate_hz)
    return f"{name} {length_ms:.0f} ms"
