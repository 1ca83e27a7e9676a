"""Spanish, German and French in regression corpora of our own, one file per language, as for English.

The corpora do not judge case, commas, hyphens, brackets, quotes, and marks inside or at the end.
"""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.text import spoken, to_spoken
from datagen.text.european.skeleton import _CHARACTERS, _UNTIDY

LANGUAGES = ("es", "de", "fr")
LEAST = 150


def rows(language: str) -> list[tuple[str, str, list[str]]]:
    lines = Path(__file__).with_name(f"{language}.tsv").read_text("utf-8").splitlines()[1:]
    return [(name, written, forms.split(" | ")) for name, written, forms in (line.split("\t") for line in lines)]


CLASSES = [(language, name) for language in LANGUAGES for name in sorted({row[0] for row in rows(language)})]


def heard(text: str) -> str:
    """What the corpora compare."""
    return re.sub(r"[\s,.?!:;\"“”()'-]+", " ", text.lower().replace("'", "")).strip()


@pytest.mark.parametrize(("language", "name"), CLASSES)
def test_a_class_is_read_right(language, name):
    of_class = [(written, forms) for row, written, forms in rows(language) if row == name]
    read = [(written, to_spoken(written, language), forms) for written, forms in of_class]
    assert [(w, said, forms[0]) for w, said, forms in read if heard(said) not in map(heard, forms)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_corpus_holds_enough_and_is_read_to_its_end(language):
    written = [text for _, text, _ in rows(language)]
    assert len(written) >= LEAST
    assert [text for text in written if spoken(text, language).unread] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_is_said_again(language):
    said = [to_spoken(text, language) for _, text, _ in rows(language)]
    assert [text for text in said if spoken(text, language).text != text] == []


WRITTEN = (
    "5 1.234,56 1,234.56 12,50 € $ £ % ‰ - — / : . , º ª ° 3.er 1er 2e 14:30 14h30 14 Uhr 3.12.2024 2024-12-03 3/4 "
    "+34 612 345 678 Sr. M. z.B. Dr etc. XXI XIV. km/h m² kg 24/7 Mo-Fr L-V ~ & @ # ( ) ' \" {0} %s \\ a é ß B12 A-6 "
    "90er 1. <b> €/mes Mio. millones mayo Mai mai"
)
FRAGMENTS = st.sampled_from([*WRITTEN.split(), " ", "\n", "\n- "])
TEXTS = st.lists(st.one_of(FRAGMENTS, st.text(max_size=3), st.just(" ")), max_size=12).map("".join)


@settings(max_examples=80, deadline=None)
@given(TEXTS)
def test_spoken_text_is_clean_and_stays_unchanged(text):
    for language in LANGUAGES:
        said = to_spoken(text, language)
        assert _CHARACTERS.fullmatch(said) and not _UNTIDY.search(said) and not re.search(r"\d", said)
        assert to_spoken(said, language) == said


@pytest.mark.parametrize(
    ("language", "written", "unread"),
    [
        ("es", "∮ f", ("∮",)),
        ("de", "{name} 5", ("{", "}")),
        ("fr", "Привет 5", ("Привет",)),
        ("pt", "São 5 €, 12:30!", ("5", "€", "12:30")),
        ("it", "Il 5% di B12", ("5%", "B12")),
    ],
)
def test_what_no_rule_reads_is_reported(language, written, unread):
    assert spoken(written, language).unread == unread


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("pt", "**Olá**, tudo bem (contigo)? 😀", "Olá, tudo bem contigo?"),
        ("hi", "नमस्ते दुनिया।", "नमस्ते दुनिया।"),
        ("ja", "これは日本語です。", "これは日本語です。"),
    ],
)
def test_a_language_without_rules_says_plain_prose(language, written, said):
    assert spoken(written, language) == (spoken(said, language)) and to_spoken(written, language) == said
