"""What is sent and what is made of the answer."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from datagen.engines import load
from datagen.engines.conformance import check
from datagen.engines.remote.pace import Pace
from datagen.errors import EngineError, OutageError, RecipeError
from datagen.records import Style
from tests.engines.speech_server.conftest import FAST, at_first

TEXT = "well, that is good news"


def test_the_engine_keeps_all_laws_of_its_kind(engine, bank):
    for voice in (engine(bit_exact="machine"), engine(voices=[], bank=str(bank))):
        found = list(check("tts", voice))
        assert len(found) > 15
        assert [finding for finding in found if not finding.holds] == []


def test_a_style_is_sent_as_speed_and_instructions(host, engine):
    voice = engine(styles=["pace", "emotion"])
    assert voice.styles == ("pace", "emotion")
    voice.speak(TEXT, "tone-1", 7)
    voice.speak_styled(TEXT, "tone-1", 7, Style("angry", "slow"))
    assert not {"speed", "instructions"} & set(host.calls[0])
    assert (host.calls[1]["speed"], host.calls[1]["instructions"]) == (0.85, "Speak in an angry tone.")


@pytest.mark.parametrize("form", ["wav", "flac", "pcm", "mp3", "opus"])
def test_every_format_is_heard_at_its_length(host, engine, form):
    found = engine(response_format=form).speak(TEXT, "tone-1", 7)
    true = host.voice.speak(TEXT, "tone-1", 7)
    assert host.calls[0]["response_format"] == form
    assert abs(len(found.audio) - len(true.audio)) <= (0 if form in ("wav", "flac", "pcm") else 3000)
    assert np.std(found.audio) == pytest.approx(np.std(true.audio), rel=0.1)
    if form in ("wav", "flac", "pcm"):
        assert np.abs(found.audio - true.audio).max() < 1e-4
    assert [word.text for word in found.words] == TEXT.split()
    assert found.words[0].end_samples == pytest.approx(true.words[0].end_samples, abs=2400)


@pytest.mark.parametrize("answer", ["stereo", "streamed"])
def test_two_equal_channels_and_a_header_without_a_length_are_fine(host, engine, answer):
    host.script = at_first(answer)
    found = engine().speak(TEXT, "tone-1", 7)
    assert np.array_equal(found.audio, host.voice.speak(TEXT, "tone-1", 7).audio)
    assert len(host.calls) == 1


def test_half_a_sample_of_raw_audio_is_no_audio(host, engine):
    host.script = at_first("short")
    engine(response_format="pcm").speak(TEXT, "tone-1", 7)
    assert len(host.calls) == 2


@pytest.mark.parametrize("form", ["flac", "mp3"])
def test_half_a_compressed_file_is_no_audio(host, engine, form):
    host.script = at_first("short")
    found = engine(response_format=form).speak(TEXT, "tone-1", 7)
    assert abs(len(found.audio) - len(host.voice.speak(TEXT, "tone-1", 7).audio)) <= 3000
    assert len(host.calls) == 2


def test_a_call_holds_what_the_recipe_says_and_no_more(host, engine):
    engine(model="m", seed_field="sample", extra_body={"language": "English"}).speak(TEXT, "tone-1", 7)
    engine(seed_field="").speak(TEXT, "tone-2", 8)
    assert host.calls == [
        {
            "input": TEXT,
            "model": "m",
            "voice": "tone-1",
            "response_format": "wav",
            "sample": 7,
            "language": "English",
        },
        {"input": TEXT, "voice": "tone-2", "response_format": "wav"},
    ]


def test_as_many_calls_are_under_way_as_are_made(host, engine):
    """The server answers none of them before all are there."""
    n = 6
    host.at_once = threading.Barrier(n)
    voice = engine(concurrency=n)
    with ThreadPoolExecutor(voice.concurrency) as pool:
        found = list(pool.map(lambda seed: voice.speak(TEXT, "tone-1", seed).audio, range(n)))
    for seed, audio in enumerate(found):
        assert np.array_equal(audio, host.voice.speak(TEXT, "tone-1", seed).audio)


def test_turns_are_spaced_and_held_for_all(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    pace = Pace(120)
    assert [pace.turn() for _ in range(3)] == [(100, 0), (100.5, 0.5), (101, 1)]
    now[0] = 110
    assert pace.turn() == (110, 0)
    pace.hold(7)
    assert [pace.turn()[1], pace.turn()[1]] == [7, 7.5]
    free = Pace(0)
    assert [free.turn()[1], free.turn()[1]] == [0, 0]
    free.hold(7)
    assert [free.turn()[1] for _ in range(3)] == pytest.approx([7, 7.05, 7.1])  # not all at once
    now[0] += 8
    assert [free.turn()[1], free.turn()[1]] == [0, 0]


def test_those_who_wait_already_are_held_too(monkeypatch):
    now, waits, pace = [100.0], [], Pace(60)

    def sleep(seconds):
        waits.append(seconds)
        now[0] += seconds
        if len(waits) == 1:
            pace.hold(7)  # as another thread does meanwhile

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", sleep)
    pace.wait()
    pace.wait()
    assert waits == [1, 7]
    pace.wait()
    assert waits == [1, 7, 1]


def test_a_rate_limit_is_kept(host, engine, monkeypatch):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    voice = engine(requests_per_minute=1)
    voice.speak(TEXT, "tone-1", 7)
    voice.speak(TEXT, "tone-1", 8)
    assert len(waits) == 1
    assert 50 < waits[0] <= 60


def test_the_key_is_sent_and_never_told(host, engine, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    host.key = "sk-very-secret"
    voice = engine(api_key_env="MY_KEY")
    voice.speak(TEXT, "tone-1", 7)
    assert host.headers[0]["authorization"] == "Bearer sk-very-secret"
    assert "very-secret" not in repr(voice) + repr(voice.info) + repr(voice._options)
    host.key = "another"  # the server repeats the wrong key in its refusal
    with pytest.raises(
        OutageError, match=r"the server refuses the key \(status 401\).*environment variable MY_KEY"
    ) as error:
        voice.speak(TEXT, "tone-1", 7)
    assert "very-secret" not in str(error.value)
    assert error.value.__cause__ is None


def test_without_a_key_none_is_sent_and_another_programs_key_is_not_taken(host, engine, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-something-else")
    engine().speak(TEXT, "tone-1", 7)
    assert host.headers[0]["authorization"] == "Bearer none"
    assert "sk-of-something-else" not in str(host.headers)
    monkeypatch.setenv("MY_KEY", "two\nlines")
    with pytest.raises(EngineError, match="MY_KEY is not a valid key") as error:
        engine(api_key_env="MY_KEY")
    assert "lines" not in str(error.value)


@pytest.fixture
def bank(tmp_path):
    time_s = np.arange(64_000) / 16_000
    soundfile.write(tmp_path / "anna.wav", 0.2 * np.sin(900 * time_s) * (time_s % 0.75 < 0.5), 16_000)
    soundfile.write(tmp_path / "berta.flac", 0.2 * np.sin(1200 * time_s) * (time_s % 0.75 < 0.5), 16_000)
    (tmp_path / "anna.txt").write_text("what Anna says")
    return tmp_path


def test_a_voice_of_a_bank_is_sent_as_a_recording(host, engine, bank):
    voice = engine(voices=[], bank=str(bank), languages=["en", "zh"], licence="CC0-1.0")
    assert voice.voices == ("anna", "berta")
    assert (voice.about("anna").source, voice.about("anna").licence) == ("anna.wav", "CC0-1.0")
    assert voice.about("anna").languages == ("en", "zh")
    voice.speak(TEXT, "anna", 7)
    voice.speak(TEXT, "berta", 7)
    anna, berta = host.calls
    coded = base64.b64encode((bank / "anna.wav").read_bytes()).decode()
    assert (anna["ref_audio"], anna["ref_text"]) == (f"data:audio/wav;base64,{coded}", "what Anna says")
    assert berta["ref_audio"].startswith("data:audio/flac;base64,")
    assert not {"ref_text", "voice"} & set(berta)
    fields = {"audio_path": "path", "speaker": "name", "prompt": "base64"}
    engine(voices=[], bank=str(bank), reference_fields=fields).speak(TEXT, "anna", 7)
    assert host.calls[2] == {
        "input": TEXT,
        "response_format": "wav",
        "seed": 7,
        "audio_path": str((bank / "anna.wav").resolve()),
        "speaker": "anna",
        "prompt": coded,
    }


def test_a_recording_is_read_once_and_another_one_is_never_sent(host, engine, bank):
    voice = engine(voices=[], bank=str(bank))
    voice.speak(TEXT, "anna", 7)
    (bank / "anna.wav").write_bytes((bank / "berta.flac").read_bytes())
    voice.speak(TEXT, "anna", 7)
    assert host.calls[0] == host.calls[1]
    with (bank / "berta.flac").open("ab") as file:
        file.write(b"!")
    with pytest.raises(OutageError, match=r"berta\.flac of voice berta changed during the build; restore it"):
        voice.speak(TEXT, "berta", 7)
    (bank / "berta.flac").unlink()
    with pytest.raises(OutageError, match=r"berta\.flac of voice berta cannot be read"):
        voice.speak(TEXT, "berta", 7)
    assert len(host.calls) == 2


def test_only_voices_that_speak_its_languages_are_voices(engine, bank):
    table = bank / "voices.csv"
    table.write_text("path,language\nanna.wav,zh\nberta.flac,fr en\n")
    found = engine(voices=[], bank=str(table), languages=["de", "en"])
    assert found.voices == ("berta",)
    assert found.about("berta").languages == ("en",)
    with pytest.raises(RecipeError, match="no voice of the bank speaks de or ja"):
        engine(voices=[], bank=str(table), languages=["de", "ja"])


def test_another_bank_is_another_version_of_the_engine(engine, bank):
    first = engine(voices=[], bank=str(bank), model="m").info
    assert first.version.startswith("1 m bank ")
    (bank / "anna.txt").write_text("what Anna said")
    assert engine(voices=[], bank=str(bank), model="m").info != first


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"voices": []}, "set either voices, by their names on the server, or a bank"),
        ({"bank": "/nowhere"}, "set either voices"),
        ({"voice": "x"}, "engine speech_server: voice: unknown key"),
        ({"attempts": 0}, "attempts: Input should be greater than or equal to 1"),
        ({"base_url": "http://me:secret@127.0.0.1/v1"}, "base_url must contain no password"),
        ({"base_url": "http://secret@127.0.0.1/v1"}, "base_url must contain no password"),
        (
            {"base_url": "http://127.0.0.1/v1?api_key=secret"},
            "nothing after a [?] or #, because the manifest stores it",
        ),
        ({"bit_exact": "mostly"}, "bit_exact"),
        ({"voices": [], "bank": ".", "bank_limits": {"loud": 1}}, "unknown voice limit 'loud'"),
    ],
)
def test_options_that_cannot_be_are_refused(options, says):
    with pytest.raises(RecipeError, match=says) as error:
        load.tts("speech_server", {**FAST, **options})
    assert "secret" not in str(error.value)


def test_bits_are_promised_only_if_the_user_does(engine):
    assert engine().info.bit_exact == "no"
    assert engine(bit_exact="machine").info.bit_exact == "machine"


def test_without_its_package_the_mend_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(EngineError, match=r"pip install .*\[server\]"):
        load.tts("speech_server", FAST)


def test_the_package_is_imported_only_when_an_engine_is_made():
    import subprocess
    import sys

    code = "import datagen.engines.tts.speech_server, sys; print('openai' in sys.modules, 'soundfile' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]
