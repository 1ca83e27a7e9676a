"""Where an interruption fits: after what it refers to, before what nobody needs; laws over many dialogues."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.pipeline.script.script import WriteScript
from datagen.records import FAMILIES, Dialogue, Reject, Turn
from datagen.text.references import content, last_reference, reacts_to_all, words_of
from tests.conftest import make_recipe, pools_of

WORDS = {
    "en": ("tea", "garden", "seven", "Anna", "the", "of", "and", "grows", "steep", "very", "slowly", "bridge"),
    "zh": ("绿茶", "花园", "七点", "小安", "的", "在", "和", "长大", "慢慢", "大桥", "一个"),
}
ENDS = {"en": (",", ".", "?", ""), "zh": ("，", "。", "？", "")}


@st.composite
def dialogues(draw) -> Dialogue:
    language = draw(st.sampled_from(["en", "zh"]))
    word = st.builds(lambda w, end: w + end, st.sampled_from(WORDS[language]), st.sampled_from(ENDS[language]))
    gap = " " if language == "en" else ""
    texts = draw(st.lists(st.lists(word, min_size=3, max_size=40).map(gap.join), min_size=2, max_size=6))
    turns = tuple(Turn("assistant" if k % 2 else "user", text) for k, text in enumerate(texts))
    return Dialogue("d1", turns, "test", language)


def utterances(dialogue: Dialogue, *overrides: str):
    recipe = make_recipe(*overrides)
    found = WriteScript(recipe, pools_of(recipe, "a", "b", "c", "d"))(dialogue)
    assert not isinstance(found, Reject)
    return found.utterances


RATES = f"timing.barge_in={{probability: 1, families: {json.dumps(dict.fromkeys(FAMILIES, 1))}}}"


@settings(max_examples=150, deadline=None)
@given(dialogues(), st.integers(0, 10**6))
def test_nothing_that_is_said_later_refers_to_words_that_nobody_hears(dialogue, seed):
    """Law 9: whatever is interrupted, the user's later turns name nothing of it that was left unsaid."""
    found = utterances(dialogue, RATES, f"seed={seed}")
    for k, u in enumerate(found):
        if u.barge_in is None:
            continue
        turn = found[k - 1]
        assert (turn.kind, turn.role, u.role) == ("turn", "assistant", "user")
        heard = turn.spoken[: u.barge_in.at_characters]
        resumed = [later.spoken for later in found[k:] if later.kind == "resumption" and later.turn == turn.turn]
        earlier = [before.spoken for before in found[: k - 1]]
        unheard = turn.spoken[u.barge_in.at_characters :]
        later = [after.spoken for after in found[k:] if after.role == "user" and after.kind == "turn"]
        assert last_reference([*earlier, heard, *resumed], unheard, later, dialogue.language) is None
        if u.barge_in.family in ("next_turn", "stop_request"):
            assert not set("?？") & set(unheard)
        if u.barge_in.family == "next_turn":
            assert words_of([heard], dialogue.language) & words_of([u.spoken], dialogue.language)
            assert not reacts_to_all(u.spoken, dialogue.language)


def test_an_answer_to_a_question_does_not_come_before_the_question():
    ask = "The tea is ready, and it is still hot. Do you take sugar with it, or milk, or none at all?"
    assert not any(u.barge_in for u in utterances(talk("Hello?", ask, "Sugar in my tea."), NEXT))
    told = "The tea is ready. Do you see it? It stands on the table, next to the window."
    (cut_in,) = (u for u in utterances(talk("Hello?", told, "Sugar in my tea."), NEXT) if u.barge_in)
    assert "?" in told[: cut_in.barge_in.at_characters]


def test_a_turn_that_takes_up_all_of_the_last_one_does_not_interrupt_it():
    told = "Melt the butter, fold in the eggs, and bake it slowly, so that it stays soft in the middle."
    assert any(u.barge_in for u in utterances(talk("A cake?", told, "How much butter?"), NEXT))
    for reaction in ("Thanks, butter it is.", "Is the butter in both halves?", "Great, how much butter?"):
        assert not any(u.barge_in for u in utterances(talk("A cake?", told, reaction), NEXT))


def test_words_of_one_stem_may_mean_different_things_so_all_must_have_been_heard():
    told = "Today you book the van, tomorrow you get the boxes, and on Sunday, which is soon, you pack all the books."
    assert not any(u.barge_in for u in utterances(talk("What now?", told, "Van and boxes and books?"), NEXT))
    assert any(u.barge_in for u in utterances(talk("What now?", told, "Van and boxes?"), NEXT))


def test_what_a_later_turn_needs_has_been_said():
    told = "Take the butter out early, whisk the eggs well, then add the sugar, and only then the flour and the milk."
    near = talk("A cake?", told, "How much butter?", "A lot.", "And what of the sugar?", "A little.")
    (cut_in, *_) = (u for u in utterances(near, NEXT, "timing.barge_in.at=0.1") if u.barge_in)
    assert told[: cut_in.barge_in.at_characters].endswith("sugar,")


def test_enough_is_said_before_and_left_after():
    told = "Yes, of course, you can. The gears are worn, I think, so take them out."
    (cut_in, *_) = (
        u for u in utterances(talk("Can I?", told, "Which gears?"), NEXT, "timing.barge_in.at=0") if u.barge_in
    )
    assert told[: cut_in.barge_in.at_characters] == "Yes, of course, you can. The gears are worn,"
    assert not any(
        u.barge_in for u in utterances(talk("Can I?", told, "Which gears?"), NEXT, "timing.barge_in.min_words_left=20")
    )


NEXT = "timing.barge_in={probability: 1, families: {next_turn: 1, stop_request: 0}}"


def talk(*texts: str) -> Dialogue:
    turns = tuple(Turn("assistant" if k % 2 else "user", text) for k, text in enumerate(texts))
    return Dialogue("d1", turns, "test", "en")


def test_content_words_are_found_whatever_stands_around_them():
    found = content("“Anna’s tea,” she said: 7 minutes!", "en")
    assert [word for word, _, _ in found] == ["anna", "tea", "7", "minut"]
