"""Who holds the floor: turns with their offsets, silences and hesitations.

Hesitations are drawn by rule here or come from the marks of the dialogue (`marked`), barge-ins from `interrupt` or
from marks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from datagen.behaviours import Timing, Tokens
from datagen.phrases import Unit, count_words, joined, units
from datagen.records import BargeIn, Role, Utterance
from datagen.scripting.draws import Draws


@dataclass(frozen=True)
class Part:
    """What is known of one turn when its script is written."""

    index: int
    role: Role
    text: str
    spoken: str
    correction: tuple[int, int] | None = None
    """Where in `spoken` a value is replaced; see `correct`."""


@dataclass(frozen=True)
class Setting:
    """What is the same for all turns of a dialogue."""

    language: str
    timing: Timing
    tokens: Tokens | None
    """Words for all that the dialogue does not hold; none: nothing that needs them happens."""
    voices: dict[Role, str]
    draws: Draws


@dataclass(frozen=True)
class Piece:
    """An utterance that holds the floor, and where its text lies in that of the turn."""

    utterance: Utterance
    first: int = 0
    """Place in the turn's text, in characters, of which the piece begins."""
    n_again: int = 0
    """Characters at its beginning that were said before."""


@dataclass(frozen=True)
class Pause:
    """A hesitation inside a turn."""

    n_before: int
    """Units of the turn that are said before it."""
    pause_samples: int
    """Silence; with a filler, after the filler."""
    filler: str = ""
    filler_delay_samples: int = 0
    n_again: int = 0
    """Units before it that are said again after it."""


def pieces_of(
    part: Part, setting: Setting, barge_in: BargeIn | None, pauses: Sequence[Pause], holds_floor: bool = False
) -> list[Piece]:
    """The pieces of a turn in order, with all that comes between the turn before and its own first words.

    Args:
        part: The turn.
        setting: Distributions, words, voices and chance.
        barge_in: How it interrupts the turn before, if it does.
        pauses: Hesitations inside it, by place.
        holds_floor: True if its speaker has just asked the other to stop: it follows after a pause.
    """
    timing, tokens, voices, draws = setting.timing, setting.tokens, setting.voices, setting.draws
    k, role = part.index, part.role
    fto = timing.lead_in if k == 0 else timing.assistant_fto if role == "assistant" else timing.user_fto
    offset = draws.length(timing.barge_in.pause, k, "pause") if holds_floor else draws.samples(fto, k, "offset")
    silent = draws.happens(timing.silence.probability, k, "silence") and not (barge_in or holds_floor)
    whole = Utterance(role, part.text, part.spoken, voices[role], offset, barge_in, turn=k, correction=part.correction)
    before: list[Piece] = []
    if role == "user" and k > 0 and silent:
        silence = draws.length(timing.silence.silence, k, "silence_length")
        if tokens and draws.happens(timing.silence.prompt_probability, k, "prompt"):
            words = draws.pick(tokens.prompts, k, "prompt_words")
            prompt = Utterance("assistant", "", words, voices["assistant"], silence, kind="insert", turn=k)
            before = [Piece(replace(prompt, event="prompt"))]
        else:
            whole = replace(whole, offset_samples=silence, event="user_silent")
    return before + broken(whole, pauses)


def drawn_pauses(part: Part, setting: Setting) -> list[Pause]:
    """A pause in the user's turn if a hesitation is drawn; with a filler or a restart if those are."""
    rule, tokens, draws = setting.timing.hesitation, setting.tokens, setting.draws
    k = part.index
    if part.role != "user" or part.correction or count_words(part.spoken) < rule.min_words:
        return []
    if not draws.happens(rule.probability, k, "hesitation"):
        return []
    n_units = len(units(part.spoken))
    n_before = 2 + int(draws.uniform(k, "hesitation_at") * (n_units - 2))  # at least two units before, one after
    n_again = 0
    if draws.happens(rule.restart_probability, k, "restart"):
        n_again = 1 + int(draws.uniform(k, "restart_words") * min(rule.restart_words, n_before))
    filler = ""
    if tokens and draws.happens(rule.filler_probability, k, "filler"):
        filler = draws.pick(tokens.fillers, k, "filler_words")
    delay = draws.length(rule.filler_delay, k, "filler_delay") if filler else 0
    return [Pause(n_before, draws.length(rule.pause, k, "hesitation_pause"), filler, delay, n_again)]


def broken(whole: Utterance, pauses: Sequence[Pause]) -> list[Piece]:
    """A turn, cut into pieces by pauses.

    Before its first word, a filler opens the turn, and silence alone only makes it start later.

    >>> turn = Utterance("user", "I think so", "I think so", "v", 0)
    >>> [piece.utterance.spoken for piece in broken(turn, [Pause(0, 9, "um"), Pause(1, 9, "", 0, 1)])]
    ['um', 'I', 'I think so']
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
            filler = replace(goes_on, text="", spoken=pause.filler, kind="filler")
            found.append(Piece(filler, spots[first].start))
        goes_on = replace(goes_on, barge_in=None, event="hesitation", offset_samples=pause.pause_samples)
    return [*found, _piece(goes_on, spots, first, len(spots), n_again)]


def _piece(whole: Utterance, spots: Sequence[Unit], first: int, stop: int, n_again: int) -> Piece:
    """The units of a turn from `first` to before `stop`, after those that are said again."""
    text = whole.spoken
    begin = spots[first].start if first else 0
    said = text[begin : spots[stop - 1].end if stop < len(spots) else len(text)]
    again = text[spots[first - n_again].start : spots[first - 1].end] if n_again else ""
    resumed = joined(again, said)
    return Piece(replace(whole, spoken=resumed), begin, len(resumed) - len(said))
