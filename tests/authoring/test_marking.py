"""Scripts: marks lie at the words that were quoted, added turns stand where they must; all else is unfit."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.authoring.answers import ScriptAnswer, UnfitAnswerError
from datagen.authoring.authored import Written
from datagen.authoring.authoring_config import Llm, WriteRecipe
from datagen.authoring.marking import FollowUp, ScriptTask, word_after
from datagen.records import Mark, Turn
from datagen.text import to_spoken
from datagen.text.phrases import units

RECIPE = WriteRecipe(
    name="x", input={"paths": ("x",)}, tasks=("script", "follow_up"), llm=Llm(model="m"),
    marks={"barge_ins": 2, "hesitations": 3, "backchannels": 3},
)  # fmt: skip
TALK = Written(
    "d",
    "en",
    (
        Turn("user", "I need 2 tickets for the show."),
        Turn("assistant", "There are seats in row five, and there are seats in row nine near the door."),
        Turn("user", "Which ones are cheaper?"),
        Turn("assistant", "Row nine is cheaper by ten euros, but you see less of the stage."),
    ),
)


def barge_in(
    turn=1, after="row five", says="Not in the front, please.", goes_on="Then row nine it is.", occurrence=None
):
    return {"turn": turn, "why": "w", "after": after, "occurrence": occurrence, "says": says, "goes_on": goes_on}


def beside(turn=3, after="by ten euros", text="mm-hm", occurrence=None):
    return {"turn": turn, "why": "w", "after": after, "occurrence": occurrence, "text": text}


def scripted(barge_ins=(), hesitations=(), backchannels=(), talk=TALK):
    task = ScriptTask(RECIPE)
    given = {"barge_ins": list(barge_ins), "hesitations": list(hesitations), "backchannels": list(backchannels)}
    return task.applied(task.prepared(talk), 0, ScriptAnswer.model_validate(given))


def test_turns_of_a_barge_in_follow_the_turn_it_cuts():
    found = scripted([barge_in()], [beside(0, "I need", "uh")], [beside()])
    roles = [turn.role for turn in found.turns]
    assert roles == ["user", "assistant", "user", "assistant", "user", "assistant"]
    assert [turn.text for turn in found.turns[2:4]] == ["Not in the front, please.", "Then row nine it is."]
    assert found.turns[0].text == "I need two tickets for the show."
    assert found.marks == (
        Mark("hesitation", 0, 2, "user", "uh", "w"),
        Mark("barge_in", 1, 6, "user", "", "w"),
        Mark("backchannel", 5, 7, "user", "mm hm", "w"),
    )
    assert found.split(1) == ("There are seats in row five,", "and there are seats in row nine near the door.")


def test_the_next_turn_can_be_the_interruption():
    found = scripted([barge_in(1, "in row nine", None, None)])
    assert found.turns == ScriptTask(RECIPE).prepared(TALK).turns
    assert found.marks == (Mark("barge_in", 1, 13, "user", "", "w"),)


def test_two_barge_ins_number_their_turns_anew():
    found = scripted([barge_in(3, "is cheaper", "Great.", "Shall I book?"), barge_in()])
    assert [(mark.turn, mark.word, mark.role) for mark in found.marks] == [(1, 6, "user"), (5, 4, "user")]
    assert [turn.role for turn in found.turns] == ["user", "assistant"] * 4


def test_places_in_chinese_are_characters():
    talk = Written(
        "d", "zh", (Turn("user", "你好，帮我看看天气。"), Turn("assistant", "今天上午有雨，下午转晴，气温20度左右。"))
    )
    item = barge_in(1, "下午转晴", "那不用带伞了吧？", "上午出门还是带上吧。")
    found = scripted([item], talk=talk)
    (mark,) = found.marks
    assert found.turns[1].text[: units(found.turns[1].text)[mark.word - 1].end] == "今天上午有雨，下午转晴，"
    assert mark.word == 10


UNFIT = {
    "a turn that is not there": ({"barge_ins": [barge_in(4)]}, "bad_place"),
    "words that are not there": ({"barge_ins": [barge_in(after="row seven")]}, "bad_place"),
    "half a word": ({"barge_ins": [barge_in(after="row fi")]}, "bad_place"),
    "words that are there twice": ({"barge_ins": [barge_in(after="seats in row")]}, "bad_place"),
    "a third of two": ({"barge_ins": [barge_in(after="seats in row", occurrence=3)]}, "bad_place"),
    "the end of a turn": ({"barge_ins": [barge_in(after="near the door")]}, "bad_place"),
    "the beginning of a turn": ({"barge_ins": [barge_in(after="")]}, "bad_place"),
    "a backchannel at the beginning": ({"backchannels": [beside(after="")]}, "bad_place"),
    "a hesitation at the end": ({"hesitations": [beside(after="of the stage", text="")]}, "bad_place"),
    "only half of what is said": ({"barge_ins": [barge_in(goes_on=None)]}, "bad_barge_in"),
    "no turn that could interrupt": ({"barge_ins": [barge_in(3, "is cheaper", None, None)]}, "bad_barge_in"),
    "two in one turn": ({"barge_ins": [barge_in(), barge_in(after="in row nine")]}, "bad_barge_in"),
    "an interrupted interruption": (
        {"barge_ins": [barge_in(1, "row five", None, None), barge_in(2, "Which ones")]},
        "bad_barge_in",
    ),
    "a mark after the cut": ({"barge_ins": [barge_in()], "backchannels": [beside(1, "row nine")]}, "bad_mark"),
    "a mark at the cut": ({"barge_ins": [barge_in()], "hesitations": [beside(1, "row five", "um")]}, "bad_mark"),
    "a silent backchannel": ({"backchannels": [beside(text="")]}, "bad_mark"),
    "a speech for a backchannel": ({"backchannels": [beside(text="I see what you mean by that")]}, "bad_mark"),
    "what cannot be said": ({"hesitations": [beside(text="😀")]}, "bad_mark"),
    "two at one place": ({"hesitations": [beside(text="um"), beside(text="uh")]}, "bad_mark"),
    "too many": ({"barge_ins": [barge_in()] * 3}, "bad_size"),
    "an interruption in Chinese": ({"barge_ins": [barge_in(says="前排的不要，谢谢你。")]}, "wrong_language"),
    "a refusal": ({"barge_ins": [barge_in(says="I'm sorry, but I can't help with that.")]}, "refused"),
    "nothing to say": ({"barge_ins": [barge_in(says="😀")]}, "not_sayable"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_unfit_scripts(name):
    given, reason = UNFIT[name]
    with pytest.raises(UnfitAnswerError) as error:
        scripted(**given)
    assert error.value.reason == reason


WORDS = st.lists(st.sampled_from(["red", "green", "Blue,", "sky.", "I'm", "go"]), min_size=1, max_size=12)


@given(WORDS, st.data())
def test_any_quote_of_whole_words_is_found_where_it_was_taken(words, drawn):
    text = to_spoken(" ".join(words), "en")
    found = units(text)
    end = drawn.draw(st.integers(1, len(found)))
    start = drawn.draw(st.integers(0, end - 1))
    quote = text[found[start].start : found[end - 1].end]
    plain = [word.strip(",.").lower() for word in text.split()]
    wanted = plain[start:end]
    n_before = [k for k in range(len(wanted), len(plain) + 1) if plain[k - len(wanted) : k] == wanted]
    assert word_after(text, quote, n_before.index(end) + 1) == end
    if len(n_before) == 1:
        assert word_after(text, f" {quote.upper().strip(',.')} ", None) == end


def interrupted(*marks):
    turns = (*TALK.turns[:2], Turn("user", "Not in front."), Turn("assistant", "Old words."), Turn("user", "Fine."))
    return Written("d", "en", turns, (Mark("barge_in", 1, 6, "user"), *marks), added=(2, 3))


@pytest.mark.parametrize(
    ("text", "quote", "end"),
    [
        ("It’s “done” – now go.", 'it\'s "done"', 2),
        ("It's done - now go.", "It’s done — now", 4),
        ("It's done - now go.", "done now", 4),
        ("It's done now, go.", "done – now", 3),
        ("The twenty–first train goes.", "twenty-first", 2),
    ],
)
def test_a_quote_may_have_other_quotation_marks_and_dashes(text, quote, end):
    assert word_after(text, quote, None) == end


def test_a_follow_up_replaces_the_turn_after_the_interruption():
    task, talk = FollowUp(RECIPE), interrupted()
    (place,) = task.questions(talk)
    shown = task.variables(talk, place)
    assert [turn["text"] for turn in shown["turns"]][1:] == ["There are seats in row five,", "Not in front."]
    assert shown["unsaid"] == "and there are seats in row nine near the door."
    assert shown["next"] == [{"turn": 4, "role": "user", "text": "Fine."}]
    assert shown["role"] == "assistant"
    found = task.applied(talk, place, task.example(talk, place).model_copy(update={"text": "Then it's row 9."}))
    assert [turn.text for turn in found.turns[2:]] == ["Not in front.", "Then it's row nine.", "Fine."]


def test_a_turn_that_was_there_before_the_script_is_not_written_anew():
    assert FollowUp(RECIPE).questions(replace(interrupted(), added=())) == []


def test_what_was_cut_earlier_is_not_shown_as_said():
    first = Mark("barge_in", 0, 2, "assistant")
    shown = FollowUp(RECIPE).variables(interrupted(first), 1)["turns"]
    assert shown[0]["text"] == " ".join(TALK.turns[0].text.split()[:2])
