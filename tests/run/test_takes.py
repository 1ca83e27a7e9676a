"""Kept takes: what was spoken once is not spoken again, and the content is that of a build from nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from datagen.engines.audio import dequantize, quantize
from datagen.errors import StoreError
from datagen.recipe.mix_config import MixConfig
from datagen.records import LineTake, Word
from datagen.run.build import build
from datagen.run.check import check
from datagen.run.takes import Index, KeptTakes
from datagen.shards.manifest import Manifest
from datagen.shards.schema import TAKES
from datagen.shards.store import LocalStore
from datagen.shards.tables import from_parquet
from datagen.shards.unit import Block
from tests.run.builds import fake, made, read, talk, worker
from tests.run.engines import Counting

VOICE = "engines.tts={name: 'tests.run.engines:Counting'}"
KEEP = "takes.keep=true"
OTHER_PROFILE = ("timing.barge_in={probability: 1, at: 0.4, reaction: 90}", "timing.tail=2000")


@pytest.fixture(autouse=True)
def _nothing_asked():
    Counting.asked.clear()


def reuse(out: Path) -> str:
    return f"takes.reuse={json.dumps([str(out)])}"


def counted(folder: Path, *overrides: str, **source) -> tuple[Path, Manifest, list[tuple[str, str, int]]]:
    """A build, and what its voice was asked to speak."""
    Counting.asked.clear()
    out, manifest = made(folder, VOICE, *overrides, **source)
    return out, manifest, list(Counting.asked)


def test_another_profile_speaks_nothing_again_and_gives_what_a_build_from_nothing_gives(tmp_path):
    first, _, asked = counted(tmp_path / "a", KEEP)
    assert asked
    _, again, asked_again = counted(tmp_path / "b", reuse(first), *OTHER_PROFILE)
    assert not asked_again
    fresh, scratch, _ = counted(tmp_path / "c", *OTHER_PROFILE)
    assert again.digest == scratch.digest
    cuts = [u["n_cut_samples"] for row in read(fresh, "conversations") for u in row["utterances"]]
    assert any(cuts)  # the same takes, cut elsewhere


def test_only_what_is_not_there_is_spoken(tmp_path):
    first, _, _ = counted(tmp_path / "a", KEEP, n=4)
    _, again, asked = counted(tmp_path / "b", reuse(first), n=6)
    _, scratch, all_asked = counted(tmp_path / "c", n=6)
    assert 0 < len(asked) < len(all_asked)
    assert set(asked) == set(all_asked) - {(row["voice"], row["text"], row["seed"]) for row in _kept(first)}
    assert again.digest == scratch.digest


def _kept(out: Path) -> list[dict]:
    return [row for f in sorted((out / "takes").glob("*.parquet")) if f.stem != "index" for row in _rows(f)]


def _rows(file: Path) -> list[dict]:
    table = from_parquet(file.read_bytes(), file.name)
    assert table.schema.equals(TAKES)
    return table.to_pylist()


def test_keeping_changes_no_content_and_the_output_stays_sound(tmp_path):
    out, kept, _ = counted(tmp_path / "a", KEEP)
    _, plain, _ = counted(tmp_path / "b")
    assert kept.digest == plain.digest
    assert kept.recipe_sha256 is not None
    assert check(LocalStore(out)).faults == []


def test_nothing_that_is_heard_is_the_same_waveform_twice(tmp_path):
    records = [talk("Yes.", "I see.", "Yes.", "I see.", id=f"d{k}") for k in range(6)]
    out, _, asked = counted(tmp_path, KEEP, "input.exact_duplicates=false", records=records)
    assert len(asked) == len(set(asked)) == 24
    assert len({row["audio_flac"] for row in _kept(out)}) == 24


def test_no_line_of_a_build_is_spoken_twice_in_a_worker(tmp_path):
    """Sentences of babble and voice prompts are common to all conversations."""
    shared = ("mix.babble.probability=1", "mix.other_talkers.probability=1", "voices.prompts=true")
    out, _, asked = counted(tmp_path, *shared, n=9)
    assert len(asked) == len(set(asked))
    assert sum(row["voice_prompt"] is not None for row in read(out, "conversations")) == 6
    assert len({text for _, text, _ in asked} & set(MixConfig().sentences["en"])) > 1


TOKENS = (
    "timing={backchannel: {user_probability: %s, min_words: 1, phrase_words: 2}, barge_in: {probability: 0}}",
    "timing={hesitation: {probability: %s, min_words: 3, restart_probability: 0}, barge_in: {probability: 0}}",
)


@pytest.mark.parametrize("rule", TOKENS)
def test_another_rate_of_tokens_or_pauses_speaks_no_turn_and_no_kept_token_again(tmp_path, rule):
    records = [talk("I want to see a big garden.", "It is far away, and closed.", id=f"d{k}") for k in range(6)]
    first, _, asked = counted(tmp_path / "a", KEEP, rule % 0.5, records=records)
    _, _, again = counted(tmp_path / "b", reuse(first), rule % 0.2, records=records)
    assert not again  # those that happen less often happened before
    _, _, more = counted(tmp_path / "c", reuse(first), rule % 1, records=records)
    assert not set(more) & set(asked)
    assert not {text for _, text, _ in more} & {turn["text"] for record in records for turn in record["turns"]}


@pytest.mark.parametrize(
    "change",
    [
        "engines.tts={name: 'tests.run.engines:Counting', options: {version: '2'}}",
        "engines.tts={name: 'tests.run.engines:Counting', options: {ms_per_letter: 61}}",
        "seed=8",
        "speak.trim_margin_ms=40",
    ],
)
def test_takes_of_another_engine_seed_or_treatment_are_never_used(tmp_path, change):
    first, _, asked = counted(tmp_path / "a", KEEP)
    Counting.asked.clear()
    recipe = fake(tmp_path / "b", VOICE, reuse(first), change)
    build(recipe, str(tmp_path / "b" / "out"))
    assert len(Counting.asked) >= len(asked) * 0.9


def test_an_unfinished_build_can_be_used_and_a_resumed_one_goes_on(tmp_path):
    out = tmp_path / "out"
    recipe = fake(tmp_path, VOICE, KEEP)
    one = worker(recipe, LocalStore(out))
    one.apply(one.records(Block(0)))  # killed between its takes and its conversations
    n_first = len(Counting.asked)
    assert n_first
    manifest = build(recipe, str(out))
    assert len(Counting.asked) == len(set(Counting.asked))
    _, scratch, asked = counted(tmp_path / "b")
    assert manifest.digest == scratch.digest
    assert len(_kept(out)) == len(set(asked))

    half = tmp_path / "half"
    one = worker(recipe, LocalStore(half))
    one.apply(one.records(Block(0)))
    _, again, asked_again = counted(tmp_path / "c", reuse(half))
    assert set(asked_again) == set(asked) - {(row["voice"], row["text"], row["seed"]) for row in _kept(half)}
    assert again.digest == scratch.digest


@pytest.mark.parametrize("damage", ["cut", "gone", "swapped"])
def test_a_damaged_file_of_takes_is_spoken_again(tmp_path, damage):
    first, _, all_asked = counted(tmp_path / "a", KEEP)
    files = [f for f in sorted((first / "takes").glob("*.parquet")) if f.stem != "index"]
    assert len(files) > 1
    match damage:
        case "cut":
            files[0].write_bytes(files[0].read_bytes()[:-7])
        case "gone":
            files[0].unlink()
        case "swapped":
            files[0].write_bytes(files[1].read_bytes())
    _, again, asked = counted(tmp_path / "b", reuse(first), *OTHER_PROFILE)
    assert 0 < len(asked) < len(all_asked)
    _, scratch, _ = counted(tmp_path / "c", *OTHER_PROFILE)
    assert again.digest == scratch.digest


def test_a_damaged_index_or_an_output_without_takes_is_said_before_any_work(tmp_path):
    plain, _, _ = counted(tmp_path / "a")
    with pytest.raises(StoreError, match=r"keeps no takes; build it with --set takes.keep=true"):
        counted(tmp_path / "b", reuse(plain))
    first, _, _ = counted(tmp_path / "c", KEEP)
    (first / "takes" / "index.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"index.parquet is damaged"):
        counted(tmp_path / "d", reuse(first))
    assert not (tmp_path / "d" / "out" / "plan.json").exists()


def test_takes_in_the_background_are_kept_too(tmp_path):
    crowd = ("mix.babble.probability=1", "mix.other_talkers.probability=1", "mix.bursts.probability=1")
    first, kept, asked = counted(tmp_path / "a", KEEP, *crowd)
    assert {row["text"] for row in _kept(first)} & set(MixConfig().sentences["en"])
    _, again, asked_again = counted(tmp_path / "b", reuse(first), *crowd)
    assert asked
    assert not asked_again
    assert again.digest == kept.digest
    kinds = {e["kind"] for row in read(first, "conversations") for e in row["events"]}
    assert {"noise_burst", "other_talker"} <= kinds
    assert all(row["mixing"]["babble"] for row in read(first, "conversations"))


def test_workers_and_one_process_keep_what_gives_one_content(tmp_path):
    first, alone, _ = counted(tmp_path / "a", KEEP)
    _, many, _ = counted(tmp_path / "b", KEEP, n_workers=2)
    assert many.digest == alone.digest
    kept = {row["key"]: row["audio_flac"] for row in _kept(first)}
    assert {row["key"]: row["audio_flac"] for row in _kept(tmp_path / "b" / "out")} == kept


def take(seed: int, level: float, n: int = 999) -> LineTake:
    audio = (level * np.random.default_rng(seed).normal(size=n)).astype(np.float32)
    return LineTake(dequantize(*quantize(audio)), (Word("one", 3, 500), Word("zwei", 510, 990)), 2, 77)


@pytest.mark.parametrize("level", [1e-4, 0.01, 0.3, 5])
def test_a_take_comes_back_to_the_last_bit(tmp_path, level):
    store, kept = LocalStore(tmp_path), take(1, level)
    shelf = KeptTakes(store, [], 24_000)
    key = "00ff" * 7 + "0000"  # ends in zero bytes
    shelf.keep(key, "one zwei", "v", 5, kept)
    shelf.keep("ab" * 16, "one", "v", 6, take(2, level))
    assert shelf.find(key) is None  # not before it is written
    shelf.flush()
    Index.gather(store).write()
    for index in (Index.load(store), Index.gather(store)):
        found = index.find(key)
        assert np.array_equal(found.audio, kept.audio)
        assert (found.words, found.attempt, found.trimmed_samples) == (kept.words, 2, 77)
        assert index.find("cd" * 16) is None
        assert key in index
    error = np.random.default_rng(1).normal(size=999) * level - kept.audio
    assert 10 * np.log10(np.mean(kept.audio.astype(float) ** 2) / np.mean(error**2)) > 75


def test_a_file_with_the_right_keys_and_other_speech_is_not_used(tmp_path):
    key, store = "ab" * 16, LocalStore(tmp_path / "kept")
    for folder, seed in ((store, 1), (LocalStore(tmp_path / "other"), 2)):
        shelf = KeptTakes(folder, [], 24_000)
        shelf.keep(key, "one zwei", "v", 5, take(seed, 0.1))
        shelf.flush()
    (file,) = (tmp_path / "kept" / "takes").glob("*.parquet")
    assert KeptTakes(store, [], 24_000).find(key) is not None
    file.write_bytes((tmp_path / "other" / "takes" / file.name).read_bytes())
    assert KeptTakes(store, [], 24_000).find(key) is None


def test_nothing_is_kept_twice(tmp_path):
    store = LocalStore(tmp_path)
    for _ in range(2):
        shelf = KeptTakes(store, [], 24_000)
        shelf.keep("00" * 16, "a", "v", 1, take(1, 0.1))
        shelf.keep("00" * 16, "a", "v", 1, take(1, 0.1))
        shelf.flush()
        shelf.flush()
    assert len(_kept(tmp_path)) == 1
