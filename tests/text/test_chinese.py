"""Chinese in a regression corpus of our own: written text, and the forms in which it may be said.

The corpus does not judge case, spaces, commas, pauses, quotes, brackets, or marks at the end.
"""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.text.chinese import LETTERS, parts_of, read_chinese
from datagen.text.chinese.words import cardinal, number, one_by_one
from datagen.text.reading import Reading

ROWS = [
    (row["class"], row["written"], row["spoken"].split(" | "))
    for row in csv.DictReader(
        Path(__file__).with_name("zh.tsv").read_text("utf-8").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE
    )
]
LEAST = 600


def heard(text: str) -> str:
    """A text without the characters that the corpus does not judge."""
    return re.sub("[\\s,.，。、：；:;…\"'“”‘’「」『』《》【】（）()·-]", "", text).rstrip("？！?!").lower()


@pytest.mark.parametrize("name", sorted({name for name, _, _ in ROWS}))
def test_a_class_is_read_right(name):
    of_class = [(written, accepted) for row, written, accepted in ROWS if row == name]
    wrong = [
        (written, read_chinese(written).text, accepted[0])
        for written, accepted in of_class
        if heard(read_chinese(written).text) not in {heard(form) for form in accepted}
    ]
    assert not wrong


def test_every_text_of_the_corpus_is_read_to_its_end():
    assert not {written: reading.unread for _, written, _ in ROWS if (reading := read_chinese(written)).unread}


def test_what_is_said_is_said_again():
    for _, written, _ in ROWS:
        said = read_chinese(written).text
        assert read_chinese(said).text == said


def test_the_corpus_holds_enough():
    assert len(ROWS) >= LEAST


@pytest.mark.parametrize(
    ("written", "digits", "rule"),
    [
        ("我们3:20赢了", "3:20", "ratio"),
        ("会议3:20开始", "3:20", "time"),
        ("住2楼", "2", "number"),
        ("共2层", "2", "quantity"),
        ("3/4杯", "3/4", "fraction"),
        ("3/28出发", "3/28", "date"),
        ("气温-5℃", "-5℃", "temperature"),
        ("余额-5", "-5", "signed"),
        ("9-5=4", "9-", "math"),
        ("5-9天", "5-9", "range"),
        ("编号1005", "1005", "code"),
        ("支出1005元", "1005元", "money"),
        ("2008年", "2008", "year"),
        ("2008本", "2008", "count"),
        ("302室", "302", "room"),
        ("302人", "302", "count"),
        ("航班CA1501", "1501", "code"),
        ("乘CA1501", "1501", "model"),
        ("1.2.3", "1.2.3", "version"),
        ("1.2", "1.2", "number"),
    ],
)
def test_neighbours_are_of_different_classes(written, digits, rule):
    assert [part.rule for part in parts_of(written) if written[part.begin : part.end] == digits] == [rule]


@pytest.mark.parametrize(
    ("written", "said", "unread"),
    [
        ("住302室∮", "住三零二室", ("∮",)),
        ("路径\\n", "路径n", ("\\",)),
        ("很____。", "很。", ("____",)),
        ("他说 สวัสดี 2次", "他说两次", ("สวัสดี",)),
        ("𠮷野家2份", "𠮷野家两份", ()),
        ("谢谢😊", "谢谢", ()),
    ],
)
def test_what_no_rule_reads_is_reported(written, said, unread):
    reading = read_chinese(written)
    assert reading == Reading(said, unread)


def test_traditional_numbers_are_said_in_traditional_characters():
    assert read_chinese("2個，2點").text == "兩個，兩點"
    assert read_chinese("2个，2点").text == "两个，两点"


_VALUES = {**{word: value for value, word in enumerate("零一二三四五六七八九")}, "两": 2}
_POWERS = {"十": 10, "百": 100, "千": 1000}


def value(words: str) -> int:
    """The number that words mean, by the definition of 万 and 亿."""
    for word, power in (("亿", 10**8), ("万", 10**4)):
        high, found, low = words.rpartition(word)
        if found:
            return value(high) * power + value(low)
    total, digit = 0, 0
    for word in words:
        if word in _POWERS:
            total, digit = total + (digit or 1) * _POWERS[word], 0
        else:
            digit = _VALUES[word]
    return total + digit


@given(st.one_of(st.integers(0, 10**5), st.integers(0, 10**16 - 1)))
def test_a_cardinal_means_its_number(n):
    assert value(cardinal(str(n))) == n
    assert value(cardinal(f"{n:,}")) == n


@given(st.integers(0, 10**6), st.from_regex("[0-9]{1,6}", fullmatch=True))
def test_decimals_are_read_one_by_one(whole, decimals):
    before, _, after = number(f"{whole}.{decimals}").partition("点")
    assert value(before) == whole
    assert after == one_by_one(decimals)


PIECES = st.sampled_from(
    [
        *"$,.-—()'\"/:：%°℃kWx×*+=<>^#@_①Ⅷ〇~¥ \n",
        *"元年月日点分度第个楼好的周两到至百万是𠮷",
        *("1", "0", "5", "2", "12", "2008", "IV", "X", "A", "a", "kg", "km", "h", "電話", "密码"),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=30))


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_a_reading_holds_letters_and_marks_and_stays_as_it_is(text):
    said = read_chinese(text).text
    assert re.fullmatch(f"(?:[{LETTERS}'] ?|[，。？！；：])*", said)
    assert not re.search("^[，。？！；：]|[，。？！；：]{2}|[，；：]$", said)
    assert read_chinese(said).text == said


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_every_digit_is_said_by_a_rule(text):
    for part in parts_of(text):
        if re.search("[0-9]", text[part.begin : part.end]):
            assert part.rule and part.said and not re.search("[0-9]", part.said)
