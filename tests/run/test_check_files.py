"""A check misses no file: every flipped bit, lost file, foreign file and changed value is found and named."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datagen.errors import DatagenError, StoreError
from datagen.run.reflatten import reflatten
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.plan import load_plan
from datagen.shards.seal import document
from datagen.shards.store import LocalStore
from datagen.shards.tables import about, from_parquet, to_parquet
from datagen.shards.unit import Marker
from tests.run.builds import Forger, faults, flip, made, talk

TASKS = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"
UNPROVEN = {"from.url"}
"""Leaves of a manifest that no other file proves wrong."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with every kind of file: takes, five tasks, rejects, groups of near-duplicates."""
    twin = "Please tell me all about the pears that grow in the garden behind the old house by the river"
    records = [
        talk("What is this?", "```x = 1```", id="code"),
        talk(f"{twin} today.", "They are green.", id="d1"),
        talk(f"{twin} again.", "They are still green.", id="d2"),
        talk("And now something else, for a change?", "Sure, why not.", id="d3"),
    ]
    splits = "splits={validation: 0.3, test: 0.3, keep_together: 0.4}"
    out, manifest = made(tmp_path_factory.mktemp("built"), TASKS, "takes.keep=true", splits, records=records)
    assert (manifest.n_units, manifest.n_rejects, len(manifest.tasks)) == (2, 1, 5)
    assert list((out / "input").glob("*-groups-*"))
    return out


@pytest.fixture(scope="module")
def flattened(built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards flattened again from it."""
    out = tmp_path_factory.mktemp("flattened") / "out"
    reflatten(str(built), str(out), {"speech_chunk_tokens": 5, "text_chunk_tokens": 1})
    return out


@pytest.fixture
def out(built, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(built, tmp_path / "out"))


def files(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def found(out: Path, source: Path | None = None) -> list[str]:
    """The faults, or the error that leaves nothing to check."""
    try:
        return faults(out, source)
    except DatagenError as error:
        return [str(error)]


def named(lines: list[str], key: str) -> bool:
    return any(key in line for line in lines)


# -- files ------------------------------------------------------------------------------------------------------


def test_a_good_build_and_its_shards_have_no_faults(built, flattened):
    assert faults(built) == faults(flattened) == faults(flattened, built) == []


def bits(n_bytes: int, n: int) -> list[int]:
    """Bits spread over a file, its first and last byte among them."""
    return [(at := (n_bytes - 1) * k // max(n - 1, 1)) * 8 + (at + k) % 8 for k in range(n)]


def missed_flips(out: Path, n: int, source: Path | None = None, every: int = 1) -> Iterator[str]:
    """Flips of single bits that no fault names: at `n` places of a file in turn, others in the next file."""
    for number, key in enumerate(files(out)):
        for bit in bits((out / key).stat().st_size, n)[number % every :: every]:
            flip(out / key, bit)
            if not named(found(out, source), key):
                yield f"{key}, bit {bit}"
            flip(out / key, bit)


def test_a_flipped_bit_of_any_file_is_found(out):
    assert len(files(out)) > 25
    assert list(missed_flips(out, 7, every=7)) == []
    assert faults(out) == []


@pytest.mark.slow
def test_many_flipped_bits_are_found(out):
    assert list(missed_flips(out, 50)) == []


def test_a_flipped_bit_of_flattened_shards_is_found(flattened, built, tmp_path):
    out = Path(shutil.copytree(flattened, tmp_path / "out"))
    assert list(missed_flips(out, 3, every=3)) == []
    for key in files(out)[::5]:
        flip(out / key, 8)
        assert named(found(out, built), key), key
        flip(out / key, 8)


@pytest.mark.slow
def test_a_flipped_bit_of_flattened_shards_is_found_with_their_source(flattened, built, tmp_path):
    out = Path(shutil.copytree(flattened, tmp_path / "out"))
    assert list(missed_flips(out, 2)) == list(missed_flips(out, 2, built)) == []


def test_a_deleted_file_is_missed(out):
    for key in files(out):
        data = (out / key).read_bytes()
        (out / key).unlink()
        assert named(found(out), key), key
        (out / key).write_bytes(data)


def test_a_file_cut_to_nothing_is_found(out):
    for key in files(out)[::3]:
        data = (out / key).read_bytes()
        (out / key).write_bytes(b"")
        assert named(found(out), key), key
        (out / key).write_bytes(data)


def test_takes_may_be_deleted_as_a_whole(out):
    shutil.rmtree(out / "takes")
    assert faults(out) == []


def test_a_report_may_be_added(out):
    (out / "report.html").write_text("<html>")
    assert faults(out) == []


@pytest.mark.parametrize(
    "key",
    [
        *("notes.txt", ".DS_Store", "more/of/it.txt", "SUMMARY.json", "asr/notes.txt", "asr/train-000000.jsonl"),
        *("asr/train-0000000.parquet", "asr/train-000009.parquet", "asr/train-999999999.parquet", "asr/.hidden"),
        *("units/000002.json", "units/000000.json.bak", "index/00001-000000000000.parquet", "rejects/000009.parquet"),
        *("input/00000-000000000000.parquet", "takes/notes.txt", "takes/keys/more/x", f"takes/{'0' * 32}.parquet"),
        *("conversations/000002.parquet", "conversations/000000", ".writing/0123456789abcdef", "takes/keys/x"),
    ],
)
def test_a_foreign_file_is_reported(out, key):
    (out / key).parent.mkdir(parents=True, exist_ok=True)
    (out / key).touch()
    assert named(faults(out), key)


def test_one_damaged_file_hides_no_other(out):
    chosen = [key for key in files(out) if key != MANIFEST and not key.startswith("takes/")]
    for key in chosen:
        flip(out / key, 8 * ((out / key).stat().st_size // 2))
    lines = faults(out)
    assert [key for key in chosen if not named(lines, key)] == []


# -- the manifest -----------------------------------------------------------------------------------------------


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values that have none below them."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not below or not value:
        yield path
        return
    for key, each in below:
        yield from leaves(each, (*path, key))


def changed(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case None:
            return 1
        case str():
            return f"{value[:-1]}{'1' if value[-1:] == '0' else '0'}"
        case list():
            return ["x"]
        case _:
            return {"x": 1}


def with_change(values: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """A copy with another value at a path."""
    new = json.loads(json.dumps(values))
    below = new
    for key in path[:-1]:
        below = below[key]
    below[path[-1]] = changed(below[path[-1]])
    return new


def missed_leaves(out: Path, every: int = 1, source: Path | None = None) -> set[str]:
    """Changed leaves of a manifest, sealed again, that no fault names; of the many of the recipe, some."""
    missed, data = set(), (out / MANIFEST).read_bytes()
    paths = list(leaves(values := json.loads(data)))
    many = [path for path in paths if path[0] in ("recipe", "voices")]
    for path in [*many[::every], *(path for path in paths if path not in many and path != ("seal",))]:
        (out / MANIFEST).write_bytes(document(with_change(values, path)))
        if not found(out, source):
            missed.add(".".join(map(str, path)))
    (out / MANIFEST).write_bytes(data)
    return missed


def test_a_changed_value_of_the_manifest_breaks_its_seal(out):
    data = (out / MANIFEST).read_bytes()
    values = json.loads(data)
    paths = list(leaves(values))
    assert len(paths) > 102
    for path in paths:
        seal = {} if path == ("seal",) else {"seal": values["seal"]}
        (out / MANIFEST).write_bytes(json.dumps({**with_change(values, path), **seal}, indent=1).encode())
        with pytest.raises(StoreError, match=r"manifest\.json is damaged"):
            Manifest.load(LocalStore(out))
        assert found(out), path


@pytest.mark.slow
def test_a_changed_value_of_a_sealed_manifest_is_found(out):
    assert missed_leaves(out, 40) == set()


@pytest.mark.slow
def test_every_changed_value_of_a_sealed_manifest_is_found(out):
    assert missed_leaves(out) == set()


@pytest.mark.slow
def test_a_changed_value_of_a_manifest_of_flattened_shards_is_found(flattened, built, tmp_path):
    out = Path(shutil.copytree(flattened, tmp_path / "out"))
    assert missed_leaves(out, 40, built) == UNPROVEN
    alone = {path for path in missed_leaves(out, 40) if not path.startswith("reproducible.processors")}
    assert alone == UNPROVEN


def test_the_card_of_a_changed_manifest_hides_nothing(out):
    forger = Forger(out)
    for name in ("hours", "n_conversations", "digest"):
        forger.values[name] = changed(forger.values[name])
    forger.write_manifest()
    lines = faults(out)
    assert all(named(lines, f"manifest.json: {name} is") for name in ("hours", "n_conversations", "digest"))


# -- files that are sealed again --------------------------------------------------------------------------------


def only(lines: list[str], *parts: str) -> None:
    """Some fault says all of this."""
    assert any(all(part in line for part in parts) for line in lines), lines


def test_a_marker_copied_over_anothers_is_found(out):
    shutil.copy(out / "units/000000.json", out / "units/000001.json")
    only(faults(out), "units/000001.json: it is the marker of unit 0")


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_records", 9), ("n_kept", 0), ("n_samples", 5), ("digest", "0" * 32), ("rejects", {"a/b": 1}), ("files", ())],
)
def test_a_changed_value_of_a_marker_is_found(out, name, value):
    path = out / "units/000000.json"
    marker = Marker.from_json(path.read_bytes(), path.name)
    path.write_bytes(replace(marker, **{name: value}).to_json())
    only(faults(out), "units/000000.json: " + name if name != "files" else "the files of the index")


def test_markers_of_another_plan_or_processor_are_found(out):
    path = out / "units/000000.json"
    marker = Marker.from_json(path.read_bytes(), path.name)
    path.write_bytes(replace(marker, plan="0" * 64).to_json())
    only(faults(out), "units/000000.json: it is the marker of another plan")
    path.write_bytes(replace(marker, processor="abacus").to_json())
    only(faults(out), "manifest.json: reproducible.processors.abacus is absent")


@pytest.mark.parametrize("change", [{"plan": "0" * 64}, {"data_version": 4}, {"unit": 1}, {"rejects": []}])
def test_other_metadata_of_a_conversations_file_is_found(out, change):
    forger, key = Forger(out), "conversations/000000.parquet"
    forger.write(key, forger.table(key), **change)
    forger.seal()
    only(faults(out), f"{key}: metadata: {next(iter(change))}")


def test_other_metadata_of_rows_is_found(out):
    forger = Forger(out)
    key = forger.keys("tts")[0]
    forger.write(key, forger.table(key), silence={})
    forger.seal()
    only(faults(out), f"{key}: metadata: silence")


def test_a_file_without_a_seal_is_found(out):
    path = out / "units/000000.json"
    values = json.loads(path.read_bytes())
    del values["seal"]
    path.write_bytes(json.dumps(values).encode())
    only(faults(out), "units/000000.json is damaged: it has no seal")


@pytest.mark.parametrize(
    ("column", "value"), [("source", "elsewhere.jsonl"), ("group", "d3"), ("dialogue_id", "x"), ("record", 0)]
)
def test_a_conversation_that_was_not_planned_is_found(out, column, value):
    forger = Forger(out)
    forger.edit("conversations/000000.parquet", lambda rows: rows[0].update({column: value}))
    forger.seal()
    says = f"{column} is {value!r}" if column != "record" else "dialogue_id is 'd1', the planned values of record 0"
    only(faults(out), "conversation", says)


@pytest.mark.parametrize("column", ["source", "dialogue_id"])
def test_a_reject_that_was_not_planned_is_found(out, column):
    forger = Forger(out)
    forger.edit("rejects/000000.parquet", lambda rows: rows[0].update({column: "x"}))
    forger.seal()
    only(faults(out), "reject", f"{column} is 'x', the planned values give")


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        ({"clock": {"sample_rate_hz": 24_000, "frame_rate_hz": 50, "hop_samples": 960}}, "its clock contradicts"),
        ({"silence": {"assistant": "codes", "user": "codes", "silence_code": 0}}, "its silence contradicts"),
        ({"silence": {"assistant": "special", "user": "codes", "silence_code": 9999}}, "its silence contradicts"),
        ({"voices": {}}, "is not in the manifest"),
        ({"recipe_sha256": "0" * 64}, "recipe_sha256 is not the hash of the recipe"),
    ],
)
def test_an_identity_that_contradicts_itself_is_found(out, identity, says):
    Forger(out).replan(**identity)
    only(faults(out), says)


@pytest.mark.parametrize("change", [{"n_records": 5}, {"n_records": 3}, {"unit_dialogues": 3}, {"parts": []}])
def test_another_division_of_the_input_is_found(out, change):
    values = json.loads((out / "plan.json").read_bytes())
    (out / "plan.json").write_bytes(document({**values, **change}, ascii=True))
    assert load_plan(LocalStore(out))
    Forger(out).replan()
    assert faults(out)


def test_exchanged_takes_are_found(out):
    first, second = sorted((out / "takes").glob("*.parquet"))[:2]
    table = from_parquet(second.read_bytes(), second.name)
    first.write_bytes(to_parquet(table, about(table)))
    only(faults(out), f"takes/{first.name}: its takes are not those of takes/keys/{first.stem}")


def test_an_incomplete_index_of_takes_is_found(out):
    path = out / "takes/index.parquet"
    table = from_parquet(path.read_bytes(), path.name)
    path.write_bytes(to_parquet(table.slice(1), about(table)))
    only(faults(out), "takes/index.parquet: its keys are not those in takes/keys")
    path.write_bytes(to_parquet(table, {"files": about(table)["files"][:1]}))
    only(faults(out), "takes/index.parquet: it does not name takes/")
