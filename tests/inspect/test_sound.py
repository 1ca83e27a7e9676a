"""Sound written in any format by its ending, and what cannot be is said with the mend."""

import shutil
from io import BytesIO

import numpy as np
import pytest
import soundfile

from datagen.errors import DatagenError
from datagen.inspect import Sound

SOUND = Sound((8000 * np.sin(np.outer(np.arange(24_000) * 0.05, [1, 3]))).astype(np.int16), 24_000)


@pytest.mark.parametrize("ending", ["wav", ".WAV", "flac", "aiff", "aif", "w64", "au", "caf"])
def test_lossless_formats_come_back_as_they_were(ending):
    samples, rate = soundfile.read(BytesIO(SOUND.encode(ending)), dtype="int16")
    assert rate == 24_000
    assert np.array_equal(samples, SOUND.samples)


@pytest.mark.parametrize(("ending", "name"), [("ogg", "VORBIS"), ("opus", "OPUS"), ("mp3", "MPEG_LAYER_III")])
def test_lossy_formats_come_back_nearly(ending, name):
    data = SOUND.encode(ending)
    assert soundfile.info(BytesIO(data)).subtype == name
    samples, rate = soundfile.read(BytesIO(data), dtype="float32")
    assert rate == 24_000
    assert len(samples) == pytest.approx(24_000, abs=2_500)
    middle = samples[6_000:18_000]
    for channel, step in enumerate((0.05, 0.15)):  # each channel holds its own tone
        spectrum = np.abs(np.fft.rfft(middle[:, channel]))
        assert np.argmax(spectrum) == pytest.approx(step * len(middle) / (2 * np.pi), abs=2)


def test_channels_are_those_of_the_records():
    assert np.array_equal(SOUND.channel("user").samples[:, 0], SOUND.samples[:, 0])
    assert np.array_equal(SOUND.channel("assistant").samples[:, 0], SOUND.samples[:, 1])
    assert SOUND.channel("both") is SOUND


def test_floats_are_rounded_and_clipped():
    assert Sound.of_floats(np.array([[0.5, -2], [2, 0]], np.float32), 1).samples.tolist() == [
        [16384, -32767],
        [32767, 0],
    ]


def test_peaks_are_of_their_own_samples():
    peaks = SOUND.peaks(100)
    assert peaks.shape == (100, 2)
    wanted = np.abs(SOUND.samples.reshape(100, 240, 2).astype(float)).max(axis=1) / 32768
    assert np.allclose(peaks, wanted, atol=1e-6)


def test_a_notebook_gets_a_player_of_its_own():
    assert '<audio controls preload="metadata" src="data:audio/mpeg;base64,' in SOUND._repr_html_()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_ffmpeg_writes_the_rest(tmp_path):
    from pydub import AudioSegment

    SOUND.write(tmp_path / "x.m4a")
    segment = AudioSegment.from_file(tmp_path / "x.m4a")
    assert (segment.channels, segment.frame_rate) == (2, 24_000)


def test_without_ffmpeg_the_mend_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(DatagenError, match=r"x\.m4a: cannot write \.m4a: .*install ffmpeg, or use \.wav"):
        SOUND.write(tmp_path / "x.m4a")
    assert not (tmp_path / "x.m4a").exists()


def test_a_rate_that_a_format_does_not_take_is_said(tmp_path):
    odd = Sound(SOUND.samples, 23_456)
    with pytest.raises(DatagenError, match=r"x\.opus: cannot write 23456 Hz as \.opus: .*use \.wav or \.flac"):
        odd.write(tmp_path / "x.opus")


def test_a_place_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DatagenError, match=r"cannot write .*nowhere/x\.wav: No such file"):
        SOUND.write(tmp_path / "nowhere" / "x.wav")


def test_damaged_sound_is_named():
    with pytest.raises(DatagenError, match="that one is damaged"):
        Sound.of_flac(b"fLaC", "that one")
