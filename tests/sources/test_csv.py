"""CSV and TSV → records: each row one record or one fault, quotes as the `csv` module of Python reads them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.errors import SourceError
from datagen.records import Dialogue
from datagen.sources import csv_text, read

HEADER = "instruction,input,output\n"
CELL = st.text(st.sampled_from('ab,;\t"\n\r 好'), max_size=6)


def raws(data: bytes, max_bytes: int = 1000, separator: str = ","):
    stream = io.BufferedReader(io.BytesIO(data))
    return [
        (raw.place, getattr(raw.value, "reason", raw.value))
        for raw in csv_text.csv_rows("x", stream, max_bytes, separator)
    ]


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=5), st.integers(1, 30), st.sampled_from(",\t"))
def test_rows_are_those_of_the_csv_module(rows, piece, separator):
    made = io.StringIO()
    writer = csv.writer(made, delimiter=separator)
    writer.writerows([["one", "two"], *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_text, "_PIECE_BYTES", piece)
        found = raws(made.getvalue().encode(), separator=separator)
    blank = [separator == "\t" and not "".join(row).strip(" ") for row in rows]
    wanted = [{"one": a, "two": b} for (a, b), is_blank in zip(rows, blank, strict=True) if not is_blank]
    assert [value for _, value in found] == wanted


@given(st.text(st.sampled_from('ab,"\n'), max_size=40), st.integers(1, 5))
def test_any_rows_are_read_as_the_csv_module_reads_them_or_broken(text, piece):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_text, "_PIECE_BYTES", piece)
        found = [value for _, value in raws(f"one,two\n{text}".encode())]
    if "broken_row" not in found:
        rows = [row[:2] for row in csv.reader(io.StringIO(text, newline="")) if row]
        assert [list(map(row.get, ("one", "two"))) for row in found] == rows


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.csv", b'instruction,input,output\r\nHi,,"Hello,\nyou."\r\n'),
        ("x.csv", b'\xef\xbb\xbfinstruction;output\nHi;"Hello,\nyou."\n\n'),
        ("x.csv", 'instruction\toutput\nHi\t"Hello,\nyou."'.encode("utf-16")),
        ("x.tsv", b'instruction\toutput\nHi\t"Hello,\nyou."\n'),
        ("X.CSV", b'"instruction","output"\n"Hi","Hello,\nyou."\n'),
        ("x.csv", b'instruction,output,instruction\nHi,"Hello,\nyou.",No\n'),
    ],
)
def test_spreadsheets_differ_and_are_read_alike(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    (found,) = read(str(tmp_path / name))
    assert isinstance(found, Dialogue) and [turn.text for turn in found.turns] == ["Hi", "Hello,\nyou."]


def test_a_broken_row_costs_itself_alone_and_names_its_line():
    data = b'one,two\na,b\n\nc\n"d\n",e\n\xff,g\nh,i,j\nk,l,\n"m,n\no,p\n'
    assert raws(data) == [
        ("line 2", {"one": "a", "two": "b"}),
        ("line 4", "broken_row"),
        ("line 5", {"one": "d\n", "two": "e"}),
        ("line 7", "invalid_unicode"),
        ("line 8", "broken_row"),
        ("line 9", {"one": "k", "two": "l"}),
        ("line 10", "broken_row"),
        ("line 11", {"one": "o", "two": "p"}),
    ]


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_a_huge_row_is_skipped_to_its_end(monkeypatch, piece):
    monkeypatch.setattr(csv_text, "_PIECE_BYTES", piece)
    huge = b'"' + b'x"",\n' * 500 + b'",b\n'
    assert raws(b"one,two\n" + huge + b"c,d\n", 100) == [
        ("line 2", "record_too_large"),
        ("line 503", {"one": "c", "two": "d"}),
    ]


def test_a_header_that_cannot_be_read_is_an_error():
    with pytest.raises(SourceError, match=r"x: its header row cannot be read: .*name the columns in the first row"):
        raws(b"\xff\n")
