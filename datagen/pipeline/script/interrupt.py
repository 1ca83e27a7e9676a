"""Interruptions of the assistant by rule: their place, their words and the words after them.

An interruption makes sense after the words that it, and all later user turns, refer to. Content
words decide (`datagen.text.references`); without a suitable place, nobody interrupts.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from datagen.pipeline.script.floor import Setting, TurnPlan
from datagen.recipe.timing_config import TokensConfig
from datagen.records import FAMILIES, BargeIn, Utterance
from datagen.text.phrases import count_words, phrase_ends
from datagen.text.references import content, last_reference, reacts_to_all, words_of

_FEWEST_HEARD = 3
"""Fewest words of the turn, and of its last clause, before an interruption."""
_FEWEST_TO_STOP = 20
"""Fewest words of a turn that a user may ask to stop."""
_FEWEST_SKIPPED = 6
"""Fewest skipped words of a sentence: fewer could be said before the assistant reacts."""
_SENTENCE_ENDS = ".?!。？！"
_NO_LIMIT = 1 << 30


@dataclass(frozen=True)
class Spot:
    """A place in a turn where a family of interruptions fits."""

    at_characters: int
    resumes_at: int | None = None
    """Place in the turn at which the assistant resumes after the insert; None: it does not."""


@dataclass(frozen=True)
class Interruption:
    """An interruption of an assistant turn."""

    family: str
    """One of FAMILIES."""
    spot: Spot


def drawn_interruption(parts: Sequence[TurnPlan], k: int, setting: Setting) -> Interruption | None:
    """The interruption of turn `k`, if a barge-in is drawn and its family fits in the turn.

    Args:
        parts: All turns of the dialogue.
        k: Index of an assistant turn.
        setting: Rates, distributions, words and random draws.

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
    """Places where a family fits in a turn; without words for the language, only `next_turn` fits."""
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
    """The place in a turn after every question and all words to which later turns refer."""
    asked = max((place + 1 for place, char in enumerate(turn) if char in "?？"), default=0)
    return max(last_reference(earlier, turn, later, language) or 0, asked)


def _next_turn(turn: str, free: Sequence[int], later: Sequence[str], language: str) -> list[Spot]:
    """Places after the words that the next turn shares with this one.

    There are none if it shares no words or refers to the whole turn.
    """
    if not later or reacts_to_all(later[0], language):
        return []
    shared = last_reference([], turn, later[:1], language, every=True)
    return [] if shared is None else [Spot(end) for end in free if end >= shared]


def may_drop(earlier: Sequence[str], turn: str, rest: Sequence[str], language: str) -> bool:
    """True if a turn need not be said: no later turn refers to it, and the next one asks about something else.

    >>> may_drop([], "It is sunny.", ["How do I bake bread?", "Slowly."], "en")
    True
    >>> may_drop([], "It is sunny.", ["How sunny?"], "en")
    False
    """
    return not rest or (_is_left(turn, rest, language) and not last_reference(earlier, turn, rest, language))


def _is_left(turn: str, rest: Sequence[str], language: str) -> bool:
    """True if the user's next turn is a question about something else."""
    same_matter = last_reference([], turn, rest[:1], language) is not None
    return not same_matter and not reacts_to_all(rest[0], language) and bool(set("?？") & set(rest[0]))


def _stops(earlier: Sequence[str], turn: str, free: Sequence[int], rest: Sequence[str], language: str) -> list[Spot]:
    """Places in a long turn to whose rest no later turn refers.

    The user then asks about something else or says nothing more.
    """
    if count_words(turn) < _FEWEST_TO_STOP:
        return []
    if rest and not _is_left(turn, rest, language):
        return []
    needed = last_reference(earlier, turn, rest, language) or 0
    return [Spot(end) for end in free if end >= needed]


def _repeats(turn: str, ends: Sequence[int]) -> list[Spot]:
    """Places after each clause that is long enough for a request to repeat it."""
    starts = [0, *(place for place, _ in phrase_ends(turn, _NO_LIMIT))]
    before = {end: starts[bisect_left(starts, end) - 1] for end in ends}
    return [Spot(end, start) for end, start in before.items() if count_words(turn[start:end]) >= _FEWEST_HEARD]


def _skips(earlier: Sequence[str], turn: str, ends: Sequence[int], rest: Sequence[str], language: str) -> list[Spot]:
    """Places in sentences whose rest can be skipped: no question and no later turn depends on it.

    The user's next turn must not ask about the sentence at all, because the user claims to know it.
    """
    if set("?？") & set(turn):
        return []
    n_words = dict(phrase_ends(turn, _NO_LIMIT))
    sentences = [0, *(place for place in n_words if turn[place - 1] in _SENTENCE_ENDS)]
    wanted, asked = words_of(rest, language) - words_of(earlier, language), words_of(rest[:1], language)
    said = content(turn, language)
    first, last = {word: start for word, start, _ in reversed(said)}, {word: start for word, start, _ in said}
    found = []
    for begin, following in pairwise(sentences):
        here = [word for word, start, _ in said[_from(said, begin) : _from(said, following)]]
        if not asked.isdisjoint(here):
            continue
        only_here = (
            first[word] for word in wanted.intersection(here) if first[word] >= begin and last[word] < following
        )
        needed = max(only_here, default=-1)
        inside = ends[bisect_right(ends, begin) : bisect_right(ends, following)]
        skipped = ((end, n_words[following] - n_words[end]) for end in inside if end > needed)
        found += [Spot(end, following) for end, n in skipped if n >= _FEWEST_SKIPPED]
    return found


def _from(said: Sequence[tuple[str, int, int]], place: int) -> int:
    """The index of the first content word from a place on."""
    return bisect_left(said, place, key=lambda word: word[1])


def barge_in_of(k: int, interruption: Interruption, setting: Setting) -> BargeIn:
    """The barge-in into turn `k`, with its start and the assistant's reaction."""
    delay = setting.draws.length(setting.timing.barge_in.delay, k, "barge_in_delay")
    return yielded_to(k, interruption.spot.at_characters, setting, interruption.family, delay)


def yielded_to(k: int, at_characters: int, setting: Setting, family: str, delay_samples: int = 0) -> BargeIn:
    """A barge-in into turn `k`, with a drawn reaction; there is competition only with the next turn.

    Args:
        k: Index of the interrupted turn.
        at_characters: Place in the spoken text of its last piece.
        setting: Distributions and random draws.
        family: One of FAMILIES; empty for barge-ins of the assistant.
        delay_samples: Time from that place to the start.
    """
    rule, draws = setting.timing.barge_in, setting.draws
    competes = family == "next_turn" and draws.happens(rule.competition_probability, k, "competition")
    yielding = (rule.competition, "competition_length") if competes else (rule.reaction, "reaction")
    reaction = draws.length(yielding[0], k, yielding[1])
    finishes = draws.happens(rule.finish_word_probability, k, "finish_word")
    return BargeIn(at_characters, reaction, delay_samples, finishes, competes, family)


def inserted(part: TurnPlan, interruption: Interruption, setting: Setting, tokens: TokensConfig) -> list[Utterance]:
    """Utterances of user and assistant after an interrupted turn that are not in the dialogue.

    Args:
        part: The interrupted turn.
        interruption: An interruption of any family except the next turn.
        setting: Distributions, voices and random draws.
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
        found.append(
            Utterance("assistant", "", rest, voices["assistant"], offset, kind="resumption", turn=k, style=part.style)
        )
    return found
