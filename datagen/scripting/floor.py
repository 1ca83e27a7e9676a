"""Who holds the floor: turns with their offsets, barge-ins, silences and hesitations."""

from dataclasses import dataclass, replace

from datagen.behaviours import Timing, Tokens
from datagen.phrases import count_words, joined, units
from datagen.records import BargeIn, Role, Utterance
from datagen.scripting.draws import Draws


@dataclass(frozen=True)
class Part:
    """What is known of one turn when its script is written."""

    index: int
    role: Role
    text: str
    spoken: str
    before: str
    """What the other's turn before it says; empty if it is the first."""


@dataclass(frozen=True)
class Setting:
    """What is the same for all turns of a dialogue."""

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


def floor_of(part: Part, setting: Setting) -> list[Piece]:
    """The pieces of a turn in order, with all that comes between the turn before and its own first words."""
    timing, tokens, voices, draws = setting.timing, setting.tokens, setting.voices, setting.draws
    k, role = part.index, part.role
    fto = timing.lead_in if k == 0 else timing.assistant_fto if role == "assistant" else timing.user_fto
    whole = Utterance(role, part.text, part.spoken, voices[role], draws.samples(fto, k, "offset"), turn=k)
    whole = replace(whole, barge_in=_barge_in(part, setting))
    before: list[Piece] = []
    if role == "user" and k > 0:
        if whole.barge_in and tokens and draws.happens(timing.barge_in.correction_probability, k, "correction"):
            opener = draws.pick(tokens.corrections, k, "correction_words")
            before = [Piece(replace(whole, text="", spoken=opener, event="correction"))]
            pause = draws.length(timing.barge_in.correction_pause, k, "correction_pause")
            whole = replace(whole, barge_in=None, offset_samples=pause)
        elif not whole.barge_in and draws.happens(timing.silence.probability, k, "silence"):
            silence = draws.length(timing.silence.silence, k, "silence_length")
            if tokens and draws.happens(timing.silence.prompt_probability, k, "prompt"):
                words = draws.pick(tokens.prompts, k, "prompt_words")
                voice = voices["assistant"]
                before = [Piece(Utterance("assistant", "", words, voice, silence, turn=k, event="prompt"))]
            else:
                whole = replace(whole, offset_samples=silence, event="user_silent")
    return before + (_hesitate(whole, setting) if role == "user" else [Piece(whole)])


def _barge_in(part: Part, setting: Setting) -> BargeIn | None:
    """How the turn interrupts the one before, if it does."""
    timing, draws = setting.timing, setting.draws
    k = part.index
    if k > 0 and part.role == "user":
        rule = timing.barge_in
        if not draws.happens(rule.probability, k, "barge_in") or count_words(part.before) < rule.min_words:
            return None
        competes = draws.happens(rule.competition_probability, k, "competition")
        yielding = (rule.competition, "competition_length") if competes else (rule.reaction, "reaction")
        return BargeIn(
            at=draws.value(rule.at, k, "barge_in_at"),
            reaction_samples=draws.length(yielding[0], k, yielding[1]),
            finish_word=draws.happens(rule.finish_word_probability, k, "finish_word"),
            competition=competes,
        )
    cut_in = timing.assistant_barge_in
    happens = k > 0 and draws.happens(cut_in.probability, k, "assistant_barge_in")
    if happens and count_words(part.before) >= cut_in.min_words:
        return BargeIn(
            at=draws.value(cut_in.at, k, "assistant_barge_in_at"),
            reaction_samples=draws.length(cut_in.reaction, k, "user_reaction"),
        )
    return None


def _hesitate(whole: Utterance, setting: Setting) -> list[Piece]:
    """The user's turn, cut in two by a pause if a hesitation is drawn; with a filler or a restart if those are."""
    rule, tokens, draws = setting.timing.hesitation, setting.tokens, setting.draws
    k, places = whole.turn, units(whole.spoken)
    if count_words(whole.spoken) < rule.min_words or not draws.happens(rule.probability, k, "hesitation"):
        return [Piece(whole)]
    last = 1 + int(draws.uniform(k, "hesitation_at") * (len(places) - 2))  # at least two units before, one after
    rest = places[last + 1].start
    again = ""
    if draws.happens(rule.restart_probability, k, "restart"):
        n_again = 1 + int(draws.uniform(k, "restart_words") * min(rule.restart_words, last + 1))
        again = whole.spoken[places[last + 1 - n_again].start : places[last].end]
    resumed = joined(again, whole.spoken[rest:])
    goes_on = replace(whole, text="", barge_in=None, spoken=resumed, event="hesitation")
    goes_on = replace(goes_on, offset_samples=draws.length(rule.pause, k, "hesitation_pause"))
    pieces = [Piece(replace(whole, spoken=whole.spoken[: places[last].end]))]
    if tokens and draws.happens(rule.filler_probability, k, "filler"):
        delay = draws.length(rule.filler_delay, k, "filler_delay")
        words = draws.pick(tokens.fillers, k, "filler_words")
        filler = replace(goes_on, spoken=words, kind="filler", offset_samples=delay, event="")
        pieces.append(Piece(filler, rest))
    return [*pieces, Piece(goes_on, rest, len(resumed) - len(whole.spoken[rest:]))]
