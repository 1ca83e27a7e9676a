"""Answers that lose a turn, change a role, are in another language, too long, or refuse are unfit."""

import pytest

from datagen.authoring.answers import ScoreAnswer, Turns, UnfitAnswerError, parse
from datagen.authoring.authored import Brief, rejected
from datagen.authoring.script_checks import check_new_dialogue, check_rewritten, refuses
from datagen.records import Turn

BEFORE = (Turn("user", "What should I cook tonight with eggs?"), Turn("assistant", "An omelette takes ten minutes."))
ZH = "今天晚上用鸡蛋做点什么菜好呢？"


def rewritten(*turns, language="en", **options):
    check_rewritten([Turn(*turn) for turn in turns], BEFORE, language, **options)


def test_a_rewritten_dialogue_that_fits():
    rewritten(("user", "So, what could I make with eggs tonight?"), ("assistant", "An omelette, that's ten minutes."))


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([("user", "What should I cook with my eggs?")], "lost_turn"),
        ([("user", "a"), ("assistant", "b"), ("user", "c")], "lost_turn"),
        ([("assistant", "What should I cook with eggs?"), ("assistant", "An omelette.")], "changed_role"),
        ([("user", "What should I cook with eggs?"), ("assistant", "well " * 53)], "bad_size"),
        ([("user", ZH), ("assistant", ZH)], "wrong_language"),
        ([("user", "What should I cook with eggs?"), ("assistant", "😀")], "not_sayable"),
        ([("user", "What should I cook?"), ("assistant", "I'm sorry, but I can't assist with that.")], "refused"),
    ],
)
def test_a_rewritten_dialogue_that_does_not(turns, reason):
    with pytest.raises(UnfitAnswerError) as error:
        rewritten(*turns)
    assert error.value.reason == reason


def test_a_turn_must_not_shrink_to_nothing():
    with pytest.raises(UnfitAnswerError, match="had 60"):
        check_rewritten([Turn("user", "Okay then.")], [Turn("user", "word " * 60)], "en")


def test_a_refusal_that_was_there_before_stays():
    before = (Turn("user", "Open the door of the house for me."), Turn("assistant", "I can't help with that."))
    check_rewritten(before, before, "en")


def test_a_translation_may_be_of_any_length():
    rewritten(("user", ZH), ("assistant", "蛋" * 200), language="zh", translated=True)


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([("assistant", "Hello, what can I do for you today?"), ("user", "Nothing much.")], "changed_role"),
        ([("user", "Hello there, how are you?"), ("user", "And now?")], "changed_role"),
        ([("user", "Hello there, how are you?"), ("assistant", "Good."), ("user", "Bye.")], "bad_size"),
        ([("user", "Hello there, how are you?"), ("assistant", "Good.")] * 3, "bad_size"),
        ([("user", "Hello there, how are you?"), ("assistant", "good " * 21)], "bad_size"),
        ([("user", ZH), ("assistant", ZH)], "wrong_language"),
        ([("user", "Hello there, how are you?"), ("assistant", "As an AI, I can't comply.")], "refused"),
        ([("user", "Hello there, how are you?"), ("assistant", "...")], "not_sayable"),
    ],
)
def test_a_new_dialogue_that_does_not_fit(turns, reason):
    with pytest.raises(UnfitAnswerError) as error:
        check_new_dialogue([Turn(*turn) for turn in turns], "en", (2, 4), 20)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot assist with this request.",
        "Sorry, but I can't create that.",
        "Unfortunately, I cannot provide this.",
        "I can't help with that.",
        "I can't assist with that request.",
        "I'm unable to comply.",
        "I am not able to help you with that, sorry.",
        "I cannot fulfill your request.",
        "I'm sorry, but I can't assist with creating sexual content.",
        "I won't write this kind of content.",
        "I'm sorry, I can't help.",
        "As an AI language model, I cannot generate that content.",
        "I must decline this request.",
        "很抱歉，我无法满足这个要求。",
        "对不起，我不能写这个。",
        "我无法提供这样的内容。",
        "抱歉，我无法协助。",
        "作为一个人工智能助手，我不能生成这类内容。",
        "对不起，我不能帮你完成这个请求。",
    ],
)
def test_refusals_are_seen(text):
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry to hear that. Did you try a new bulb?",
        "Sorry, could you say that again?",
        "I can't believe it's Friday.",
        "Unfortunately, it rains.",
        "对不起，我听错了，再说一遍？",
        "我不能吃辣。",
        "I'm sorry, I can't do Friday, how about Saturday?",
        "I won't do that again.",
        "As an AI, I don't have a body, but I hear swimming is good for the back.",
        "As an AI language model, I don't get tired.",
        "I can't help it, I love cake.",
        "I can't help you with that box until Monday.",
        "Sorry, I can't write this down right now.",
        "I can't continue the course.",
        "对不起，我没办法早点到。",
        "我不能完成作业了，怎么办？",
        "作为一个人工智能助手，我没有身体，不过游泳对腰好。",
        "我没办法提供发票，店里关门了。",
    ],
)
def test_what_people_say_is_no_refusal(text):
    assert not refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"turns": []}',
        '{"turns": [{"role": "user", "text": ""}]}',
        '{"turns": [{"role": "system", "text": "x"}]}',
        '{"turns": [{"role": "user", "text": "a\\u0000b"}]}',
        f'{{"turns": [{{"role": "user", "text": "{"x" * 2001}"}}]}}',
        '{"turns": [{"role": "user", "text": "x"}]} and more',
    ],
)
def test_answers_of_another_type_are_unfit(text):
    with pytest.raises(UnfitAnswerError):
        parse(text, Turns)


@pytest.mark.parametrize("score", ['"7"', "7.0", "true", "0", "11", "null"])
def test_a_score_is_a_whole_number_from_1_to_10(score):
    assert parse('{"reason": "x", "score": 10}', ScoreAnswer).score == 10
    with pytest.raises(UnfitAnswerError):
        parse(f'{{"reason": "x", "score": {score}}}', ScoreAnswer)


def test_an_answer_may_stand_in_a_fence_after_thoughts():
    text = '<think>{"turns": []}</think>\n```json\n{"turns": [{"role": "user", "text": "  Hi there 👩‍🍳 "}]}\n```'
    assert parse(text, Turns).turns[0].text == "Hi there 👩‍🍳"


def test_a_person_who_says_no_refuses_nothing():
    turns = [Turn("user", "I'm sorry, I can't help you with that."), Turn("assistant", "That's fine, maybe next week.")]
    check_new_dialogue(turns, "en", (2, 4), 20)
    check_rewritten(turns, [Turn("user", "No, I have no time for it."), turns[1]], "en")


@pytest.mark.parametrize("before", ["", "Hm.</think>", "<think>In R1, </think> ends it.</think>"])
def test_a_text_may_name_the_mark_that_ends_thoughts(before):
    turns = '{"turns": [{"role": "user", "text": "What does </think> mean?"}]}'
    if before.count("</think>") < 2:
        assert parse(before + turns, Turns).turns[0].text == "What does </think> mean?"
    assert parse(before + turns.replace("</think>", "it"), Turns).turns[0].text == "What does it mean?"


def test_characters_that_only_format_are_dropped():
    text = '{"turns": [{"role": "user", "text": "so\\u00adft \\u200bnow\\u202e 👩\\u200d🍳"}]}'
    assert parse(text, Turns).turns[0].text == "soft now 👩\u200d🍳"


def test_a_reject_keeps_as_much_of_the_answer_as_there_is_room():
    found = rejected(Brief("b", "t", "en", record=7), "broken_json", "why", "x" * 10_000)
    assert (len(found.detail), found.record, found.detail[-1]) == (4000, 7, "…")
