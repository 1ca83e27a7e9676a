"""The shipped dialogues on the embedded engines: what is built can be heard, and is the same every time."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile

import datagen.inspect
from benchmarks.hearing import Audio, Heard, Recognizer, decoded_audio, errors, hear_all, stored_audio, word_offsets_ms
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import Recipe, load
from datagen.records import Streams
from datagen.run.build import build
from datagen.run.check import check
from datagen.shards.manifest import Manifest
from datagen.shards.schema import streams_of
from datagen.shards.store import open_store
from datagen.shards.tables import from_parquet

pytestmark = pytest.mark.slow
needs_asr = pytest.mark.skipif(
    importlib.util.find_spec("faster_whisper") is None, reason="needs the extra `asr`; `make test-all` installs it"
)
N_DIALOGUES = 6
PLAIN = ("timing={profile: omniflatten}", "mix.bursts.probability=0")
"""Turns that are spoken in one piece, without the short tokens and broken words that a recognizer cannot be held to."""


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load("quickstart", ("select.languages=[en]", f"input.limit={N_DIALOGUES}", *PLAIN))


@pytest.fixture(scope="module")
def out(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real") / "out"
    build(recipe, str(folder))
    return folder


@pytest.fixture(scope="module")
def conversations(out: Path) -> list[Streams]:
    store = open_store(str(out))
    files = Manifest.load(store).files("conversations")
    return [s for file in files for s in streams_of(from_parquet(store.read(file.key), file.key))]


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


@pytest.fixture(scope="module")
def heard_audio(recognizer: Recognizer, conversations: list[Streams]) -> list[Heard]:
    return hear_all(recognizer, conversations, stored_audio, word_times=True)


@pytest.fixture(scope="module")
def heard_tokens(recognizer: Recognizer, conversations: list[Streams], recipe: Recipe) -> list[Heard]:
    tokenizer = Pipeline(recipe).speech_tokenizer
    decoded: Audio = lambda s: decoded_audio(s, tokenizer)  # noqa: E731
    return hear_all(recognizer, conversations, decoded)


def of(role: str, heard: list[Heard]) -> list[Heard]:
    return [h for h in heard if h.clip.utterance.role == role]


def test_every_dialogue_becomes_data_that_passes_the_check(out: Path):
    report = check(open_store(str(out)))
    assert report.faults == []
    manifest = Manifest.load(open_store(str(out)))
    assert (manifest.n_conversations, manifest.n_rejects) == (N_DIALOGUES, 0)


@pytest.mark.parametrize("n_workers", [1, 2])
def test_speech_is_the_same_again_and_with_more_workers(recipe: Recipe, out: Path, tmp_path: Path, n_workers: int):
    again = build(recipe, str(tmp_path / "out"), n_workers)
    assert again.digest == Manifest.load(open_store(str(out))).digest


@needs_asr
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_audio_says_what_the_text_says(heard_audio: list[Heard], role: str):
    assert errors(of(role, heard_audio)).rate < 0.05


@needs_asr
@pytest.mark.parametrize(("role", "most"), [("user", 0.25), ("assistant", 0.15)])
def test_tokens_say_what_the_text_says(heard_tokens: list[Heard], role: str, most: float):
    assert errors(of(role, heard_tokens)).rate < most


@needs_asr
def test_words_are_heard_where_they_are_stored(heard_audio: list[Heard], recipe: Recipe):
    starts, ends = word_offsets_ms(heard_audio, recipe.sample_rate_hz)
    assert len(starts) > 400
    assert np.median(np.abs(starts)) < 120  # the recognizer's own times lead by some tens of milliseconds
    assert np.median(np.abs(ends)) < 100


def test_tokens_can_be_heard(out: Path, conversations: list[Streams], tmp_path: Path):
    talk = conversations[0]
    datagen.inspect.open(str(out)).conversation(talk.dialogue_id).decoded.write(tmp_path / "talk.wav")
    audio, rate = soundfile.read(tmp_path / "talk.wav", dtype="float32")
    assert audio.shape == (talk.n_samples * rate // 24_000, 2)
    for channel, role in enumerate(("user", "assistant")):
        spans = [audio[u.start_samples : u.end_samples, channel] for u in talk.utterances if u.role == role]
        assert min(float(np.sqrt(np.mean(span**2))) for span in spans) > 0.005
