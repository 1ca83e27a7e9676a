"""Units of several blocks: one file per table for all of them, and each record still made once, whatever dies."""

import pytest

from datagen.run.build import build
from tests.run.builds import SPLITS, fake, faults, made, tree

N = 10
BIG = ("run.unit_dialogues=2", "run.units_per_file=3")


def test_units_per_file_change_neither_digest_nor_rows(tmp_path):
    plain = build(fake(tmp_path, "run.unit_dialogues=2", n=N), str(tmp_path / "plain"))
    big = build(fake(tmp_path, *BIG, n=N), str(tmp_path / "big"))
    assert big.digest == plain.digest
    assert (plain.n_units, big.n_units) == (5, 2)
    assert faults(tmp_path / "big") == []
    for n in (1, 3):
        assert build(fake(tmp_path, *BIG, n=N), str(tmp_path / f"big{n}"), n).digest == big.digest
        assert tree(tmp_path / f"big{n}") == tree(tmp_path / "big")
