"""Overlapping speech that claims no floor: backchannels, false starts, asides. Nobody yields."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from datagen.pipeline.script.floor import Piece, Setting, TurnPlan
from datagen.recipe.timing_config import FalseStartConfig, TokensConfig
from datagen.records import Kind, Role, Utterance, Within
from datagen.text.phrases import count_words, phrase_ends, units

_OTHER: dict[Role, Role] = {"user": "assistant", "assistant": "user"}
_KINDS: dict[str, Kind] = {"backchannel": "backchannel", "false_start": "attempt", "aside": "aside"}
_SENTENCE_END = re.compile(r"[.!?。！？]")
_TOO_LATE_WORDS = 1.5
"""Share of the turn that must follow a listener token."""


def beside(part: TurnPlan, setting: Setting) -> list[Utterance]:
    """Speech that overlaps a turn by rule; none if the language has no words for it."""
    if setting.tokens is None:
        return []
    by_user = _user_words(part, setting, setting.tokens) if part.role == "assistant" else ()
    return [*_backchannels(part, setting, setting.tokens), *by_user]


def merged(pieces: Sequence[Piece], overlapping: Sequence[Utterance]) -> list[Utterance]:
    """The floor and overlapping speech in one sequence, each after the piece that it overlaps."""
    places = [(u.within.at_characters, u, u.within) for u in overlapping if u.within]
    places.sort(key=lambda place: place[0])
    in_order = [place for place, _, _ in places]
    starts = [piece.first for piece in pieces if piece.utterance.kind == "turn"]
    found, n_turns = list[Utterance](), 0
    for piece in pieces:
        found.append(piece.utterance)
        if piece.utterance.kind != "turn":
            continue
        n_turns += 1
        stop = bisect_right(in_order, starts[n_turns]) if n_turns < len(starts) else len(places)
        for place, utterance, within in places[bisect_right(in_order, piece.first) : stop]:
            here = replace(within, at_characters=place - piece.first + piece.n_again)
            found.append(replace(utterance, within=here))
    return found


def _backchannels(part: TurnPlan, setting: Setting, tokens: TokensConfig) -> Iterator[Utterance]:
    rule, draws, by_user = setting.timing.backchannel, setting.draws, part.role == "assistant"
    probability = rule.user_probability if by_user else rule.assistant_probability
    forms = tokens.backchannels if by_user else tokens.continuers
    n_words, before, ends = count_words(part.spoken), 0.0, sentence_ends(part.spoken)
    for k, (place, n_before) in enumerate(phrase_ends(part.spoken, rule.phrase_words) if probability else ()):
        key = part.index, "backchannel", k
        if n_before - before < rule.min_words or n_words - n_before < _TOO_LATE_WORDS or _asks_at(ends, place):
            continue
        if draws.happens(probability, *key):
            before = n_before
            words = draws.pick(forms, *key, "words")
            yield backchannel(part, setting, place, words, draws.samples(rule.delay, *key, "delay"))


def sentence_ends(spoken: str) -> list[tuple[int, str]]:
    """Places after the marks that end sentences, and the marks.

    >>> sentence_ends("It rains. Do you ski?")
    [(9, '.'), (21, '?')]
    """
    return [(found.end(), found[0]) for found in _SENTENCE_END.finditer(spoken)]


def _asks_at(ends: Sequence[tuple[int, str]], place: int) -> bool:
    """True if a place is in or at the end of a question, where a token sounds like an answer.

    >>> ends = sentence_ends("It rains. Do you, maybe, ski?")
    >>> _asks_at(ends, 18), _asks_at(ends, 9)
    (True, False)
    """
    following = bisect_left(ends, (place, ""))
    return following < len(ends) and ends[following][1] in "?？"


def backchannel(part: TurnPlan, setting: Setting, at_characters: int, words: str, delay_samples: int) -> Utterance:
    """A listener token at a place in a turn."""
    return _token(_OTHER[part.role], words, setting, part, "backchannel", Within(at_characters, delay_samples))


def _user_words(part: TurnPlan, setting: Setting, tokens: TokensConfig) -> Iterator[Utterance]:
    """A false start and an aside of the user, each at the word nearest to a drawn share of the text."""
    timing, draws = setting.timing, setting.draws
    rules = (("false_start", timing.false_start, tokens.false_starts), ("aside", timing.aside, tokens.asides))
    for event, rule, forms in rules:
        key = part.index, event
        if not draws.happens(rule.probability, *key) or count_words(part.spoken) < rule.min_words:
            continue
        wanted = draws.value(rule.at, *key, "at") * len(part.spoken)
        place = min((unit.end for unit in units(part.spoken)), key=lambda end: abs(end - wanted))
        give_up = draws.length(rule.break_off, *key, "break_off") if isinstance(rule, FalseStartConfig) else None
        words = draws.deal(forms, part.index // 2, f"{event}_words")
        yield _token("user", words, setting, part, event, Within(place, 0, give_up))


def _token(role: Role, words: str, setting: Setting, part: TurnPlan, event: str, within: Within) -> Utterance:
    return Utterance(
        role, "", words, setting.voices[role], 0, kind=_KINDS[event], turn=part.index, within=within, event=event
    )
