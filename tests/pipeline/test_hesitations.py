"""Hesitations lie where people hesitate, say again only what belongs to the clause, and are spoken in one breath."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.pipeline.script.floor import Pause, broken, n_repeatable, pause_places
from datagen.records import BargeIn, Utterance
from datagen.text.phrases import units
from tests.pipeline.test_behaviours_in_script import script

ENDS = ".?!。？！"
CLAUSE_ENDS = f"{ENDS},;:，；："
TALK = {
    "en": "Well, I was thinking. Could we take the train to Berlin, or is the bus really faster than that? I hope so.",
    "zh": "嗯，我在想一件事。我们可以坐火车去北京吗，还是坐汽车更快一些？我希望是这样。",
}
WHOLE = Utterance("user", "As written.", "I want a house, a big one. Is it far?", "v", 100, turn=4)


def test_only_the_first_piece_of_a_turn_is_the_event_that_the_turn_is():
    """A filler within the turn ends no silence and barges in on nobody; one that opens the turn does."""
    whole = replace(WHOLE, event="user_silent", barge_in=BargeIn(3, 9))
    inside = [p.utterance for p in broken(whole, [Pause(2, 9, "um")])]
    assert [(u.kind, u.event, u.barge_in) for u in inside] == [
        ("turn", "user_silent", whole.barge_in),
        ("filler", "", None),
        ("turn", "hesitation", None),
    ]
    opening = [p.utterance for p in broken(whole, [Pause(0, 9, "um")])]
    assert [(u.kind, u.event, u.barge_in) for u in opening] == [
        ("filler", "user_silent", whole.barge_in),
        ("turn", "hesitation", None),
    ]


def pauses(language: str, n: int = 60) -> list[tuple[list[Utterance], str]]:
    """The pieces of a first turn that hesitates and starts again, and its whole text, for several dialogues."""
    rule = "timing.hesitation={probability: 1, min_words: 3, restart_probability: 1, restart_words: 3}"
    texts = (TALK[language], TALK[language])
    found = []
    for k in range(n):
        utterances = script(rule, texts=texts, language=language, id=f"d{k}").utterances
        found.append(([u for u in utterances if u.turn == 0 and u.kind == "turn"], TALK[language]))
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_drawn_pause_is_inside_a_sentence_and_a_restart_inside_a_clause(language):
    n_again = 0
    for (first, second), whole in pauses(language):
        assert first.spoken[-1] not in ENDS
        assert first.spoken != whole
        assert whole.startswith(first.spoken)
        rest = whole[len(first.spoken) :].strip()
        assert second.spoken.endswith(rest)
        repeated = second.spoken[: len(second.spoken) - len(rest)].strip()
        assert first.spoken.endswith(repeated)
        assert not set(repeated) & set(CLAUSE_ENDS)
        n_again += bool(repeated)
    assert n_again > 20 if language == "en" else n_again == 0  # in Chinese nothing tells where a word begins


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pauses_come_before_content_words_more_often_than_by_chance(language):
    places = pause_places(TALK[language], language)
    before_content = {n for n, weight in places.items() if weight == max(places.values())}
    chosen = [len(units(first.spoken)) for (first, _), _ in pauses(language)]
    share = sum(n in before_content for n in chosen) / len(chosen)
    assert share > 1.4 * len(before_content) / len(places)


def test_a_turn_of_sentences_of_one_word_has_no_place_to_hesitate():
    assert pause_places("Yes. No. Maybe. Right.", "en") == {}
    rule = "timing.hesitation={probability: 1, min_words: 3}"
    s = script(rule, texts=("Yes. No. Maybe. Right.", "I see."))
    assert [u.event for u in s.utterances if u.turn == 0] == [""]


def test_quotes_and_dashes_end_clauses_too():
    assert 2 not in pause_places("I want — a house.", "en")
    assert 3 not in pause_places('He said "go." Then he left the room.', "en")
    assert n_repeatable("I want — no, a house", 3) == 0


def test_no_pause_falls_into_a_chinese_word():
    whole = "我现在有二十二页合同，怎么办？她一定喜欢我们的地图。"
    for n_before in pause_places(whole, "zh"):
        said = "".join(whole[spot.start : spot.end] for spot in units(whole)[:n_before])
        assert said.endswith(("同，", "我", "她", "们", "的", "在"))
        assert not said.endswith("欢我")  # 我们


WORDS = st.lists(
    st.sampled_from(["well,", "I", "cannot", "say.", "我", "今天，", "去公园", "app"]), min_size=2, max_size=9
)


@given(WORDS.map(" ".join) | WORDS.map("".join), st.dictionaries(st.integers(0, 30), st.integers(0, 3), max_size=4))
def test_pieces_are_slices_of_one_text_that_is_the_turns_own_without_restarts(text, places):
    spots = units(text)
    wanted = sorted({n % len(spots): again for n, again in places.items()}.items())
    drawn = [Pause(n, 9, "um" if n % 2 else "", 3, min(again, n)) for n, again in wanted]
    pieces = broken(Utterance("user", text, text, "v", 0), drawn)
    turns = [piece for piece in pieces if piece.utterance.kind == "turn"]
    parts = [piece.utterance.part_of for piece in turns]
    if len(turns) == 1:
        assert parts == [None]
        assert turns[0].utterance.spoken == text
        return
    (take_text,) = {part.text for part in parts}
    assert parts[0].first == 0
    assert parts[-1].last == len(take_text)
    for piece, part in zip(turns, parts, strict=True):
        assert take_text[part.first : part.last] == piece.utterance.spoken
        begin = piece.first - piece.n_again
        assert text[begin : begin + len(piece.utterance.spoken)] == piece.utterance.spoken
    for before, after in pairwise(parts):
        assert take_text[before.last : after.first].strip() == ""
    if not any(pause.n_again for pause in drawn):
        assert take_text == text
    unrepeated = "".join(piece.utterance.spoken[piece.n_again :] for piece in turns)
    assert re.sub(r"\s", "", unrepeated) == re.sub(r"\s", "", text)


def test_only_words_of_the_turn_are_in_its_take_and_fillers_are_takes_of_their_own():
    first, filler, second = (p.utterance for p in broken(WHOLE, [Pause(3, 9, "um", 5, 2)]))
    assert first.part_of.text == second.part_of.text == "I want a want a house, a big one. Is it far?"
    assert (first.spoken, second.spoken) == ("I want a", "want a house, a big one. Is it far?")
    assert (filler.kind, filler.part_of) == ("filler", None)
    assert (first.text, second.text) == ("As written.", "")
    assert broken(WHOLE, [Pause(0, 9, "um")])[-1].utterance.part_of is None
