"""Corrections of a value: only values that stand alone, and the right one is said last."""

import pytest

from datagen.pipeline.draws import Draws
from datagen.pipeline.script.correct import corrected


def fix(text: str, language: str = "en", seed: int = 1):
    return corrected(
        text, [], language, {"no,": 1} if language == "en" else {"不对，": 1}, Draws(seed, "d1", 24_000), 0
    )


@pytest.mark.parametrize(
    ("text", "language", "right"),
    [
        ("Book a table for four.", "en", "for four"),
        ("See you on Tuesday, then.", "en", "on Tuesday"),
        ("Is it cold in April?", "en", "in April"),
        ("I need five more.", "en", "five"),
        ("我们三点见吧。", "zh", "三点"),
        ("我想要五个苹果。", "zh", "五个"),
        ("那就星期二吧。", "zh", "星期二"),
    ],
)
def test_the_right_value_is_said_last_and_the_rest_is_untouched(text, language, right):
    values = set()
    for seed in range(12):
        found = fix(text, language, seed)
        start, end = found.span
        said = found.spoken[start:end]
        assert said.endswith(right)
        assert ("no, " if language == "en" else "不对，") in said
        assert text.endswith(found.spoken[end:])
        assert text.startswith(found.spoken[:start])
        assert len(found.spoken) - (end - start) == len(text) - len(text[start : len(text) - len(found.spoken[end:])])
        values.add(said.split("，" if language == "zh" else ",")[0])
    assert len(values) > 1
    assert right.split()[-1] not in values


def test_the_wrong_value_is_near_the_right_one():
    found = {fix("Book a table for six.", seed=seed).spoken.split(",")[0].split()[-1] for seed in range(30)}
    assert found == {"four", "five", "seven", "eight"}


@pytest.mark.parametrize(
    ("text", "earlier", "language"),
    [
        ("Let us say four.", ["Is four good?"], "en"),
        ("Four is perfect, so four.", [], "en"),
        ("我们三点见。", ["三点可以吗？"], "zh"),
    ],
)
def test_nobody_gets_a_value_wrong_that_was_named_before(text, earlier, language):
    assert corrected(text, earlier, language, {"no,": 1}, Draws(1, "d1", 24_000), 0) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Call five five five, zero one four two.", "en"),
        ("It costs four hundred dollars.", "en"),
        ("At four thirty in the morning.", "en"),
        ("Twenty four of them.", "en"),
        ("Ten of them, please.", "en"),
        ("One more, and in May or March.", "en"),
        ("No numbers at all.", "en"),
        ("一共是三百五十块。", "zh"),
        ("三点五个百分点。", "zh"),
        ("第三个问题。", "zh"),
        ("Es sind vier.", "de"),
    ],
)
def test_larger_numbers_and_what_is_no_value_stay(text, language):
    assert fix(text, language) is None
