"""The embedded speech tokenizer and the training of its model."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from datagen.engines.speech_tokens import kmeans
from datagen.engines.speech_tokens.kmeans import BLOCK, HOP, KMeansTokenizer
from datagen.errors import EngineError
from tools import train_kmeans

HEARD_BEYOND_A_FRAME = (train_kmeans.WINDOW - HOP // 2) // 2


@pytest.fixture(scope="module")
def tokenizer() -> KMeansTokenizer:
    return shipped()


@cache
def shipped() -> KMeansTokenizer:
    return KMeansTokenizer()


def sound(n_frames: int, seed: int = 0) -> np.ndarray:
    """Gliding harmonics with pauses of digital silence, in noise."""
    rng = np.random.default_rng(seed)
    n = n_frames * HOP
    pitch_hz = 120 + 80 * np.sin(np.arange(n) / 30_000 + seed)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / 24_000
    voice = sum(np.sin(h * phase) * rng.uniform(0.1, 1) for h in range(1, 8))
    loud = np.repeat(rng.uniform(0, 2000, n_frames) * (rng.random(n_frames) < 0.7), HOP)
    return np.rint(loud * (voice + rng.standard_normal(n)) / 3).astype(np.int16)


def test_interface(tokenizer: KMeansTokenizer) -> None:
    codes = tokenizer.encode(sound(30))
    assert codes.dtype == np.uint16
    assert codes.shape == (30,)
    assert (tokenizer.codebook_size, tokenizer.frame_rate_hz, tokenizer.sample_rate_hz) == (4096, 25, 24_000)
    assert len(np.unique(codes)) > 10
    assert (tokenizer.info.name, tokenizer.info.version) == ("kmeans_25hz", "1+0b2885c4011b")
    assert tokenizer.info.licence == "Apache-2.0"


@pytest.mark.parametrize("audio", [np.zeros(959, np.int16), np.zeros(960, np.float32), np.zeros((2, 960), np.int16)])
def test_what_is_not_whole_frames_of_int16_is_refused(tokenizer: KMeansTokenizer, audio: np.ndarray) -> None:
    with pytest.raises(ValueError, match="kmeans encodes"):
        tokenizer.encode(audio)


def test_empty_stays_empty(tokenizer: KMeansTokenizer) -> None:
    assert tokenizer.encode(np.zeros(0, np.int16)).shape == (0,)
    assert tokenizer.decode(np.zeros(0, np.uint16)).shape == (0,)


def test_skipping_silence_gives_what_the_full_computation_gives(tokenizer: KMeansTokenizer) -> None:
    audio = sound(3 * BLOCK)
    windows = tokenizer._mel.frames(audio)
    full = np.concatenate([tokenizer._nearest(part) for part in windows.reshape(3, BLOCK, *windows.shape[1:])])
    codes = tokenizer.encode(audio)
    assert codes.tolist() == full.tolist()
    assert 0 < len(kmeans._heard(audio, tokenizer._mel.overhang)) < 3 * BLOCK


@pytest.mark.parametrize("place", [0, HOP - 1])
def test_one_sample_is_heard_by_its_own_frame_and_the_near_neighbour(tokenizer: KMeansTokenizer, place: int) -> None:
    audio = np.zeros(5 * HOP, np.int16)
    audio[2 * HOP + place] = 30_000
    heard = {2, 1} if place == 0 else {2, 3}
    changed = set(np.flatnonzero(tokenizer.encode(audio) != tokenizer.silence_code).tolist())
    assert 2 in changed
    assert changed <= heard
    assert set(kmeans._heard(audio, tokenizer._mel.overhang).tolist()) == heard


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 5))
def test_codes_do_not_depend_on_what_follows(n_first: int, n_second: int, seed: int) -> None:
    tokenizer = shipped()
    first, second = sound(n_first, seed), sound(n_second, seed + 1)
    both = tokenizer.encode(np.concatenate([first, second]))
    assert both[: max(n_first - 1, 0)].tolist() == tokenizer.encode(first)[: max(n_first - 1, 0)].tolist()
    assert both[n_first + 1 :].tolist() == tokenizer.encode(second)[1:].tolist()


def test_codes_do_not_depend_on_place_history_or_threads(tokenizer: KMeansTokenizer) -> None:
    audio = sound(BLOCK + 40)
    expected = tokenizer.encode(audio).tolist()
    shifted = tokenizer.encode(np.concatenate([np.ones(7 * HOP, np.int16), audio]))[7:]
    assert shifted[1:].tolist() == expected[1:]
    with threadpool_limits(2):
        assert tokenizer.encode(audio).tolist() == expected
    assert KMeansTokenizer().encode(audio).tolist() == expected


def test_windows_are_centred_on_their_half_frames(tokenizer: KMeansTokenizer) -> None:
    audio = np.arange(4 * HOP).astype(np.int16)
    windows = tokenizer._mel.frames(audio)
    first = 2 * HOP + HOP // 2 - HEARD_BEYOND_A_FRAME
    assert windows[2, 1].tolist() == list(range(first, first + train_kmeans.WINDOW))
    assert not windows[0, 0, :HEARD_BEYOND_A_FRAME].any()
    assert not windows[-1, 1, -HEARD_BEYOND_A_FRAME:].any()


@given(st.integers(0, 2**32))
def test_search_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codebook = rng.integers(-127, 128, (64, train_kmeans.N_DIMS)).astype(np.int8)
    points = rng.integers(-127, 128, (BLOCK, train_kmeans.N_DIMS))
    squares = ((points[:, None].astype(np.int64) - codebook.astype(np.int64)) ** 2).sum(axis=2)
    found = np.argmax(kmeans.with_one(points.astype(np.float32)) @ kmeans.search_matrix(codebook), axis=1)
    assert found.tolist() == squares.argmin(axis=1).tolist()


def test_decoding_is_repeatable_and_silence_stays_quiet(tokenizer: KMeansTokenizer) -> None:
    audio = np.concatenate([sound(25), np.zeros(25 * HOP, np.int16)])
    codes = tokenizer.encode(audio)
    heard = tokenizer.decode(codes)
    assert heard.dtype == np.float32
    assert heard.shape == (50 * HOP,)
    assert heard.tobytes() == tokenizer.decode(codes).tobytes()
    loud, quiet = (np.sqrt(np.mean(part**2)) for part in (heard[: 25 * HOP], heard[-20 * HOP :]))
    assert 0.005 < loud < 0.5
    assert quiet < 0.002


def test_unknown_codes_are_refused(tokenizer: KMeansTokenizer) -> None:
    with pytest.raises(ValueError, match="4096"):
        tokenizer.decode(np.array([1, 4096], np.uint16))


def test_shipped_model_is_small_and_whole() -> None:
    assert kmeans.MODEL_FILE.stat().st_size < 6_000_000
    with np.load(kmeans.MODEL_FILE, allow_pickle=False) as model:
        assert len(np.unique(model["codebook"], axis=0)) > 3500


@pytest.mark.parametrize("content", [None, b"no npz"])
def test_what_is_no_model_is_an_engine_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "model.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EngineError, match=r"model\.npz"):
        KMeansTokenizer(str(file))


def clips() -> list[train_kmeans.TrainingClip]:
    audios = [sound(60, seed).astype(np.float32) / 32768 for seed in range(6)]
    return list(train_kmeans.mix(audios, [np.arange(60)] * 6, 2, seed=0))


def test_training_twice_gives_the_same_file_and_a_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"CODEBOOK_SIZE": 64, "CLUSTER_POINTS": 600}
    for name, value in small.items():
        monkeypatch.setattr(train_kmeans, name, value)
    files = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for file in files:
        train_kmeans.write(file, train_kmeans.train(clips(), seed=0))
    assert files[0].read_bytes() == files[1].read_bytes()
    trained = KMeansTokenizer(str(files[0]))
    audio = clips()[0].clean
    assert trained.codebook_size == 64
    assert len(np.unique(trained.encode(audio))) > 10


def test_discriminants_keep_what_differs_between_instants() -> None:
    rng = np.random.default_rng(0)
    n_features = train_kmeans.N_DIMS + 10
    instants = np.repeat(np.arange(200), 20)
    features = rng.standard_normal((4000, n_features)).astype(np.float32)
    features[:, 3] = 5 * features[:, 3] + 2 * rng.standard_normal(200)[instants]  # loud, mostly of the voice
    features[:, 7] += 3 * rng.standard_normal(200)[instants]  # what is said
    projection, offset = train_kmeans.discriminants(features, instants)
    assert np.abs(projection[:, 0]).argmax() == 7
    points = kmeans.project(features, projection, offset)
    assert np.abs(points).max() <= 127
    assert np.abs(points).max() > 100
    assert np.all(points == np.rint(points))


def test_mixing_sets_level_and_noise() -> None:
    for clip in clips():
        clean, noisy = (part.astype(np.float32) / 32767 for part in (clip.clean, clip.noisy))
        level = 20 * np.log10(train_kmeans.active_rms(clean))
        assert abs(level - train_kmeans.SPEECH_DBFS) <= train_kmeans.LEVEL_SPREAD_DB + 0.1
        snr_db = level - 10 * np.log10(np.mean((noisy - clean) ** 2))
        assert train_kmeans.SNR_DB[0] - 0.5 <= snr_db <= train_kmeans.SNR_DB[1] + 0.5


def test_mel_bands_cover_their_range_and_sum_to_one() -> None:
    weights = train_kmeans.mel_weights(train_kmeans.N_MELS, train_kmeans.WINDOW)
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-5)
    assert np.all(weights[2:210].sum(axis=1) > 0)
    centres = np.arange(len(weights)) @ weights
    assert np.all(np.diff(centres) > 0)
