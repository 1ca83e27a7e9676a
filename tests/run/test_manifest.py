"""Manifest and card: written last, true, and enough to load the data without our code."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import yaml

from datagen.errors import StoreError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import Recipe
from datagen.records import EngineInfo
from datagen.run.build import build
from datagen.run.finish import finish, reproducible
from datagen.run.machine import processor
from datagen.run.planning import plan_build
from datagen.run.worker import Worker
from datagen.shards.manifest import MANIFEST, Manifest
from datagen.shards.store import LocalStore
from tests.run.builds import fake, made, markers_of, read, worker


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """Nine dialogues in all splits, five rejects."""
    return made(tmp_path_factory.mktemp("built"), "run.unit_dialogues=3", "flatten.tasks=[three_stream, tts]", n=14)


def test_the_manifest_is_written_last_and_the_card_before_it(tmp_path):
    order: list[str] = []

    class Recording(LocalStore):
        def create(self, key: str, data: bytes) -> bool:
            order.append(key)
            return super().create(key, data)

        def replace(self, key: str, data: bytes) -> None:
            order.append(key)
            super().replace(key, data)

    store, work = Recording(tmp_path / "out"), Pipeline(fake(tmp_path))
    plan = plan_build(work, store)
    run = Worker(work, plan, store).run
    for unit in range(plan.n_units):
        run(unit)
    finish(store, plan)
    assert order[-3:] == ["recipe.yaml", "README.md", MANIFEST]


def test_a_unit_without_its_marker_is_no_success(tmp_path):
    """Whatever an engine said: all files of the unit are there, but not its marker."""
    store, work = LocalStore(tmp_path / "out"), Pipeline(fake(tmp_path))
    plan = plan_build(work, store)
    run = Worker(work, plan, store).run
    for unit in range(plan.n_units):
        run(unit)
    (tmp_path / "out" / "units" / "000001.json").unlink()
    with pytest.raises(StoreError, match="unit 1 of 3 is not done; run the same command again"):
        finish(store, plan)
    assert not store.exists(MANIFEST)
    with pytest.raises(StoreError, match=r"no manifest.json; the build is unfinished: run `datagen build` again"):
        Manifest.load(store)


def test_where_no_build_is_the_error_says_so(tmp_path):
    with pytest.raises(StoreError, match="there is no build"):
        Manifest.load(LocalStore(tmp_path))


def test_counts_add_up(built):
    out, manifest = built
    assert (manifest.n_records, manifest.n_conversations, manifest.n_rejects) == (14, 9, 5)
    assert manifest.rejects == {"select/code": 5}
    markers = list(markers_of(out))
    assert manifest.n_units == len(markers) == 5
    assert list(manifest.files()) == [file for marker in markers for file in marker.files]
    conversations = read(out, "conversations")
    assert manifest.hours == round(sum(c["n_samples"] for c in conversations) / 24_000 / 3600, 4)
    for table, splits in manifest.tables.items():
        for split, sums in splits.items():
            files = list(manifest.files(table, "" if split == "all" else split))
            assert sums.n_rows == sum(pq.read_metadata(out / file.key).num_rows for file in files)
            assert sums.n_bytes == sum((out / file.key).stat().st_size for file in files)
            rows = [row for file in files for row in pq.read_table(out / file.key).to_pylist()]
            assert sums.n_tokens == sum(len(row.get("input_ids", ())) for row in rows)


def test_files_are_named_by_the_manifest_all_and_only(built):
    out, manifest = built
    there = {p.relative_to(out).as_posix() for p in out.rglob("*.parquet")}
    assert {file.key for file in manifest.files()} == {k for k in there if not k.startswith(("input/", "index/"))}
    assert {part.key for part in manifest.index} == {k for k in there if k.startswith("index/")}


def test_the_manifest_is_enough_to_make_the_data_again(built, tmp_path):
    _, manifest = built
    recipe = Recipe.model_validate(manifest.recipe)
    again = made(tmp_path, *[f"{k}={json.dumps(v)}" for k, v in recipe.identity().items() if k != "input"], n=14)
    assert again[1].digest == manifest.digest


def test_the_manifest_says_what_its_digest_is_worth(built):
    out, manifest = built
    said = manifest.reproducible
    assert said.promise == "machine"
    assert said.because == ("noise.0 generated", "speech_tokenizer tone", "tts tone")
    assert said.processors == {processor(): 5}
    assert processor().startswith(platform.machine())
    assert "same kind of processor" in (out / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("promises", "promise", "because"),
    [
        (("all", "all"), "all", ()),
        (("all", "machine"), "machine", ("b y",)),
        (("no", "machine"), "no", ("a x",)),
        (("no", "no"), "no", ("a x", "b y")),
    ],
)
def test_the_weakest_engine_decides(promises, promise, because):
    engines = {k: EngineInfo(name, "", "", p) for (k, name), p in zip((("a", "x"), ("b", "y")), promises, strict=True)}
    said = reproducible(engines, {"z": 1, "y": 2})
    assert (said.promise, said.because) == (promise, because)
    assert list(said.processors) == ["y", "z"]


def test_machines_of_two_kinds_make_one_build_and_are_both_named(tmp_path, monkeypatch):
    recipe = fake(tmp_path)
    clean = build(recipe, str(tmp_path / "clean"))
    store = LocalStore(tmp_path / "out")
    for unit, kind in enumerate(("aarch64 neoversen1", "x86_64 Haswell", "x86_64 Haswell")):
        monkeypatch.setattr("datagen.run.unit_files.processor", lambda kind=kind: kind)
        worker(recipe, store).run(unit)
    mixed = build(recipe, str(tmp_path / "out"))
    assert mixed.reproducible.processors == {"aarch64 neoversen1": 1, "x86_64 Haswell": 2}
    assert mixed.digest == clean.digest


def test_the_recipe_beside_it_spells_out_every_value(built):
    out, manifest = built
    values = yaml.safe_load((out / "recipe.yaml").read_text("utf-8"))
    again = Recipe.model_validate(values)
    assert values == again.dump()
    assert again.identity() == manifest.recipe


def test_the_card_says_what_is_there(built):
    out, manifest = built
    card = (out / "README.md").read_text("utf-8")
    front = yaml.safe_load(card.split("---")[1])
    configs = {config["config_name"]: config for config in front["configs"]}
    assert set(configs) == {"conversations", "three_stream", "tts"}
    assert [name for name, config in configs.items() if config.get("default")] == ["three_stream"]
    assert [f["split"] for f in configs["three_stream"]["data_files"]] == ["train", "validation", "test"]
    assert manifest.digest in card


def test_pandas_and_pyarrow_read_it(built):
    out, manifest = built
    n_rows = manifest.tables["three_stream"]["train"].n_rows
    frame = pd.concat(pd.read_parquet(out / file.key) for file in manifest.files("three_stream", "train"))
    assert len(frame) == n_rows
    assert (frame["input_ids"].map(len) == frame["n_tokens"]).all()
    assert (frame["loss_mask"].map(len) == frame["n_tokens"]).all()
    files = [str(out / file.key) for file in manifest.files("three_stream", "train")]
    assert pyarrow.dataset.dataset(files).to_table().num_rows == n_rows


LOAD = """
import json, sys, datasets
datasets.disable_progress_bars()
out = sys.argv[1]
three = datasets.load_dataset(out, "three_stream")
rows = {name: [[r["row_id"], r["input_ids"]] for r in split] for name, split in three.items()}
assert datasets.load_dataset(out, split="train")["row_id"] == three["train"]["row_id"]  # the default
train = datasets.load_dataset(out, "tts", split="train")
kept = datasets.load_dataset(out, "conversations", split="full")
print(json.dumps([rows, train.num_rows, kept.num_rows, datasets.get_dataset_config_names(out)]))
"""


def test_datasets_loads_every_split_offline(built, tmp_path):
    """As the card promises. In a process of its own, for the library keeps its cache folder from the first import."""
    out, manifest = built
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "HF_DATASETS_OFFLINE": "1"}
    said = subprocess.run([sys.executable, "-c", LOAD, str(out)], capture_output=True, env=environment, text=True)
    assert said.returncode == 0, said.stderr[-2000:]
    rows, n_train, n_kept, configs = json.loads(said.stdout.splitlines()[-1])
    assert set(configs) == {"conversations", "three_stream", "tts"}
    assert set(rows) == {"train", "validation", "test"}
    for split, found in rows.items():
        files = list(manifest.files("three_stream", split))
        wanted = [row for file in files for row in pq.read_table(out / file.key).to_pylist()]
        assert sorted(found) == sorted([row["row_id"], row["input_ids"]] for row in wanted)
    assert n_train == manifest.tables["tts"]["train"].n_rows
    assert n_kept == 9
