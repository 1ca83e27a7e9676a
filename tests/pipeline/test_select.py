from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from datagen.pipeline.select import Select, count_words
from datagen.recipe import SelectConfig
from datagen.records import Dialogue, Judged, Mark, Reject, Turn

GOOD = "That sounds like a very nice plan to me."


def dialogue(answer, question="Can you help me with this, please?", language="", id_="d"):
    return Dialogue(id_, (Turn("user", question), Turn("assistant", answer)), "s", language, 7)


def judge(item, **settings_):
    return Select(SelectConfig(**{"languages": ("en", "zh"), **settings_}))(item)


def reason(item, **settings_):
    out = judge(item, **settings_)
    return out.reason if isinstance(out, Reject) else "kept"


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        "It costs $29.99 a month, or about 5% less with the yearly plan (see www.example.com).",
        "1. Wake up early.\n2. Drink some water.\n3. Go for a walk.",
        "Two plus two is four, so 2 + 2 = 4.",
        "当然可以！我今天有3个好主意：去公园、看电影、吃火锅。",
        "Use the `print` function, it writes whatever text you hand to it on the screen, and that is it.",
        "Hi! 😀 What a lovely day it is, I would love to go out and see the sea with you and your friends today.",
    ],
)
def test_talk_is_kept(answer):
    assert reason(dialogue(answer)) == "kept"


REJECTED = [
    ("code", "Sure:\n```python\nprint(1)\n```\nThat is it."),
    ("code", "def f(x):\n    return x + 1\n"),
    ("code", 'for (int i = 0; i < n; i++) {\n  printf("%d", i);\n}'),
    ("code", '{"name": "John",\n"age": 20}\n'),
    ("code", "SELECT name FROM users;\n"),
    ("mathematics", "We get \\frac{1}{2} of \\sqrt{2} and \\alpha then \\beta from it."),
    ("mathematics", "First x = 2a + b, then y = 3 and so z = 4 for all of them."),
    ("mathematics", "面积为 3 × 5 = 15，所以 15 × 2 = 30，最后 30 + 1 = 31。"),
    ("table", "Here you are:\n| a | b |\n|---|---|\n| 1 | 2 |"),
    ("html", "Write <strong>bold</strong> text there."),
    ("list", "\n".join(f"{i}. Do the thing well." for i in range(1, 6))),
    ("list", "- eggs\n- milk\n- flour\n- sugar"),
    ("list", "1.鸡蛋很好\n2.牛奶很好\n3.面粉很好\n4.糖很好"),
    ("urls", "See http://a.com/x and http://b.com/y for this."),
    ("placeholder", "Dear [Name], thank you for the letter."),
    ("long_word", "It says " + "QUJD" * 20 + " in there."),
    ("repetition", "I am sorry about that. " * 10),
    ("repetition", "我很抱歉听到这个。" * 10),
    ("rare_symbols", "Look at this ♠♣♥♦ and ░▒▓█ and so on."),
    ("foreign_script", "Ask for 豆腐豆腐豆腐 and 米饭米饭 when you are there."),
    ("control_characters", "What is\x00 this thing?"),
    ("unspeakable", "..."),
    ("unspeakable", "😀"),
    ("turn_too_long", "Once there was a very old man. " * 40),
    ("turn_too_long", "".join(chr(0x4E00 + i) for i in range(400))),
    ("language", "Das ist wirklich sehr schön, ich freue mich auf den Abend mit euch allen."),
    ("language", "Это очень хорошая идея, давай так и сделаем вместе."),
]


@pytest.mark.parametrize(("wanted", "answer"), REJECTED)
def test_what_cannot_be_talk_is_rejected(wanted, answer):
    language = "en" if wanted in ("unspeakable", "rare_symbols", "foreign_script") else ""
    foreign = {"Das": "Wie findest du das alles hier denn so?", "Это": "Как тебе это?"}
    question = foreign.get(answer[:3], "Could you help me?")
    found = judge(dialogue(answer, question, language), max_rare_share=0.1)
    assert isinstance(found, Reject) and found.reason == wanted
    assert (found.record, found.dialogue_id, found.source, found.stage) == (7, "d", "s", "select")
    assert found.detail.startswith("turn 1: ") or wanted in ("language", "rare_symbols", "foreign_script")


def test_detail_says_what_was_found_where_and_what_is_allowed():
    assert judge(dialogue(GOOD), max_words_per_turn=7).detail == "turn 1: 9 words, at most 7 allowed"


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("min_turns", 3, "too_few_turns"),
        ("max_turns", 1, "too_many_turns"),
        ("min_words", 100, "too_few_words"),
        ("max_words", 10, "too_many_words"),
        ("max_words_per_turn", 5, "turn_too_long"),
        ("languages", ("zh",), "language"),
    ],
)
def test_every_count_is_a_setting(name, value, wanted):
    assert reason(dialogue(GOOD)) == "kept"
    assert reason(dialogue(GOOD), **{name: value}) == wanted


def test_thresholds_move_the_line():
    listed = dialogue("- eggs\n- milk\n- flour\n- sugar")
    assert (reason(listed), reason(listed, max_list_items=4)) == ("list", "kept")
    sums = dialogue("1 + 1 = 2 and 2 + 2 = 4 are both right.")
    assert (reason(sums), reason(sums, max_math_symbols=4)) == ("mathematics", "kept")
    table = dialogue("| a | b |\n| c | d |\nSo much for that.")
    assert (reason(table), reason(table, max_table_rows=2, max_rare_share=1)) == ("table", "kept")


def test_language_is_set_and_the_one_given_is_trusted():
    assert judge(dialogue(GOOD)).language == "en"
    assert judge(dialogue("好的，没问题。", "你能帮我吗？")).language == "zh"
    assert judge(dialogue(GOOD, language="en-US")).language == "en"
    assert reason(dialogue(GOOD, language="fr")) == "language"


def test_each_is_judged_by_itself_and_the_input_is_untouched():
    batch = [dialogue(GOOD, id_="a"), dialogue("x;\ny;\nz;", id_="b"), dialogue(GOOD, id_="c")]
    before = list(batch)
    select = Select(SelectConfig())
    out = [select(item) for item in batch]
    assert [getattr(item, "id", None) or item.dialogue_id for item in out] == ["a", "b", "c"]
    assert batch == before and isinstance(out[1], Reject)
    assert out[0] == Select(SelectConfig())(batch[0])


def test_words_are_counted_alike_in_both_scripts():
    assert count_words("今天天气很好啊") == 4
    assert count_words("I like 北京烤鸭 a lot") == 7


def test_unknown_and_impossible_settings_fail():
    for bad in ({"max_wrods": 1}, {"max_code_share": 1.5}, {"min_turns": 0}, {"languages": ()}):
        with pytest.raises(ValidationError):
            SelectConfig(**bad)
    assert all(field.description for field in SelectConfig.model_fields.values())


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["", "en", "zh", "fr"]))
def test_any_text_gets_a_verdict(text, language):
    out = judge(dialogue(text, language=language))
    assert isinstance(out, Dialogue | Reject)


@pytest.mark.parametrize(
    ("judged", "settings_", "wanted"),
    [
        (Judged(6, 8, 10), {"min_scores": {"spokenness": 6}}, "kept"),
        (Judged(5, 8, 10), {"min_scores": {"spokenness": 6}}, "low_score"),
        (Judged(5, 8, 10), {"min_scores": {"coherence": 8, "safety": 10}}, "kept"),
        (Judged(9, 8, 9), {"min_scores": {"coherence": 8, "safety": 10}}, "low_score"),
        (Judged(1, 1, 1), {}, "kept"),
        (None, {"min_scores": {"safety": 10}}, "kept"),
        (None, {"min_scores": {"safety": 10}, "require_scores": True}, "no_score"),
        (Judged(spokenness=9), {"min_scores": {"safety": 10}, "require_scores": True}, "no_score"),
        (Judged(spokenness=9), {"min_scores": {"safety": 10}}, "kept"),
        (None, {"require_scores": True}, "kept"),
    ],
)
def test_scores_of_a_judge_gate(judged, settings_, wanted):
    assert reason(replace(dialogue(GOOD), judged=judged), **settings_) == wanted


def test_a_low_score_is_named():
    out = judge(replace(dialogue(GOOD), judged=Judged(safety=3)), min_scores={"safety": 7})
    assert out.detail == "safety 3, at least 7 wanted"


def test_what_came_with_a_dialogue_stays_with_it():
    given_ = replace(dialogue(GOOD), judged=Judged(9, 9, 9), marks=(Mark("hesitation", 0, 1, "user"),))
    assert judge(given_) == replace(given_, language="en")


NAMED = [
    ("chat_template", "<|im_start|>assistant\nSure, gladly."),
    ("chat_template", "[INST] Tell me more, please. [/INST]"),
    ("chat_template", "Sure.\n### Human: And what else?"),
    ("role_labels", "Human: Which bus goes there?\nAssistant: The nine goes there."),
    ("role_labels", "人类：坐几路车？\n助手：坐九路。"),
    ("role_labels", "Q: Which bus goes there?\nA: The nine goes there."),
    ("reasoning", "<think>They want the bus. Take the nine."),
    ("media_tag", "<image> That is a fine harbor."),
    ("media_tag", "Look: ![the harbor](harbor.png) is here."),
    ("html", "Write &lt;b&gt;bold&lt;/b&gt; text there."),
]


@pytest.mark.parametrize(("wanted", "answer"), NAMED)
def test_a_reason_names_the_thing_that_was_found(wanted, answer):
    found = judge(dialogue(answer))
    assert isinstance(found, Reject) and found.reason == wanted, found


MILD = [
    ("[laughter] Take the number nine.", "Take the number nine.", "stage_direction"),
    ("（微笑）坐九路车就可以到港口。", "坐九路车就可以到港口。", "stage_direction"),
    ("Sure (laughs) take the nine.", "Sure take the nine.", "stage_direction"),
    ("Oh. *looks at the map* Take the nine.", "Oh. Take the nine.", "stage_direction"),
    ("<think>Nine goes there.</think>Take the number nine.", "Take the number nine.", "reasoning"),
    ("Assistant: Take the number nine.", "Take the number nine.", "role_labels"),
    ("【小助手】坐九路车就可以到港口。", "坐九路车就可以到港口。", "role_labels"),
]


@pytest.mark.parametrize(("written", "left", "reason"), MILD)
def test_what_nobody_says_is_dropped_with_a_notice(written, left, reason):
    found = judge(dialogue(written))
    assert found.turns[1].text == left
    (notice,) = found.notices
    assert notice.startswith(f"{reason}: turn 1: ")


@pytest.mark.parametrize(
    "answer",
    [
        "I *always* take it, it is (as they say) the best (most of the time).",
        "Salt &amp; vinegar are in the &quot;blue&quot; box, AT&T sells it.",
        "Such a nice day! 😀",
        "The word is привет, and they say it to friends whom they meet in the street there.",
        "Rank blue, green and yellow, and use the `customer` list for all of it.",
        "Use 1/2 cup butter, 1/2 cup corn syrup, 1/2 teaspoon salt and 1 1/2 cups pecans.",
        "It is about dogs [dogs, cats, pigs] and such.",
    ],
)
def test_mild_things_cost_nothing_and_are_left(answer):
    found = judge(dialogue(answer, language="en"))
    assert isinstance(found, Dialogue) and found.notices == (), found


def test_entities_are_decoded_before_they_are_judged_and_said():
    assert judge(dialogue("What&#39;s the fare? Two &amp; a half.")).turns[1].text == "What's the fare? Two & a half."


def test_a_direction_in_a_dialogue_with_marks_is_a_reject_because_words_are_counted():
    marked = replace(dialogue("[laughter] Take the number nine."), marks=(Mark("hesitation", 1, 1, "assistant"),))
    assert judge(marked).reason == "stage_direction"


def long_talk(n_turns, overlong=None):
    texts = [f"{GOOD} {k}" if k != overlong else "Once there was a very old man. " * 40 for k in range(n_turns)]
    return Dialogue("d", tuple(Turn("assistant" if k % 2 else "user", text) for k, text in enumerate(texts)), "s", "en")


@pytest.mark.parametrize(
    ("talk", "limits", "n_left", "cut"),
    [
        (long_talk(8, overlong=5), {}, 4, "turn_too_long"),
        (long_talk(8, overlong=4), {}, 4, "turn_too_long"),
        (long_talk(8), {"max_turns": 5}, 4, "too_many_turns"),
        (long_talk(8), {"max_words": 45}, 4, "too_many_words"),
        (long_talk(8), {}, 8, ""),
    ],
)
def test_a_dialogue_is_cut_at_an_assistants_turn_before_what_is_too_long(talk, limits, n_left, cut):
    found = judge(talk, **limits)
    assert (len(found.turns), found.cut) == (n_left, cut)
    assert found.turns == talk.turns[:n_left]


def test_nothing_is_cut_if_too_little_is_left_or_trim_is_off():
    assert reason(long_talk(8, overlong=1)) == "turn_too_long"
    assert reason(long_talk(8, overlong=5), min_turns=6) == "turn_too_long"
    assert reason(long_talk(8, overlong=5), trim=False) == "turn_too_long"
    assert reason(replace(long_talk(4), cut="tool_call"), trim=False) == "tool_call"
    assert judge(replace(long_talk(4), cut="tool_call")).cut == "tool_call"


def test_marks_of_turns_that_are_cut_go_with_them():
    marks = (
        Mark("backchannel", 1, 1, "user", "mm"),
        Mark("barge_in", 3, 2, "user"),
        Mark("hesitation", 5, 1, "assistant"),
    )
    found = judge(replace(long_talk(8, overlong=5), marks=marks))
    assert found.marks == marks[:1]  # the barge-in's words are those of turn 4


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=2, max_size=12).filter(lambda sizes: len(sizes) % 2 == 0), st.integers(8, 60)
)
def test_what_is_cut_is_a_prefix_within_the_limits(sizes, most):
    turns = tuple(Turn("assistant" if k % 2 else "user", "word " * n + "ends") for k, n in enumerate(sizes))
    found = judge(Dialogue("d", turns, "s", "en"), max_words_per_turn=most, max_repeated_share=1)
    if isinstance(found, Dialogue):
        assert found.turns == turns[: len(found.turns)] and found.turns[-1].role == "assistant"
        assert all(count_words(turn.text) <= most for turn in found.turns)
        assert bool(found.cut) == (len(found.turns) < len(turns))
