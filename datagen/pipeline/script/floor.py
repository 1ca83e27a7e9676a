"""The floor: turns with their offsets, silences and hesitations.

Hesitations are drawn here by rule or come from the marks of the dialogue (`marked`). Barge-ins come
from `interrupt` or from marks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from datagen.pipeline.draws import Draws
from datagen.recipe.timing_config import TimingConfig, TokensConfig
from datagen.records import BargeIn, PartOf, Role, Style, ToolCall, Utterance
from datagen.text.phrases import HAN, Unit, count_words, joined, units
from datagen.text.references import content, reacts_to_all

_ENDS = tuple(",.?!;:，。？！；：、…—–-")
"""The end of a unit that ends a clause, before closing quotes and brackets."""
_SENTENCE_ENDS = tuple(".?!。？！…")
_CLOSING = "\"'”’)]"
_BEFORE_CONTENT, _INSIDE_CLAUSE, _CLAUSE_END = 4.0, 1.0, 0.5
"""Relative weights of places; ours."""
_HAN_WORDS = frozenset("的是我你您他她们和跟把让从在")
"""Characters that are nearly always words or their ends.

After others, a pause might fall inside a Chinese word.
"""
_HAN_GOES_ON = frozenset("们话否的了吗呢吧啊呀嘛过着得地爸妈")
"""Characters that make a longer word with one of those before them."""
_LEAST_BEFORE = 2
"""Fewest units before a pause."""


@dataclass(frozen=True)
class TurnPlan:
    """Facts about one turn while its script is made."""

    index: int
    role: Role
    text: str
    spoken: str
    correction: tuple[int, int] | None = None
    """Place in `spoken` of a replaced value; see `correct`."""
    calls: tuple[ToolCall, ...] = ()
    """Calls of tools before `spoken`, with normalized words before each."""
    style: Style | None = None


@dataclass(frozen=True)
class Setting:
    """Facts common to all turns of a dialogue."""

    language: str
    timing: TimingConfig
    tokens: TokensConfig | None
    """Words that are not in the dialogue; without them, events that need them do not occur."""
    voices: dict[Role, str]
    draws: Draws


@dataclass(frozen=True)
class Piece:
    """An utterance that holds the floor, and where its text lies in that of the turn."""

    utterance: Utterance
    first: int = 0
    """Place in the turn's text, in characters, of which the piece begins."""
    n_again: int = 0
    """Repeated characters at its beginning."""


@dataclass(frozen=True)
class Pause:
    """A hesitation inside a turn."""

    n_before: int
    """Number of units of the turn before it."""
    pause_samples: int
    """Silence; with a filler, after the filler."""
    filler: str = ""
    filler_delay_samples: int = 0
    n_again: int = 0
    """Number of units before it that are repeated after it."""


def pieces_of(
    part: TurnPlan, setting: Setting, barge_in: BargeIn | None, pauses: Sequence[Pause], holds_floor: bool = False
) -> list[Piece]:
    """The pieces of a turn in order, and everything between the preceding turn and its first words.

    Args:
        part: The turn.
        setting: Distributions, words, voices and random draws.
        barge_in: Its barge-in into the preceding turn, if any.
        pauses: Hesitations inside it, by place.
        holds_floor: True if its speaker has just asked the other to stop, so that it follows a
            pause.
    """
    timing, tokens, voices, draws = setting.timing, setting.tokens, setting.voices, setting.draws
    k, role = part.index, part.role
    fto = timing.lead_in if k == 0 else timing.assistant_fto if role == "assistant" else timing.user_fto
    offset = draws.length(timing.barge_in.pause, k, "pause") if holds_floor else draws.samples(fto, k, "offset")
    silent = draws.happens(timing.silence.probability, k, "silence") and not (barge_in or holds_floor)
    whole = Utterance(
        role,
        part.text,
        part.spoken,
        voices[role],
        offset,
        barge_in,
        turn=k,
        correction=part.correction,
        style=part.style,
    )
    before: list[Piece] = []
    if role == "user" and k > 0 and silent:
        silence = draws.length(timing.silence.silence, k, "silence_length")
        prompted = draws.happens(timing.silence.prompt_probability, k, "prompt")
        if tokens and prompted and not reacts_to_all(part.spoken, setting.language):  # or it would answer the prompt
            words = draws.pick(tokens.prompts, k, "prompt_words")
            prompt = Utterance("assistant", "", words, voices["assistant"], silence, kind="insert", turn=k)
            before = [Piece(replace(prompt, event="prompt"))]
        else:
            whole = replace(whole, offset_samples=silence, event="user_silent")
    return before + broken(whole, pauses)


def drawn_pauses(part: TurnPlan, setting: Setting) -> list[Pause]:
    """A pause in a user turn if a hesitation is drawn, with a filler or a restart if drawn."""
    rule, tokens, draws = setting.timing.hesitation, setting.tokens, setting.draws
    k = part.index
    if part.role != "user" or part.correction or count_words(part.spoken) < rule.min_words:
        return []
    if not draws.happens(rule.probability, k, "hesitation"):
        return []
    places = pause_places(part.spoken, setting.language)
    if not places:
        return []
    n_before = int(draws.pick({str(n): weight for n, weight in places.items()}, k, "hesitation_at"))
    most_again = min(rule.restart_words, n_repeatable(part.spoken, n_before))
    n_again = 0
    if most_again and draws.happens(rule.restart_probability, k, "restart"):
        n_again = 1 + int(draws.uniform(k, "restart_words") * most_again)
    filler = ""
    if tokens and draws.happens(rule.filler_probability, k, "filler"):
        filler = draws.pick(tokens.fillers, k, "filler_words")
    delay = draws.length(rule.filler_delay, k, "filler_delay") if filler else 0
    return [Pause(n_before, draws.length(rule.pause, k, "hesitation_pause"), filler, delay, n_again)]


def pause_places(spoken: str, language: str) -> dict[int, float]:
    """Places for a hesitation in a turn and their weights; never at the end of a sentence.

    Args:
        spoken: Verbalized text.
        language: ISO 639-1 code.

    Returns:
        Weights by the number of units before the place, in order; empty if there is none.

    >>> pause_places("Well, I want a house. Is it far?", "en")
    {2: 1.0, 3: 1.0, 4: 4.0, 6: 1.0, 7: 4.0}
    >>> pause_places("我们在公园和小李见面。", "zh")
    {2: 1.0, 3: 4.0, 6: 4.0}
    """
    spots = units(spoken)
    begins = {start for _, start, _ in content(spoken, language)}
    found = {}
    for n_before in range(_LEAST_BEFORE, len(spots)):
        said = spoken[spots[n_before - 1].start : spots[n_before - 1].end]
        bare = said.rstrip(_CLOSING)
        place = spots[n_before].start
        if bare.endswith(_SENTENCE_ENDS) or not any(map(str.isalnum, spoken[place : spots[n_before].end])):
            continue
        if bare.endswith(_ENDS):
            found[n_before] = _CLAUSE_END
        elif not re.match(f"[{HAN}]", said) or (said in _HAN_WORDS and spoken[place] not in _HAN_GOES_ON):
            found[n_before] = _BEFORE_CONTENT if place in begins else _INSIDE_CLAUSE
    return found


def n_repeatable(spoken: str, n_before: int) -> int:
    """Number of units before a place that can be repeated after it: those since the last punctuation.

    None in Chinese, because the beginning of the word is unknown.

    >>> n_repeatable("Well, I want a house.", 4), n_repeatable("Well, I want a house.", 1), n_repeatable("我在家", 2)
    (3, 0, 0)
    """
    n = 0
    for spot in reversed(units(spoken)[:n_before]):
        if spoken[spot.start : spot.end].rstrip(_CLOSING).endswith(_ENDS) or re.match(f"[{HAN}]", spoken[spot.start]):
            break
        n += 1
    return n


def broken(whole: Utterance, pauses: Sequence[Pause]) -> list[Piece]:
    """A turn, cut into pieces by pauses. Its words share one take; each filler has its own take.

    Before the first word, a filler opens the turn, and silence alone only delays its start.

    >>> turn = Utterance("user", "I think so", "I think so", "v", 0)
    >>> pieces = broken(turn, [Pause(0, 9, "um"), Pause(1, 9, "", 0, 1)])
    >>> [piece.utterance.spoken for piece in pieces]
    ['um', 'I', 'I think so']
    >>> pieces[2].utterance.part_of
    PartOf(text='I I think so', first=2, last=12)
    """
    spots, found = units(whole.spoken), list[Piece]()
    goes_on, first, n_again = whole, 0, 0
    for pause in pauses:
        if not pause.n_before and not pause.filler:
            goes_on = replace(goes_on, offset_samples=goes_on.offset_samples + pause.pause_samples)
            continue
        if pause.n_before:
            found.append(_piece(goes_on, spots, first, pause.n_before, n_again))
            goes_on = replace(goes_on, text="", barge_in=None, event="", offset_samples=pause.filler_delay_samples)
        first, n_again = pause.n_before, pause.n_again
        if pause.filler:
            filler = replace(goes_on, text="", spoken=pause.filler, kind="filler", style=None)
            found.append(Piece(filler, spots[first].start))
        goes_on = replace(goes_on, barge_in=None, event="hesitation", offset_samples=pause.pause_samples)
    return _in_one_take([*found, _piece(goes_on, spots, first, len(spots), n_again)], whole.spoken)


def _piece(whole: Utterance, spots: Sequence[Unit], first: int, stop: int, n_again: int) -> Piece:
    """The units [first, stop) of a turn, preceded by the repeated ones."""
    begin, again = (spots[place].start if place else 0 for place in (first, first - n_again))
    end = spots[stop - 1].end if stop < len(spots) else len(whole.spoken)
    return Piece(replace(whole, spoken=whole.spoken[again:end]), begin, begin - again)


def _in_one_take(pieces: Sequence[Piece], spoken: str) -> list[Piece]:
    """Pieces of a turn as parts of one take, if there are several.

    Without a restart, it is the take of the whole turn.
    """
    text, said, places = "", 0, dict[int, int]()
    for k, piece in enumerate(pieces):
        if piece.utterance.kind == "turn":
            again = piece.utterance.spoken
            text = joined(text, again) if piece.n_again else text + spoken[said : piece.first] + again
            places[k], said = len(text) - len(again), piece.first + len(again) - piece.n_again
    if len(places) < 2:
        return list(pieces)
    found = list(pieces)
    for k, first in places.items():
        part_of = PartOf(text, first, first + len(found[k].utterance.spoken))
        found[k] = replace(found[k], utterance=replace(found[k].utterance, part_of=part_of))
    return found
