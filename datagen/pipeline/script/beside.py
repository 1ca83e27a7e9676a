"""What overlaps the floor-holder's turn and claims no floor: backchannels, false starts, asides. Nobody yields."""

from collections.abc import Sequence
from dataclasses import replace

from datagen.pipeline.script.floor import Piece, Setting, TurnPlan
from datagen.recipe.timing_config import TokensConfig
from datagen.records import Kind, Role, Utterance, Within
from datagen.text.phrases import count_words, phrase_ends, units

_OTHER: dict[Role, Role] = {"user": "assistant", "assistant": "user"}
_TOO_LATE_WORDS = 1.5
"""A listener's token needs some of the turn to come after it."""


def beside(part: TurnPlan, setting: Setting) -> list[Utterance]:
    """All that overlaps a turn, by place in its text, as drawn; nothing if the language has no words for it.

    Args:
        part: The turn.
        setting: Rates, distributions, words, voices and chance.
    """
    if setting.tokens is None:
        return []
    found = _backchannels(part, setting, setting.tokens)
    if part.role == "assistant":
        found += _false_start(part, setting, setting.tokens)
        found += _aside(part, setting, setting.tokens)
    return by_place(found)


def by_place(found: Sequence[Utterance]) -> list[Utterance]:
    """What overlaps a turn, in order of its text."""
    return sorted(found, key=_place)


def merged(pieces: Sequence[Piece], overlapping: Sequence[Utterance]) -> list[Utterance]:
    """The floor and what overlaps it in one order: each after the piece of the turn in whose text its place lies."""
    turns = [k for k, piece in enumerate(pieces) if _says_the_turn(piece)]
    found: list[Utterance] = []
    for k, piece in enumerate(pieces):
        found.append(piece.utterance)
        if k not in turns:
            continue
        following = next((pieces[later].first for later in turns if later > k), None)
        for utterance in overlapping:
            place = _place(utterance)
            if (place > piece.first or place == 0 == piece.first) and (following is None or place <= following):
                found.append(_within_piece(utterance, piece, place))
    return found


def _says_the_turn(piece: Piece) -> bool:
    return piece.utterance.kind == "turn"


def _place(utterance: Utterance) -> int:
    return utterance.within.at_characters if utterance.within else 0


def _within_piece(utterance: Utterance, piece: Piece, place: int) -> Utterance:
    within = utterance.within
    if within is None:
        return utterance
    return replace(utterance, within=replace(within, at_characters=place - piece.first + piece.n_again))


def _backchannels(part: TurnPlan, setting: Setting, tokens: TokensConfig) -> list[Utterance]:
    rule, draws, by_user = setting.timing.backchannel, setting.draws, part.role == "assistant"
    probability = rule.user_probability if by_user else rule.assistant_probability
    forms = tokens.backchannels if by_user else tokens.continuers
    if not probability:
        return []
    n_words, before, found = count_words(part.spoken), 0.0, []
    for k, (place, n_before) in enumerate(phrase_ends(part.spoken, rule.phrase_words)):
        key = part.index, "backchannel", k
        if n_before - before < rule.min_words or n_words - n_before < _TOO_LATE_WORDS:
            continue
        if _asks_at(part.spoken, place):
            continue
        if draws.happens(probability, *key):
            before = n_before
            words = draws.pick(forms, *key, "words")
            found.append(backchannel(part, setting, place, words, draws.samples(rule.delay, *key, "delay")))
    return found


def _asks_at(spoken: str, place: int) -> bool:
    """True if the sentence in which a place lies, or which it ends, is a question: a token there sounds like an answer.

    >>> _asks_at("It rains. Do you, maybe, ski?", 18), _asks_at("It rains. Do you ski?", 9)
    (True, False)
    """
    end = next((char for char in spoken[place - 1 :] if char in ".!?。！？"), "")
    return end in ("?", "？")


def backchannel(part: TurnPlan, setting: Setting, at_characters: int, words: str, delay_samples: int) -> Utterance:
    """A listener's token at a place of a turn."""
    return _token(_OTHER[part.role], words, setting, part, "backchannel", Within(at_characters, delay_samples))


def _false_start(part: TurnPlan, setting: Setting, tokens: TokensConfig) -> list[Utterance]:
    rule, draws, key = setting.timing.false_start, setting.draws, (part.index, "false_start")
    if not draws.happens(rule.probability, *key) or count_words(part.spoken) < rule.min_words:
        return []
    place = _near(part, draws.value(rule.at, *key, "at"))
    within = Within(place, 0, draws.length(rule.break_off, *key, "break_off"))
    return [
        _token(
            "user",
            draws.deal(tokens.false_starts, part.index // 2, "false_start_words"),
            setting,
            part,
            "false_start",
            within,
        )
    ]


def _aside(part: TurnPlan, setting: Setting, tokens: TokensConfig) -> list[Utterance]:
    rule, draws, key = setting.timing.aside, setting.draws, (part.index, "aside")
    if not draws.happens(rule.probability, *key) or count_words(part.spoken) < rule.min_words:
        return []
    within = Within(_near(part, draws.value(rule.at, *key, "at")), 0)
    return [_token("user", draws.deal(tokens.asides, part.index // 2, "aside_words"), setting, part, "aside", within)]


def _near(part: TurnPlan, share: float) -> int:
    """The end of the word nearest to a share of a turn's text, in characters."""
    wanted = share * len(part.spoken)
    return min((unit.end for unit in units(part.spoken)), key=lambda end: abs(end - wanted))


_KINDS: dict[str, Kind] = {"backchannel": "backchannel", "false_start": "attempt", "aside": "aside"}


def _token(role: Role, words: str, setting: Setting, part: TurnPlan, event: str, within: Within) -> Utterance:
    return Utterance(
        role, "", words, setting.voices[role], 0, kind=_KINDS[event], turn=part.index, within=within, event=event
    )
