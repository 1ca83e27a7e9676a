"""A rule is tried wherever it matches: what it says of digits and signs hides it nowhere."""

import re
from pathlib import Path

import pytest

from datagen.text import chinese, english
from datagen.text.chinese.prose import plain
from datagen.text.markup import fold
from datagen.text.reading import Reader

_READERS = {"en": (english.READER, fold), "zh": (chinese.READER, plain)}
_BEGINS = re.compile(r"(?<!\d)\d|[^\w\s]")


def hidden(reader: Reader, text: str) -> list[tuple[str, str]]:
    """Rules that match at a number or a sign, but are not tried there; with their parts."""
    found = []
    for begin in _BEGINS.finditer(text):
        at, is_digit = begin.start(), begin[0].isdecimal()
        tried = reader._rules_of_digits(text, at) if is_digit else reader._rules_at(".", text[at])
        matches = {pattern for pattern, _, _ in tried}
        for rule in reader._rules["0" if is_digit else "."]:
            match = rule.pattern.match(text, at)
            if match and match[0] and rule.pattern.match not in matches:
                found.append((rule.name, match[0]))
    return found


@pytest.mark.parametrize("language", _READERS)
def test_no_rule_is_hidden_where_it_matches(language: str) -> None:
    reader, prepared = _READERS[language]
    lines = Path(__file__).with_name(f"{language}.tsv").read_text("utf-8").splitlines()[1:]
    assert [each for line in lines for each in hidden(reader, prepared(line.split("\t")[1]))] == []
