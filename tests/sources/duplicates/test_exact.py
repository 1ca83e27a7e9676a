import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.records import Dialogue, Turn
from datagen.sources.duplicates import essence_of, exact_key, texts_of
from datagen.sources.duplicates.exact import _IGNORED, _essence


def talk(*texts, first="user"):
    roles = ("user", "assistant") if first == "user" else ("assistant", "user")
    return Dialogue("d", tuple(Turn(roles[i % 2], text) for i, text in enumerate(texts)))


def key(*texts, **how):
    return exact_key(essence_of(talk(*texts, **how)))


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
    assert key(*one) == key(*other)
    assert len(key(*one)) == 16


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
    assert key(*one) != key(*other)


TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from(" .,!\t\x1c\x85ΣςßＡé\u0301\0\1"))


@given(TEXT, TEXT)
def test_turns_are_folded_alike_together_and_alone(one, other):
    """So a key is that of the turns one by one, though it is made in one go."""
    assert _essence(f"{one}\0{other}") == f"{_essence(one)}\0{_essence(other)}"


@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_of_ascii_leads_to_the_same(text):
    assert _essence(text) == _IGNORED.sub("", unicodedata.normalize("NFKC", text).casefold())


def test_roles_count():
    assert key("a") != key("a", first="assistant")


def test_any_text_has_a_key():
    assert key("\ud800\x00")


def test_the_text_of_a_dialogue_holds_no_role():
    assert texts_of(essence_of(talk("Hi there!", "Oh.", "Bye."))) == ("hithere\0oh\0bye", ["hithere", "bye"])
