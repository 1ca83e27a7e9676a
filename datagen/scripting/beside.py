"""What is heard beside the floor-holder: backchannels, failed barge-ins, overlapping starts. Nobody yields to them."""

from collections.abc import Sequence
from dataclasses import replace

from datagen.behaviours import Tokens
from datagen.phrases import count_words, phrase_ends, units
from datagen.records import Kind, Role, Utterance, Within
from datagen.scripting.floor import Part, Piece, Setting

_OTHER: dict[Role, Role] = {"user": "assistant", "assistant": "user"}
_TOO_LATE_WORDS = 1.5
"""A listener's token needs some of the turn to come after it."""


def beside(part: Part, pieces: Sequence[Piece], setting: Setting) -> list[Utterance]:
    """All that is heard during a turn, by place in its text, as drawn; nothing if the language has no words for it.

    Args:
        part: The turn.
        pieces: Its utterances.
        setting: Rates, distributions, words, voices and chance.
    """
    if setting.tokens is None:
        return []
    found = [
        *_backchannels(part, setting, setting.tokens),
        *_failed_barge_in(part, setting, setting.tokens),
        *overlapping_start(part, pieces, setting),
    ]
    return by_place(found)


def by_place(found: Sequence[Utterance]) -> list[Utterance]:
    """What is heard beside a turn, in order of its text."""
    return sorted(found, key=_place)


def merged(pieces: Sequence[Piece], heard_beside: Sequence[Utterance]) -> list[Utterance]:
    """Floor and what is heard beside it in one order: each after the piece of the turn in whose text its place lies."""
    turns = [k for k, piece in enumerate(pieces) if _says_the_turn(piece)]
    found: list[Utterance] = []
    for k, piece in enumerate(pieces):
        found.append(piece.utterance)
        if k not in turns:
            continue
        following = next((pieces[later].first for later in turns if later > k), None)
        for utterance in heard_beside:
            place = _place(utterance)
            if (place > piece.first or place == 0 == piece.first) and (following is None or place <= following):
                found.append(_within_piece(utterance, piece, place))
    return found


def _says_the_turn(piece: Piece) -> bool:
    return piece.utterance.kind == "turn" and piece.utterance.event not in ("correction", "prompt")


def _place(utterance: Utterance) -> int:
    return utterance.within.at_characters if utterance.within else 0


def _within_piece(utterance: Utterance, piece: Piece, place: int) -> Utterance:
    within = utterance.within
    if within is None:
        return utterance
    return replace(utterance, within=replace(within, at_characters=place - piece.first + piece.n_again))


def _backchannels(part: Part, setting: Setting, tokens: Tokens) -> list[Utterance]:
    rule, draws = setting.timing.backchannel, setting.draws
    probability = rule.user_probability if _OTHER[part.role] == "user" else rule.assistant_probability
    if not probability:
        return []
    n_words, before, found = count_words(part.spoken), 0.0, []
    for k, (place, n_before) in enumerate(phrase_ends(part.spoken, rule.phrase_words)):
        key = part.index, "backchannel", k
        if n_before - before < rule.min_words or n_words - n_before < _TOO_LATE_WORDS:
            continue
        if draws.happens(probability, *key):
            before = n_before
            words = draws.pick(tokens.backchannels, *key, "words")
            found.append(backchannel(part, setting, place, words, draws.samples(rule.delay, *key, "delay")))
    return found


def backchannel(part: Part, setting: Setting, at_characters: int, words: str, delay_samples: int) -> Utterance:
    """A listener's token at a place of a turn."""
    return _token(_OTHER[part.role], words, setting, part, "backchannel", Within(at_characters, delay_samples))


def _failed_barge_in(part: Part, setting: Setting, tokens: Tokens) -> list[Utterance]:
    rule, draws, key = setting.timing.failed_barge_in, setting.draws, (part.index, "failed_barge_in")
    if part.role == "user" or not draws.happens(rule.probability, *key) or count_words(part.spoken) < rule.min_words:
        return []
    wanted = draws.value(rule.at, *key, "at") * len(part.spoken)
    place = min((unit.end for unit in units(part.spoken)), key=lambda end: abs(end - wanted))
    within = Within(place, 0, draws.length(rule.give_up, *key, "give_up"))
    words = draws.pick(tokens.false_starts, *key, "words")
    return [_token("user", words, setting, part, "failed_barge_in", within)]


def overlapping_start(part: Part, pieces: Sequence[Piece], setting: Setting) -> list[Utterance]:
    """The one who spoke before the turn starts with it, and gives way, if that is drawn."""
    tokens = setting.tokens
    if tokens is None:
        return []
    rule, draws, goes_on = setting.timing.overlapping_start, setting.draws, _OTHER[part.role]
    key, first = (part.index, "overlapping_start"), pieces[0].utterance
    probability = rule.user_probability if goes_on == "user" else rule.assistant_probability
    if part.index == 0 or first.barge_in or first.event or not draws.happens(probability, *key):
        return []
    within = Within(0, draws.samples(rule.delay, *key, "delay"), draws.length(rule.give_up, *key, "give_up"))
    words = draws.pick(tokens.false_starts, *key, "words")
    return [_token(goes_on, words, setting, part, "overlapping_start", within)]


def _token(role: Role, words: str, setting: Setting, part: Part, event: str, within: Within) -> Utterance:
    kind: Kind = "backchannel" if event == "backchannel" else "attempt"
    return Utterance(role, "", words, setting.voices[role], 0, None, kind, part.index, within, event)
