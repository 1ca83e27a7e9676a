"""Megatron's indexed data sets, read back by their layout; benchmarks of real readers: docs/exports.md."""

import json
import struct

import numpy as np
import pytest

from datagen.errors import DatagenError
from datagen.records import SPLITS
from tests.export.conftest import send


def documents(prefix) -> list[np.ndarray]:
    """All documents, by the index alone, as `IndexedDataset` reads them."""
    index, data = (
        prefix.with_name(prefix.name + ".idx").read_bytes(),
        prefix.with_name(prefix.name + ".bin").read_bytes(),
    )
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, n, n_documents = struct.unpack_from("<QBQQ", index, 9)
    assert (version, n_documents) == (1, n + 1)
    dtype = {1: np.uint8, 4: np.int32}[code]
    sizes = np.frombuffer(index, np.int32, n, 34)
    pointers = np.frombuffer(index, np.int64, n, 34 + sizes.nbytes)
    ends = np.frombuffer(index, np.int64, n + 1, 34 + sizes.nbytes + pointers.nbytes)
    assert ends.tolist() == list(range(n + 1))
    assert len(index) == 34 + sizes.nbytes + pointers.nbytes + ends.nbytes
    return [np.frombuffer(data, dtype, size, at) for size, at in zip(sizes, pointers, strict=True)]


def test_every_token_mask_and_event_position_is_there(out, output, tmp_path):
    send(out, tmp_path / "to", "megatron")
    for split in SPLITS:
        weighted = (tmp_path / "to" / f"data-{split}.txt").read_text().split()
        found = {}
        for n_tokens, name in zip(weighted[::2], weighted[1::2], strict=True):
            prefix = tmp_path / "to" / name
            tokens, masks = documents(prefix), documents(prefix.with_name(prefix.name.replace(".", "-mask.")))
            events = prefix.with_name(prefix.name.replace(".", "-events.") + ".jsonl").read_text().splitlines()
            assert int(n_tokens) == sum(map(len, tokens))
            for ids, mask, about in zip(tokens, masks, map(json.loads, events), strict=True):
                found[about["row_id"]] = ids, mask, about
        rows = [row for talk in output.conversations(split) for row in talk.rows("three_stream")]
        assert sorted(found) == sorted(row.row_id for row in rows)
        for row in rows:
            ids, mask, about = found[row.row_id]
            assert np.array_equal(ids, row.input_ids)
            assert np.array_equal(mask, row.loss_mask)
            assert about["dialogue_id"] == row.dialogue_id
            assert (about["event_kinds"], about["event_roles"]) == (list(row.event_kinds), list(row.event_roles))
            for name in ("user_turn_ends", "barge_ins", "event_starts", "event_ends"):
                assert about[name] == getattr(row, name).tolist()


def test_a_task_that_the_build_does_not_have_is_named(out, tmp_path):
    with pytest.raises(DatagenError, match="has no rows of task 'two_stream'; --task is one of asr, three_stream"):
        send(out, tmp_path / "to", "megatron", task="two_stream")
