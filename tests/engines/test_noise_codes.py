"""What a model reads of generated noise: its codes repeat at no lag more than at neighbouring ones."""

import numpy as np
import pytest

from datagen.engines import load
from datagen.engines.noise.ambience import KINDS
from datagen.engines.noise.noise import GeneratedNoise

RATE, HOP, N_FRAMES = 24_000, 960, 2000
LAGS = np.arange(1, 1000)


@pytest.fixture(scope="module")
def tokenizer():
    return load.speech_tokenizer("kmeans", {})


def equality(codes: np.ndarray) -> np.ndarray:
    """Share of frames whose code is that of so many frames before, by lag."""
    return np.array([np.mean(codes[lag:] == codes[:-lag]) for lag in LAGS])


def worst(codes: np.ndarray) -> float:
    """By how much the equality at a lag exceeds that at neighbouring lags, in standard errors."""
    equal = equality(codes)
    around = np.convolve(np.pad(equal, 10, mode="reflect"), np.r_[np.ones(10), 0, np.ones(10)] / 20, "valid")
    late = slice(20, None)
    return float(np.max((equal - around)[late]) / np.std((equal - around)[late]))


def codes_of(tokenizer, audio: np.ndarray) -> np.ndarray:
    return tokenizer.encode(np.clip(np.rint(audio / audio.std() * 800), -32768, 32767).astype(np.int16))


@pytest.mark.parametrize("kind", KINDS)
def test_codes_of_noise_repeat_at_no_lag(tokenizer, kind):
    audio = GeneratedNoise().take(kind, np.random.default_rng(2), N_FRAMES * HOP)
    assert worst(codes_of(tokenizer, audio)) < 6


def test_a_loop_would_be_found(tokenizer):
    loop = GeneratedNoise().take("brown", np.random.default_rng(2), 400 * HOP)
    codes = codes_of(tokenizer, np.resize(loop, N_FRAMES * HOP))
    assert worst(codes) > 12
    assert np.argmax(equality(codes)) + 1 in (400, 800)
