"""English in a regression corpus of our own: written text, and the forms in which it may be said.

The corpus does not judge case, commas, hyphens, brackets, quotes, marks inside or at the end, or
whether the letters of an acronym stand apart.
"""

import csv
import re
from pathlib import Path

import pytest

from datagen.text import spoken

ROWS = [
    (row["class"], row["written"], row["spoken"].split(" | "))
    for row in csv.DictReader(
        Path(__file__).with_name("en.tsv").open(encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE
    )
]
LEAST = 600


def heard(text: str) -> str:
    """What the corpus compares."""
    return re.sub(r"[\s,.?!:;\"“”()'-]+", " ", text.lower().replace("'", "")).strip()


def right(written: str, accepted: list[str]) -> bool:
    return heard(spoken(written, "en").text) in {heard(form) for form in accepted}


@pytest.mark.parametrize("name", sorted({name for name, _, _ in ROWS}))
def test_a_class_is_read_right(name):
    of_class = [(written, accepted) for row, written, accepted in ROWS if row == name]
    wrong = [(written, spoken(written, "en").text, accepted[0]) for written, accepted in of_class if not right(written, accepted)]
    assert not wrong


def test_every_text_of_the_corpus_is_read_to_its_end():
    unread = {written: reading.unread for _, written, _ in ROWS if (reading := spoken(written, "en")).unread}
    assert not unread


def test_what_is_said_is_said_again():
    for _, written, _ in ROWS:
        said = spoken(written, "en").text
        assert spoken(said, "en").text == said


def test_the_corpus_holds_enough():
    assert len(ROWS) >= LEAST
