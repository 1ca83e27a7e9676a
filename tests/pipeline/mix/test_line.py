"""A line keeps the band of a telephone, shifts nothing in time, and gives the same each time."""

import numpy as np
import pytest

from datagen.pipeline.mix.sound_path import CODECS, line_info, through
from tests.conftest import RATE

TELEPHONE = [name for name, codec in CODECS.items() if codec.telephone]


def noise(seconds: float = 2, level: float = 3000) -> np.ndarray:
    """White noise that comes and goes, so that a shift in time would show."""
    rng = np.random.default_rng(1)
    n = int(seconds * RATE)
    return (rng.normal(0, level, n) * (np.sin(np.arange(n) / 3000) > 0)).astype(np.int16)


def band_db(audio: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Power per frequency in a band."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    frequency_hz = np.fft.rfftfreq(len(audio), 1 / RATE)
    return 10 * np.log10(power[(frequency_hz >= low_hz) & (frequency_hz < high_hz)].mean() + 1e-9)


def lag(audio: np.ndarray, reference: np.ndarray) -> int:
    """By how many samples `audio` is late."""
    n = len(audio) * 2
    product = np.fft.irfft(np.fft.rfft(audio, n) * np.conj(np.fft.rfft(reference.astype(float), n)), n)
    at = int(np.argmax(product))
    return at if at < n // 2 else at - n


@pytest.mark.parametrize("name", TELEPHONE)
def test_a_telephone_keeps_300_to_3400_hz(name):
    heard = through(noise(), CODECS[name], 0, RATE)
    inside = band_db(heard, 500, 3000)
    below_db = {"band": 30, "gsm": 12}.get(name, 25)  # a codec puts noise of its own below the band, not above 4 kHz
    assert inside - band_db(heard, 20, 120) > below_db
    assert inside - band_db(heard, 4300, 11_000) > 40


def test_the_band_alone_passes_what_lies_within():
    heard = through(noise(), CODECS["band"], 0, RATE)
    assert band_db(heard * 32768, 500, 3000) == pytest.approx(band_db(noise(), 500, 3000), abs=0.5)


@pytest.mark.parametrize("name", CODECS)
def test_no_line_shifts_time(name):
    heard = through(noise(), CODECS[name], 0.8, RATE)
    assert len(heard) == len(noise())
    assert abs(lag(heard, noise())) <= 24  # 1 ms; the edge of the band at 300 Hz delays a little


@pytest.mark.parametrize("name", CODECS)
def test_the_same_channel_comes_out_the_same(name):
    first, again = (through(noise(0.5), CODECS[name], 0.7, RATE) for _ in range(2))
    assert np.array_equal(first, again)


def test_codecs_change_what_they_should():
    clean = through(noise(), CODECS["band"], 0, RATE)
    for name in ("pcmu", "pcma", "gsm"):
        error = through(noise(), CODECS[name], 0, RATE) - clean
        snr_db = 10 * np.log10(np.mean(clean**2) / np.mean(error**2))
        assert (0 < snr_db < 20) if name == "gsm" else (30 < snr_db < 45), name


def test_more_compression_costs_more():
    talk = noise()
    errors = [np.mean((through(talk, CODECS["vorbis"], c, RATE) - talk / 32768) ** 2) for c in (0.0, 1.0)]
    assert errors[1] > 2 * errors[0]


def test_another_rate_goes_through_too():
    assert len(through(noise()[:16_000], CODECS["mp3"], 0.5, 16_000)) == 16_000


def test_the_library_is_named_with_its_version():
    assert line_info().version.count(".") == 2
