"""Checks per task that bite: what a translation or a rewording loses, and what speakers may not claim."""

import pytest

from datagen.authoring.answers import UnfitAnswerError
from datagen.authoring.meaning import check_reworded, check_translated
from datagen.authoring.persona import check_claims
from datagen.records import Turn


def reason(check, *arguments) -> str:
    """Reason for which a check refuses; empty if it accepts."""
    try:
        check(*arguments)
    except UnfitAnswerError as error:
        return error.reason
    return ""


def turn(text: str) -> list[Turn]:
    return [Turn("user", text)]


@pytest.mark.parametrize(
    ("before", "source", "after", "language", "expected"),
    [
        ("Meet me at the church at 7.", "en", "七点在教堂见我。", "zh", ""),
        ("Meet me at the church at 7.", "en", "在教堂见我。", "zh", "changed_number"),
        ("Meet me at the church at 7.", "en", "八点在教堂见我，带7本书，还有9支笔。", "zh", "changed_number"),
        ("Meet me at the church at 7.", "en", "Meet me at the church at 7.", "zh", "untranslated"),
        ("Meet me at the church at 7.", "en", "在 church at 7 见 me please my friend", "zh", "untranslated"),
        ("7点在教堂见我。", "zh", "Meet me at the church at seven.", "en", ""),
        ("7点在教堂见我。", "zh", "Meet me 在教堂 at seven.", "en", "untranslated"),
        ("我的iPhone坏了。", "zh", "My iPhone is broken.", "en", ""),
        ("我的iPhone坏了。", "zh", "My telephone is broken.", "en", "lost_name"),
        ("下午15点开会。", "zh", "The meeting is at 3 pm.", "en", ""),
        ("I told Marta about the boat.", "en", "Ich habe Marta vom Boot erzählt.", "de", ""),
        ("I told Marta about the boat.", "en", "Ich habe ihr vom Boot erzählt.", "de", "lost_name"),
        ("I told her about the boat.", "en", "I told her about the boat.", "de", "untranslated"),
        ("OK", "en", "OK", "zh", ""),
    ],
)
def test_translations(before, source, after, language, expected):
    assert reason(check_translated, turn(after), turn(before), language, source) == expected


def test_half_a_translation_is_found_by_its_turn():
    before = [Turn("user", "Where is the station?"), Turn("assistant", "It is behind the old market.")]
    half = [Turn("user", "车站在哪里？"), before[1]]
    with pytest.raises(UnfitAnswerError, match="turn 1 is not, or only in part, in zh"):
        check_translated(half, before, "zh", "en")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Take 30 mg at 7.", "So, take thirty milligrams at seven.", ""),
        ("Take 30 mg at 7.", "So, take some of it at seven.", "changed_number"),
        ("Take 30 mg at 7.", "So, take 30 at 7, and 90 at night.", "changed_number"),
        ("Ask my friend Paul.", "Well, ask Paul.", ""),
        ("Ask my friend Paul.", "Well, ask him.", "lost_name"),
        ("Do not open it.", "Well, don't open it.", ""),
        ("Do not open it.", "Well, open it.", "changed_negation"),
        ("Open it.", "Well, never open it.", "changed_negation"),
        ("It is cold.", "It's cold, isn't it?", ""),
        ("In 1998 it rained.", "Back in nineteen ninety-eight it rained.", ""),
        ("Wait 15 minutes.", "Give it a quarter of an hour.", ""),
    ],
)
def test_rewordings(before, after, expected):
    assert reason(check_reworded, turn(after), turn(before), "en") == expected


def test_a_long_turn_may_be_condensed_but_gets_no_new_figures():
    before = turn("It costs 20 euros for adults and 10 for children. " + "There is a lot more to say about that. " * 8)
    assert reason(check_reworded, turn("It's 20 euros for adults."), before, "en") == ""
    assert reason(check_reworded, turn("It's not cheap."), before, "en") == "changed_number"
    assert reason(check_reworded, turn("It's 20 euros, or 55 for a family."), before, "en") == "changed_number"


def test_rewordings_in_chinese():
    assert reason(check_reworded, turn("那就五点吧，别迟到。"), turn("请于5点到达，不要迟到。"), "zh") == ""
    assert reason(check_reworded, turn("那就五点吧。"), turn("请于5点到达，不要迟到。"), "zh") == "changed_negation"
    assert (
        reason(check_reworded, turn("那就六点吧，别迟到。"), turn("请于5点到达，不要迟到。"), "zh") == "changed_number"
    )


@pytest.mark.parametrize(
    ("user", "assistant", "persona", "topic", "language", "expected"),
    [
        ("Is rye bread hard to bake?", "Not really.", "", "baking rye bread", "en", ""),
        ("Is it hard?", "Not really.", "", "baking rye bread", "en", "off_topic"),
        ("Is rye bread hard?", "I baked one yesterday.", "", "rye bread", "en", "claims_body"),
        ("Is rye bread hard?", "My wife says it is.", "", "rye bread", "en", "claims_body"),
        ("I baked rye bread once.", "How was it?", "", "rye bread", "en", ""),
        ("I'm a pilot, and I love rye bread.", "Nice.", "a retired nurse", "rye bread", "en", "wrong_persona"),
        ("I'm a nurse, and I love rye bread.", "Nice.", "a retired nurse", "rye bread", "en", ""),
        ("I'm 40, and I love rye bread.", "Nice.", "a nurse, 63 years old", "rye bread", "en", "wrong_persona"),
        ("黑麦面包难做吗？", "我吃过，很好吃。", "", "黑麦面包", "zh", "claims_body"),
        ("我是飞行员，黑麦面包难做吗？", "不难。", "护士，38岁", "黑麦面包", "zh", "wrong_persona"),
        ("黑麦面包难做吗？", "不难。", "护士，38岁", "黑麦面包", "zh", ""),
    ],
)
def test_claims(user, assistant, persona, topic, language, expected):
    turns = [Turn("user", user), Turn("assistant", assistant)]
    assert reason(check_claims, turns, language, persona, topic) == expected
