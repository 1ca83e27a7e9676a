"""Interruptions of the assistant by rule: the words, the clause, and what follows.

An interruption makes sense if it comes after the words that it, and all that the user says later, refer to. Content
words tell (`datagen.text.references`); where they do not allow it, nobody interrupts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from datagen.pipeline.script.floor import Setting, TurnPlan
from datagen.recipe.timing_config import TokensConfig
from datagen.records import FAMILIES, BargeIn, Utterance
from datagen.text.phrases import count_words, phrase_ends
from datagen.text.references import last_reference, reacts_to_all

_FEWEST_HEARD = 3
"""Words of the turn, and of its last clause, before anybody has something to interrupt."""
_FEWEST_TO_STOP = 20
"""Words of a turn so long that somebody may ask to stop it."""
_FEWEST_SKIPPED = 6
"""Words of a sentence that are left out: fewer may be said before the assistant has reacted."""
_SENTENCE_ENDS = ".?!。？！"
_NO_LIMIT = 1 << 30


@dataclass(frozen=True)
class Spot:
    """A place in a turn where a family of interruptions fits."""

    at_characters: int
    resumes_at: int | None = None
    """Place in the turn from which the assistant says it on after the insert; None: it does not."""


@dataclass(frozen=True)
class Interruption:
    """An interruption of a turn of the assistant."""

    family: str
    """One of FAMILIES."""
    spot: Spot


def drawn_interruption(parts: Sequence[TurnPlan], k: int, setting: Setting) -> Interruption | None:
    """The interruption of turn `k`, if a barge-in is drawn and its family fits in the turn.

    Args:
        parts: All turns of the dialogue.
        k: Index of a turn of the assistant.
        setting: Rates, distributions, words and chance.

    Returns:
        The drawn family at the fitting place nearest to the drawn one; None if it fits nowhere.
    """
    rule, draws, part = setting.timing.barge_in, setting.draws, parts[k]
    if not draws.happens(rule.probability, k, "barge_in") or count_words(part.spoken) < rule.min_words:
        return None
    weights = {name: weight for name in FAMILIES if (weight := getattr(rule.families, name))}
    family = draws.pick(weights, k, "barge_in_family")
    wanted = draws.value(rule.at, k, "barge_in_at") * len(part.spoken)
    spots = _spots(family, parts, k, setting)
    if not spots:
        return None
    return Interruption(family, min(spots, key=lambda spot: abs(spot.at_characters - wanted)))


def _spots(family: str, parts: Sequence[TurnPlan], k: int, setting: Setting) -> list[Spot]:
    """Places where a family fits in a turn; without words of the language, only `next_turn` fits."""
    if setting.tokens is None and family != "next_turn":
        return []
    turn, language = parts[k].spoken, setting.language
    least_left = setting.timing.barge_in.min_words_left
    n_words = count_words(turn)
    ends = [
        place
        for place, n_before in phrase_ends(turn, _NO_LIMIT)
        if n_before >= _FEWEST_HEARD and n_words - n_before >= least_left
    ]
    if family == "repeat_request":
        return _repeats(turn, ends)
    if family == "wait_request":
        return [Spot(end, end) for end in ends]
    earlier, rest = ([part.spoken for part in some] for some in (parts[:k], parts[k + 1 :]))
    if family == "got_it":
        return _skips(earlier, turn, ends, rest, language)
    later = [part.spoken for part in parts[k + 1 :] if part.role == "user"]
    told = _told_by(earlier, turn, [*later, *rest[1:2]], language)
    free = [end for end in ends if end >= told]
    if family == "stop_request":
        return _stops(earlier, turn, free, rest, language)
    return _next_turn(turn, free, later, language)


def _told_by(earlier: Sequence[str], turn: str, later: Sequence[str], language: str) -> int:
    """The place in a turn from which all that is referred to later, and every question, has been said."""
    asked = max((place + 1 for place, char in enumerate(turn) if char in "?？"), default=0)
    return max(last_reference(earlier, turn, later, language) or 0, asked)


def _next_turn(turn: str, free: Sequence[int], later: Sequence[str], language: str) -> list[Spot]:
    """After the words that the next turn shares with this one; nowhere if it shares none or takes up all of it."""
    if not later or reacts_to_all(later[0], language):
        return []
    shared = last_reference([], turn, later[:1], language, every=True)
    return [] if shared is None else [Spot(end) for end in free if end >= shared]


def _stops(earlier: Sequence[str], turn: str, free: Sequence[int], rest: Sequence[str], language: str) -> list[Spot]:
    """In a long turn whose rest nobody comes back to, before the user asks about something else or says no more."""
    if count_words(turn) < _FEWEST_TO_STOP:
        return []
    if rest:
        same_matter = last_reference([], turn, rest[:1], language) is not None
        if same_matter or reacts_to_all(rest[0], language) or not set("?？") & set(rest[0]):
            return []
    needed = last_reference(earlier, turn, rest, language) or 0
    return [Spot(end) for end in free if end >= needed]


def _repeats(turn: str, ends: Sequence[int]) -> list[Spot]:
    """Places after each clause that is long enough for a request to repeat it."""
    starts = [0, *(place for place, _ in phrase_ends(turn, _NO_LIMIT))]
    before = {end: max(start for start in starts if start < end) for end in ends}
    return [Spot(end, start) for end, start in before.items() if count_words(turn[start:end]) >= _FEWEST_HEARD]


def _skips(earlier: Sequence[str], turn: str, ends: Sequence[int], rest: Sequence[str], language: str) -> list[Spot]:
    """Inside sentences whose rest can be left out: it leads to no question, and nobody comes back to it.

    The user's next turn must not ask about the sentence at all, for its speaker claims to know it.
    """
    if set("?？") & set(turn):
        return []
    sentences = [0, *(place for place, _ in phrase_ends(turn, _NO_LIMIT) if turn[place - 1] in _SENTENCE_ENDS)]
    found = []
    for end in ends:
        begin = max(place for place in sentences if place < end)
        following = next((place for place in sentences if place >= end), None)
        if following is None or count_words(turn[end:following]) < _FEWEST_SKIPPED:
            continue
        known = [*earlier, turn[:end], turn[following:]]
        needed = last_reference(known, turn[end:following], rest, language)
        asked = last_reference([], turn[begin:following], rest[:1], language)
        if needed is None and asked is None:
            found.append(Spot(end, following))
    return found


def barge_in_of(k: int, interruption: Interruption, setting: Setting) -> BargeIn:
    """The barge-in into turn `k`: where it starts, and how the assistant yields."""
    delay = setting.draws.length(setting.timing.barge_in.delay, k, "barge_in_delay")
    return yielded_to(k, interruption.spot.at_characters, setting, interruption.family, delay)


def yielded_to(k: int, at_characters: int, setting: Setting, family: str, delay_samples: int = 0) -> BargeIn:
    """A barge-in into turn `k`, with the other's reaction drawn; only the next turn is competed with.

    Args:
        k: Index of the interrupted turn.
        at_characters: Place in its last piece's spoken text.
        setting: Distributions and chance.
        family: One of FAMILIES; empty for the assistant's.
        delay_samples: From that place to the start.
    """
    rule, draws = setting.timing.barge_in, setting.draws
    competes = family == "next_turn" and draws.happens(rule.competition_probability, k, "competition")
    yielding = (rule.competition, "competition_length") if competes else (rule.reaction, "reaction")
    reaction = draws.length(yielding[0], k, yielding[1])
    finishes = draws.happens(rule.finish_word_probability, k, "finish_word")
    return BargeIn(at_characters, reaction, delay_samples, finishes, competes, family)


def inserted(part: TurnPlan, interruption: Interruption, setting: Setting, tokens: TokensConfig) -> list[Utterance]:
    """Utterances after an interrupted turn that are not in the dialogue: the user's, the assistant's.

    Args:
        part: The interrupted turn.
        interruption: By any family but the next turn.
        setting: Distributions, voices and chance.
        tokens: Words of the language.
    """
    k, draws, voices = part.index, setting.draws, setting.voices
    forms = {
        "repeat_request": tokens.repeat_requests,
        "wait_request": tokens.wait_requests,
        "stop_request": tokens.stop_requests,
        "got_it": tokens.got_its,
    }
    words = draws.deal(forms[interruption.family], k // 2, f"{interruption.family}_words")
    fto = draws.samples(setting.timing.user_fto, k, "insert_offset")
    barge_in = barge_in_of(k, interruption, setting)
    found = [Utterance("user", "", words, voices["user"], fto, barge_in, "insert", k)]
    if interruption.family == "wait_request":
        wait = draws.length(setting.timing.barge_in.wait, k, "wait")
        release = draws.deal(tokens.resumes, k // 2, "resume_words")
        found.append(Utterance("user", "", release, voices["user"], wait, kind="insert", turn=k, event="waiting"))
    if interruption.spot.resumes_at is not None:
        rest = part.spoken[interruption.spot.resumes_at :].strip()
        offset = draws.samples(setting.timing.assistant_fto, k, "resumption_offset")
        found.append(Utterance("assistant", "", rest, voices["assistant"], offset, kind="resumption", turn=k))
    return found
