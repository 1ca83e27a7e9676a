"""Parquet and Hugging Face data sets → records."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.errors import SourceError
from datagen.records import Dialogue, Reject
from datagen.sources import fingerprint, read
from datagen.sources import table_rows as tables_module

TURNS = [{"role": "user", "text": "Hi"}, {"role": "assistant", "text": "Hello."}]


def texts(items: Any) -> list[Any]:
    return [[t.text for t in i.turns] if isinstance(i, Dialogue) else i.reason for i in items]


def test_columns_of_no_use_are_not_read(tmp_path: Path) -> None:
    odd = pa.array([2**62], pa.timestamp("ns"))  # Python's datetime cannot hold it
    pq.write_table(pa.table({"when": odd, "turns": [TURNS], "image": [b"x"]}), tmp_path / "x.parquet")
    assert texts(read([str(tmp_path / "x.parquet")])) == [["Hi", "Hello."]]


def test_rows_may_be_of_several_shapes_with_nulls_between(tmp_path: Path) -> None:
    rows = [
        {"turns": TURNS, "instruction": None, "output": None, "chat": None},
        {"turns": None, "instruction": "a", "output": "b", "chat": None},
        {"turns": None, "instruction": None, "output": None, "chat": {"turn_1": {"Human": "c", "MOSS": "d"}}},
    ]
    pq.write_table(pa.Table.from_pylist(rows[:2]), tmp_path / "x.parquet")
    assert texts(read([str(tmp_path / "x.parquet")])) == [["Hi", "Hello."], ["a", "b"]]
    pq.write_table(pa.Table.from_pylist(rows[2:]).select(["chat"]), tmp_path / "y.parquet")
    assert texts(read([str(tmp_path / "y.parquet")])) == [["c", "d"]]


@pytest.mark.parametrize("columns", [{"a": ["x"]}, {"instruction": ["x"], "id": ["1"]}, {"a": []}])
def test_a_table_without_usable_columns_is_an_error(tmp_path: Path, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=f"no usable columns.*among {', '.join(columns)}"):
        list(read([str(tmp_path / "x.parquet")]))


def test_columns_must_suit_a_forced_shape(tmp_path: Path) -> None:
    pq.write_table(pa.table({"turns": [TURNS]}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="shape alpaca"):
        list(read([str(tmp_path / "x.parquet")], "alpaca"))


def test_a_table_without_rows_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"turns": [TURNS]}).slice(0, 0), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="no record"):
        list(read([str(tmp_path / "x.parquet")]))


def test_a_row_that_is_too_large_or_not_unicode_is_a_reject(tmp_path: Path) -> None:
    bad = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff"))
    questions = pa.concat_arrays([pa.array(["a", "x" * 5000]), bad, pa.array(["b"])])
    pq.write_table(pa.table({"instruction": questions, "output": ["o"] * 4}), tmp_path / "x.parquet")
    items = list(read([str(tmp_path / "x.parquet")], max_record_bytes=1000))
    assert texts(items) == [["a", "o"], "record_too_large", "invalid_unicode", ["b", "o"]]
    assert isinstance(items[1], Reject) and "x.parquet, record 1: " in items[1].detail


def test_a_damaged_page_names_the_place(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"instruction": ["a" * 50] * 400, "output": [str(i) * 99 for i in range(400)]}),
        tmp_path / "x.parquet",
        row_group_size=128,
        compression="NONE",
        use_dictionary=False,
    )
    data = bytearray((tmp_path / "x.parquet").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = b"\xff" * 20_000
    (tmp_path / "x.parquet").write_bytes(data)
    with pytest.raises(SourceError, match=r"x\.parquet: cannot be read after record \d+"):
        list(read([str(tmp_path / "x.parquet")]))


@pytest.fixture
def datasets() -> Any:
    module = pytest.importorskip("datasets")
    module.disable_progress_bars()
    return module


def test_a_saved_data_set_is_read(tmp_path: Path, datasets: Any) -> None:
    saved = datasets.Dataset.from_list([{"id": str(i), "turns": TURNS} for i in range(300)])
    saved.save_to_disk(tmp_path / "talks")
    items = list(read([str(tmp_path / "talks")]))
    assert [item.id for item in items] == [str(i) for i in range(300)]
    assert items[0].source == "talks"
    assert {f.name for f in fingerprint([str(tmp_path / "talks")])} >= {"talks/state.json"}


def test_a_saved_selection_is_saved_flat_and_a_strange_state_is_an_error(tmp_path: Path, datasets: Any) -> None:
    saved = datasets.Dataset.from_list([{"id": str(i), "turns": TURNS} for i in range(9)])
    saved.select([7, 2]).save_to_disk(tmp_path / "talks")
    assert [item.id for item in read([str(tmp_path / "talks")])] == ["7", "2"]
    state = json.loads((tmp_path / "talks" / "state.json").read_text())
    for change, wrong in (
        ({"_data_files": [{"filename": "../x.arrow"}]}, "names no file of its folder"),
        ({"_data_files": "x"}, "state.json cannot be understood"),
        ({"_indices_data_files": [{"filename": "i.arrow"}]}, "is a selection of rows"),
    ):
        (tmp_path / "talks" / "state.json").write_text(json.dumps(state | change))
        with pytest.raises(SourceError, match=f"talks: .*{wrong}"):
            list(read([str(tmp_path / "talks")]))


def test_a_split_is_chosen(tmp_path: Path, datasets: Any) -> None:
    parts = {name: datasets.Dataset.from_list([{"id": name, "turns": TURNS}]) for name in ("train", "test")}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "talks")
    assert [item.id for item in read([str(tmp_path / "talks")], split="test")] == ["test"]
    with pytest.raises(SourceError, match="no split 'dev'; choose one of train, test"):
        list(read([str(tmp_path / "talks")], split="dev"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, datasets: Any) -> Path:
    """A folder that `datasets` takes for the data set org/talks; nothing is fetched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "org" / "talks" / "data"
    folder.mkdir(parents=True)
    return folder


def test_the_files_of_a_split_of_a_hub_data_set_are_read_like_others(hub: Path) -> None:
    for k, n in enumerate((200, 3)):
        table = pa.table({"turns": [TURNS] * n, "image": [b"x" * 9000] * n})
        pq.write_table(table, hub / f"test-0000{k}-of-00002.parquet")
    pq.write_table(pa.table({"turns": [TURNS]}), hub / "train-00000-of-00001.parquet")
    items = list(read(["hf:org/talks"], split="test", max_record_bytes=1024))
    assert texts(items) == [["Hi", "Hello."]] * 203
    assert items[7].id == "talks-7" and items[202].source == "hf:org/talks"
    with pytest.raises(SourceError, match="hf:org/talks: no split 'dev'; choose one of train, test"):
        list(read(["hf:org/talks"], split="dev"))


def test_a_fault_in_a_hub_data_set_names_its_file(hub: Path) -> None:
    (hub / "train.jsonl").write_text('{"turns": []}')
    (found,) = read(["hf:org/talks"])
    assert isinstance(found, Reject) and found.detail.startswith("hf:org/talks, 'train.jsonl', line 1: ")
    (hub / "train.jsonl").unlink()
    pq.write_table(pa.table({"turns": [TURNS]}), hub / "train.parquet")
    (hub / "train.parquet").write_bytes((hub / "train.parquet").read_bytes()[:-20])
    with pytest.raises(SourceError, match=r"hf:org/talks, 'train\.parquet': cannot be read"):
        list(read(["hf:org/talks"]))


def test_a_hub_data_set_is_looked_up_at_its_revision(monkeypatch: pytest.MonkeyPatch, datasets: Any) -> None:
    asked: list[Any] = []

    def load_dataset_builder(*args: Any, **options: Any) -> Any:
        asked.append((args, options))
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset_builder", load_dataset_builder)
    with pytest.raises(SourceError, match="hf:org/talks:en@abc: cannot be read: ConnectionError: no route; check name"):
        list(read(["hf:org/talks:en@abc"]))
    assert asked == [(("org/talks", "en"), {"revision": "abc"})]


def test_fingerprint_pins_a_hub_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(
        hub.HfApi, "dataset_info", lambda self, repo, revision: SimpleNamespace(sha=f"{repo}-{revision}")
    )
    (pin,) = fingerprint(["hf:org/talks:en@main"])
    assert (pin.name, pin.revision) == ("hf:org/talks:en@org/talks-main", "org/talks-main")


def test_rows_are_converted_a_few_at_a_time() -> None:
    assert tables_module._BATCH_ROWS <= 1024
