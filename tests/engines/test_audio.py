"""Audio files of any format, and what is said of those that cannot be read."""

import shutil

import numpy as np
import pytest
import soundfile

from datagen.engines.audio import read_audio
from datagen.engines.noise.noise import DirectoryNoise, GeneratedNoise
from datagen.errors import EngineError, RecipeError


def tone(n: int, rate: int, hz: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz / rate * np.arange(n))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_common_formats_become_mono_at_the_rate_asked_for(tmp_path, suffix):
    file = tmp_path / f"a.{suffix}"
    soundfile.write(file, np.stack([tone(44_100, 44_100, 440)] * 2, axis=1), 44_100)
    audio = read_audio(file, 24_000)
    assert abs(len(audio) - 24_000) < 2500  # mp3 pads
    spectrum = np.abs(np.fft.rfft(audio[:24_000] * np.hanning(len(audio[:24_000]))))
    assert abs(np.argmax(spectrum) * 24_000 / len(audio[:24_000]) - 440) < 3


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="odd formats are read by ffmpeg, which is not installed")
def test_odd_formats_go_through_ffmpeg(tmp_path):
    from pydub import AudioSegment

    samples = (tone(24_000, 24_000, 440) * 32_767).astype(np.int16)
    segment = AudioSegment(samples.tobytes(), frame_rate=24_000, sample_width=2, channels=1)
    segment.export(tmp_path / "a.m4a", "ipod").close()
    assert abs(len(read_audio(tmp_path / "a.m4a", 24_000)) - 24_000) < 3000


def test_a_broken_file_is_named(tmp_path):
    file = tmp_path / "bad.wav"
    file.write_bytes(b"nothing")
    with pytest.raises(EngineError, match=r"cannot read audio file bad\.wav"):
        read_audio(file, 24_000)


def test_noise_directories_that_do_not_serve_are_refused_at_once(tmp_path):
    with pytest.raises(RecipeError, match="does not exist"):
        DirectoryNoise(str(tmp_path / "no"))
    with pytest.raises(RecipeError, match="no audio files"):
        DirectoryNoise(str(tmp_path))
    with pytest.raises(RecipeError, match="unknown kinds"):
        GeneratedNoise(kinds=["purple"])


def test_a_silent_recording_is_an_error_and_a_pause_is_skipped(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(24_000), 24_000)
    engine = DirectoryNoise(str(tmp_path))
    with pytest.raises(EngineError, match=r"silent\.wav is empty or silent"):
        engine.take("silent.wav", np.random.default_rng(0), 24_000)
    sound = np.zeros(24_000 * 20)
    sound[-2400:] = tone(2400, 24_000, 500)
    soundfile.write(tmp_path / "rare.wav", sound, 24_000)
    assert np.abs(engine.take("rare.wav", np.random.default_rng(0), 24_000)).max() > 0.4


def test_another_directory_content_is_another_engine_version(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(2400, 24_000, 500), 24_000)
    before = DirectoryNoise(str(tmp_path)).info.version
    soundfile.write(tmp_path / "b.wav", tone(2400, 24_000, 500), 24_000)
    assert DirectoryNoise(str(tmp_path)).info.version != before
