"""Figures and their intervals, and tables of them in every format. What users name is data."""

import numpy as np
import pytest

from datagen.errors import DatagenError
from datagen.evaluate.cells import EMPTY, Cell, median, ratio
from datagen.evaluate.tables import Column, Document, Table

HOSTILE = "<script>x</script>|`*_[bold]\n\x1b[2J"
COLUMNS = (Column("WER en", "percent", "words"), Column("response", "ms", "events"))


@pytest.fixture
def table():
    cells = {"trained": {"WER en": Cell(0.25, 0.2, 0.3, 1200, 9)}, HOSTILE: {"response": Cell(212.4, None, None, 3, 1)}}
    return Table.of("asr", f"transcripts {HOSTILE}", COLUMNS, cells, [HOSTILE])


def test_an_interval_draws_whole_dialogues():
    """Twenty units of one dialogue count as one: a bootstrap over units would be far too sure."""
    alike = [(f"d{k}", (float(k % 2), 1.0)) for k in range(10) for _ in range(20)]
    apart = [(f"d{k}-{j}", (float(k % 2), 1.0)) for k in range(10) for j in range(20)]
    wide, narrow = ratio(alike), ratio(apart)
    assert wide.value == narrow.value == 0.5
    assert (wide.n, wide.n_groups, narrow.n_groups) == (200, 10, 200)
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    chance, hits = np.random.default_rng(1), 0
    for _ in range(100):
        cell = ratio((str(k), (float(chance.random() < 0.3), 1.0)) for k in range(60))
        hits += cell.low <= 0.3 <= cell.high
    assert 88 <= hits <= 99


def test_long_dialogues_weigh_more_and_empty_ones_nothing():
    assert ratio([("a", (9, 90)), ("b", (1, 10)), ("c", (0, 0))]) == Cell(0.1, 0.1, 0.1, 100, 2)
    assert ratio([("c", (0, 0))]) == ratio([]) == median({"a": []}) == EMPTY


def test_a_median_pools_all_values():
    found = median({"a": [1.0, 2.0, 9.0], "b": [3.0], "c": []})
    assert (found.value, found.n, found.n_groups) == (2.5, 4, 2)
    assert found.low <= 2.5 <= found.high


def test_n_is_in_every_cell(table):
    for text in (table.markdown(), table.html(), Document("out", "d", "test", (table,)).text()):
        assert "25.0% (20 to 30, n 1,200)" in text
        assert "212 ms (n 3)" in text
        assert text.count("(n 0)") == 2


def test_names_are_data_in_every_format(table):
    found = Document("out", "d", "test", (table,))
    assert "<script>" not in found.html() + found.markdown()
    assert not {"\x1b", "\u202e"} & set(found.html() + found.markdown() + found.text())
    row = next(line for line in found.markdown().splitlines() if "script" in line and line.startswith("|"))
    assert row.replace("\\|", "").count("|") == len(COLUMNS) + 2
    assert "\\[bold\\]" in row and "[bold]" in found.text()


def test_a_document_survives_json(table):
    found = Document("out/mine", "abc", "test", (table,))
    assert Document.of_json(found.to_json().encode(), "x") == found
    assert table.cell("trained", "WER en").n == 1200


@pytest.mark.parametrize("data", [b"", b"[]", b'{"build": 1}', b'{"build": "a", "digest": "b", "split": "c"}', b"\xff"])
def test_what_is_no_document_is_named(data):
    with pytest.raises(DatagenError, match=r"scores\.json holds no scores .*datagen evaluate .* --to FILE\.json"):
        Document.of_json(data, "scores.json")
