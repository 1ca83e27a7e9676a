"""Audio files of any format, and what is said of those that cannot be read."""

import shutil

import numpy as np
import pytest
import soundfile

from datagen.engines.audio import read_audio
from datagen.engines.noise.noise import DirectoryNoise, GeneratedNoise
from datagen.errors import EngineError, OutageError, RecipeError


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


def test_bad_recordings_are_skipped_and_named_once_and_hidden_ones_ignored(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(24_000), 24_000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(RecipeError, match=r"none of 2 audio files .* can be used: .*broken\.wav"):
        DirectoryNoise(str(tmp_path))
    soundfile.write(tmp_path / "good.wav", tone(2400, 24_000, 500), 24_000)
    (tmp_path / "._good.wav").write_bytes(b"resource fork")
    (tmp_path / ".trash").mkdir()
    soundfile.write(tmp_path / ".trash" / "old.wav", tone(2400, 24_000, 500), 24_000)
    engine = DirectoryNoise(str(tmp_path))
    assert engine.kinds() == ("good.wav",)
    broken, silent = engine.skipped
    assert "broken.wav: cannot read" in broken and silent.endswith("silent.wav: it is empty or silent")


def test_a_bad_recording_changes_neither_what_is_drawn_nor_the_identity(tmp_path):
    soundfile.write(tmp_path / "good.wav", tone(2400, 24_000, 500), 24_000)
    before = DirectoryNoise(str(tmp_path))
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    after = DirectoryNoise(str(tmp_path))
    assert (after.kinds(), after.info) == (before.kinds(), before.info)


def test_a_worker_uses_the_files_that_the_plan_found(tmp_path):
    soundfile.write(tmp_path / "good.wav", tone(2400, 24_000, 500), 24_000)
    planned = DirectoryNoise(str(tmp_path))
    soundfile.write(tmp_path / "later.wav", tone(2400, 24_000, 500), 24_000)
    worker = DirectoryNoise(str(tmp_path), files=planned.files)
    assert (worker.kinds(), worker.info) == (("good.wav",), planned.info)
    assert len(worker.take("good.wav", np.random.default_rng(0), 100)) == 100


@pytest.mark.parametrize("damage", [b"RIFF", None], ids=["changed", "gone"])
def test_a_recording_that_goes_bad_later_is_an_outage(tmp_path, damage):
    soundfile.write(tmp_path / "good.wav", tone(2400, 24_000, 500), 24_000)
    engine = DirectoryNoise(str(tmp_path))
    (tmp_path / "good.wav").write_bytes(damage) if damage else (tmp_path / "good.wav").unlink()
    with pytest.raises(OutageError, match=r"good\.wav"):
        engine.take("good.wav", np.random.default_rng(0), 100)


def test_a_pause_of_a_recording_is_skipped(tmp_path):
    sound = np.zeros(24_000 * 20)
    sound[-2400:] = tone(2400, 24_000, 500)
    soundfile.write(tmp_path / "rare.wav", sound, 24_000)
    engine = DirectoryNoise(str(tmp_path))
    assert np.abs(engine.take("rare.wav", np.random.default_rng(0), 24_000)).max() > 0.4


def test_another_directory_content_is_another_engine_version(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(2400, 24_000, 500), 24_000)
    before = DirectoryNoise(str(tmp_path)).info.version
    soundfile.write(tmp_path / "b.wav", tone(2400, 24_000, 500), 24_000)
    assert DirectoryNoise(str(tmp_path)).info.version != before
