"""Which recordings are taken and which refused, and what is said of them."""

from dataclasses import replace

import numpy as np
import pytest

from datagen.engines.voices import Measures, RecordingLimits, load_bank, survey
from datagen.engines.voices.voice_checks import faults
from datagen.errors import EngineError, RecipeError
from tests.engines.voices.conftest import hum


def test_each_fault_is_found_and_named_with_its_mend(put):
    bank = put("good.wav")
    put("short.wav", seconds=1.5)
    put("long.wav", seconds=31)
    put("quiet.wav", level=0.002)
    put("clipped.wav", np.clip(hum() * 6, -1, 1))
    put("noisy.wav", noise=0.08)
    put("coarse.wav", rate_hz=8_000)
    put("two.wav", np.stack([hum(pitch_hz=120), hum(pitch_hz=210)], axis=1))
    put("silent.wav", np.zeros(64_000, np.float32))
    put("empty.wav", np.zeros(0, np.float32))
    put("broken.wav").joinpath("broken.wav").write_bytes(b"RIFF and so on")
    found = load_bank(bank)
    assert list(found) == ["good"]
    said = {verdict.voice.name: "; ".join(verdict.faults) for verdict in found.skipped}
    for name, says in {
        "short": "1.5 s is too short; give at least 2 s",
        "long": "31.0 s is too long; cut it below 30 s",
        "quiet": "dBFS is too quiet; make it louder than -45 dBFS",
        "clipped": "of it is clipped; record it at a lower level",
        "noisy": "dB above its noise; give a cleaner one of at least 15 dB",
        "coarse": "8000 Hz is too low a sample rate; give at least 16000 Hz",
        "two": "its channels differ, as if of two speakers; give one channel",
        "silent": "-inf dBFS is too quiet",
        "empty": "it holds no sound; give another file",
        "broken": "cannot read audio file broken.wav",
    }.items():
        assert says in said.pop(name)
    assert not said


@pytest.mark.parametrize(
    ("field", "limit", "beyond", "says"),
    [
        ("seconds", 2.0, -0.01, "too short"),
        ("seconds", 30.0, 0.01, "too long"),
        ("rate_hz", 16_000, -1, "too low a sample rate"),
        ("level_dbfs", -45.0, -0.01, "too quiet"),
        ("clipped_share", 0.001, 1e-6, "clipped"),
        ("snr_db", 15.0, -0.01, "above its noise"),
        ("channel_difference_db", -10.0, 0.01, "channels differ"),
    ],
)
def test_a_recording_at_a_limit_is_good_and_one_beyond_it_is_not(field, limit, beyond, says):
    good = Measures(5.0, 24_000, -25.0, 0.0, 40.0, float("-inf"))
    assert not list(faults(replace(good, **{field: limit}), RecordingLimits()))
    (fault,) = faults(replace(good, **{field: limit + beyond}), RecordingLimits())
    assert says in fault


def test_numbers_that_are_no_sound_are_refused(put):
    import soundfile

    bank = put("good.wav")
    broken = hum()
    broken[100] = np.nan
    soundfile.write(bank / "nan.wav", broken, 16_000, subtype="FLOAT")
    (bad,) = load_bank(bank).skipped
    assert bad.faults == ("it holds numbers that are no sound; give another file",)


def test_two_channels_of_one_speaker_are_mixed(put):
    bank = put("near.wav", np.stack([hum(), 0.8 * hum()], axis=1))
    assert load_bank(bank)["near"].audio(16_000).shape == (64_000,)


def test_one_recording_cannot_be_two_speakers(put):
    bank = put("good.wav")
    put("anna.wav", hum(pitch_hz=300))
    put("berta.wav", hum(pitch_hz=300))
    found = load_bank(bank)
    assert list(found) == ["good"]
    assert [v.faults for v in found.skipped] == [("the same recording is given as anna, berta; keep one",)] * 2


def test_the_best_recording_of_a_voice_is_taken(put):
    bank = put("anna/a_long.wav", seconds=14)
    put("anna/b_short.wav", seconds=2.5)
    put("anna/c_noisy.wav", seconds=5, noise=0.01)
    put("anna/d_clean.wav", seconds=5, noise=0.001)
    put("anna/e_bad.wav", seconds=5, noise=0.2)
    assert load_bank(bank)["anna"].voice.source == "anna/d_clean.wav"
    (bank / "anna/c_noisy.txt").write_text("it is known what this one says")
    assert load_bank(bank)["anna"].voice.source == "anna/c_noisy.wav"
    (bank / "anna/c_noisy.txt").rename(bank / "anna/e_bad.txt")
    assert load_bank(bank)["anna"].voice.source == "anna/d_clean.wav"  # a transcript does not mend it


def test_of_very_many_recordings_the_right_length_is_found_by_header(put):
    for k in range(70):
        bank = put(f"anna/{k:02}.wav", seconds=2.0)
    put("anna/40.wav", seconds=5)
    assert load_bank(bank)["anna"].voice.source == "anna/40.wav"


def test_a_digest_tells_banks_apart(put):
    bank = put("anna.wav")
    put("berta.wav")
    first = load_bank(bank).digest
    assert (len(first), load_bank(bank).digest) == (12, first)
    (bank / "berta.txt").write_text("hello")
    second = load_bank(bank).digest
    put("berta.wav", noise=0.001)
    assert len({first, second, load_bank(bank).digest}) == 3


def test_a_table_must_be_right_in_every_row_and_a_directory_in_one(put):
    bank = put("good.wav")
    put("short.wav", seconds=1)
    put("noisy.wav", noise=0.2)
    (bank / "voices.csv").write_text("path\ngood.wav\nshort.wav\nnoisy.wav\n")
    with pytest.raises(EngineError, match="2 of 3 voices are unusable") as error:
        load_bank(bank / "voices.csv")
    assert "\n  short.wav: 1.0 s is too short" in str(error.value)
    assert "\n  noisy.wav: about" in str(error.value)
    (bank / "good.wav").unlink()
    with pytest.raises(EngineError, match="2 of 2 voices are unusable"):
        load_bank(bank)


def test_a_bad_row_of_a_voice_stops_a_table_and_no_directory(put):
    bank = put("anna/good.wav")
    put("anna/short.wav", seconds=1)
    for k in range(9):
        put(f"anna/good{k}.wav")
    rows = "\n".join(f"anna,anna/{file.name}" for file in sorted((bank / "anna").iterdir()))
    (bank / "voices.csv").write_text(f"name,path\n{rows}\n")
    with pytest.raises(EngineError, match=r"1 of 1 voices are unusable") as error:
        load_bank(bank / "voices.csv")
    assert "anna/short.wav: 1.0 s is too short" in str(error.value)
    assert list(load_bank(bank)) == ["anna"]
    (bank / "voices.csv").write_text(f"name,path\n{rows}\n".replace("anna,anna/short.wav\n", ""))
    assert list(load_bank(bank / "voices.csv")) == ["anna"]


def test_of_a_table_the_best_row_of_a_voice_is_taken(put):
    bank = put("a.wav", seconds=2.5)
    put("b.wav", seconds=5, noise=0.01)
    put("c.wav", seconds=5, noise=0.001)
    (bank / "voices.csv").write_text("name,path,transcript\nx,a.wav,\nx,b.wav,\nx,c.wav,\n")
    assert load_bank(bank / "voices.csv")["x"].voice.source == "c.wav"
    (bank / "voices.csv").write_text("name,path,transcript\nx,a.wav,hello\nx,b.wav,\nx,c.wav,\n")
    assert load_bank(bank / "voices.csv")["x"].voice.source == "a.wav"


def test_limits_are_options(put):
    bank = put("short.wav", seconds=1)
    assert list(load_bank(bank, RecordingLimits.of({"min_seconds": 0.5, "best_seconds": [1, 2]}))) == ["short"]
    (verdict,) = survey(bank, RecordingLimits.of({"min_seconds": 0.5, "transcript": True}))
    assert verdict.faults == ("its transcript is missing; add it",)
    for values, says in [
        ({"min_second": 1}, "unknown voice limit 'min_second'; known: min_seconds, "),
        ({"min_seconds": "1"}, "the limit min_seconds is '1'; it must look like 2.0"),
        ({"best_seconds": [1]}, "the limit best_seconds is"),
        ({"min_seconds": True}, "the limit min_seconds is True"),
        ({"transcript": 1}, "the limit transcript is 1; it must look like False"),
    ]:
        with pytest.raises(RecipeError, match=says):
            RecordingLimits.of(values)


def test_the_command_shows_every_voice_and_fails_if_one_cannot_be_used(put, tmp_path):
    from typer.testing import CliRunner

    from datagen.cli import app

    bank = put("good.wav")
    result = CliRunner().invoke(app, ["voices", str(bank), "--language", "de", "--csv", str(tmp_path / "good.csv")])
    assert result.exit_code == 0
    assert "1 of 1 voices are usable" in result.stdout
    assert "is not checked" in result.stdout
    assert (tmp_path / "good.csv").read_text().splitlines()[1] == "good,bank/good.wav,good,,de,,unknown,"
    put("short[red].wav", seconds=1)
    result = CliRunner().invoke(app, ["voices", str(bank)])
    assert result.exit_code == 1
    assert "short[red]" in result.stdout
    assert "1.0 s is too short" in " ".join(result.stdout.split())
    assert CliRunner().invoke(app, ["voices", str(bank), "--limit", "min_seconds=0.5"]).exit_code == 0
    for limit, says in [
        ("x=[", "--limit x: the value is not valid YAML"),
        ("min_snr_db", "--limit min_snr_db: use the form key=value, for example min_snr_db=10"),
    ]:
        result = CliRunner().invoke(app, ["voices", str(bank), "--limit", limit])
        assert result.exit_code == 1
        assert result.stderr.startswith(f"datagen: {says}")
