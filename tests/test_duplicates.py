import random

import pytest

from datagen.duplicates import NearDuplicates, exact_key
from datagen.records import Dialogue, Turn

WORDS = [f"{a}{b}{c}" for a in "bcdfghjklm" for b in "aeiou" for c in ("nt", "rk", "st")]


def dialogue(*texts, id_="d"):
    return Dialogue(id_, tuple(Turn(("user", "assistant")[i % 2], text) for i, text in enumerate(texts)))


def sentence(random_, n_words=40):
    return " ".join(random_.choice(WORDS) for _ in range(n_words))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Hello, World!", "Hi."), ("hello  world", "HI")),
        (("Ｆｕｌｌ width",), ("full width",)),
        (("你好，世界！",), ("你好世界",)),
        (("straße",), ("STRASSE",)),
    ],
)
def test_same_but_for_case_space_and_punctuation(one, other):
    assert exact_key(dialogue(*one, id_="a")) == exact_key(dialogue(*other, id_="b"))
    assert len(exact_key(dialogue(*one))) == 16


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a b", "c"), ("a", "bc")),
        (("What is 2+2?",), ("What is 22?",)),
        (("हिंदी",), ("हद",)),
        (("a",), ("a", "")),
        (("x\0y",), ("x", "y")),
    ],
)
def test_different_dialogues_have_different_keys(one, other):
    assert exact_key(dialogue(*one)) != exact_key(dialogue(*other))


def test_roles_count():
    assert exact_key(Dialogue("d", (Turn("user", "a"),))) != exact_key(Dialogue("d", (Turn("assistant", "a"),)))


def test_any_text_has_a_key():
    assert exact_key(dialogue("\ud800\x00")) and NearDuplicates().seen(dialogue("\ud800")) is None


def test_near_duplicates_are_found_and_strangers_are_not():
    chance = random.Random(1)
    near = NearDuplicates(threshold=0.7)
    texts = [sentence(chance) for _ in range(200)]
    assert [near.seen(dialogue(text, id_=str(i))) for i, text in enumerate(texts)] == [None] * 200
    for i, text in enumerate(texts):
        words = text.split()
        words[chance.randrange(len(words))] = "changed"
        assert near.seen(dialogue(" ".join(words))) == str(i)


def test_half_changed_is_not_near():
    chance = random.Random(2)
    near = NearDuplicates(threshold=0.7)
    for i in range(100):
        words = sentence(chance).split()
        assert near.seen(dialogue(" ".join(words), id_=str(i))) is None
        assert near.seen(dialogue(" ".join(words[:20]) + " " + sentence(chance, 20))) is None


def test_a_low_threshold_finds_what_a_high_one_does_not():
    chance = random.Random(3)
    words = sentence(chance).split()
    similar = dialogue(" ".join(words[:30]) + " " + sentence(chance, 10))
    found = []
    for threshold in (0.35, 0.95):
        near = NearDuplicates(threshold)
        near.seen(dialogue(" ".join(words), id_="first"))
        found.append(near.seen(similar))
    assert found == ["first", None]


def test_memory_is_bounded_and_forgets_the_oldest():
    chance = random.Random(4)
    near = NearDuplicates(capacity=16)
    texts = [sentence(chance) for _ in range(40)]
    for i, text in enumerate(texts):
        near.seen(dialogue(text, id_=str(i)))
    assert len(near._ids) == 16
    assert near.seen(dialogue(texts[-1])) == "39"
    assert near.seen(dialogue(texts[0])) is None


@pytest.mark.parametrize(("threshold", "capacity"), [(0, 10), (1.1, 10), (0.8, 0)])
def test_impossible_settings_fail(threshold, capacity):
    with pytest.raises(ValueError, match="threshold"):
        NearDuplicates(threshold, capacity)
