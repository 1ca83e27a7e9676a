"""Whole builds through a server: its faults decide no byte, its outage stops nothing for good, its key is nowhere."""

import json

import pyarrow.parquet as pq
import pytest

from datagen.engines.tts.hibari import Hibari
from datagen.errors import OutageError, ResumeError
from datagen.run.build import build
from tests.engines.speech_server.conftest import FAST
from tests.run.builds import fake, faults, made, read, talk
from tests.speech_server import SpeechHost

WAYS = (
    *("429", "retry_after", "500", "502", "503", "reset", "hang", "drip", "cut", "short", "empty", "no_samples"),
    *("html", "json", "garbage", "wrong_rate", "silent", "nan", "endless"),
)
KEY = "sk-never-to-be-seen"


def a_third_fails(number: int, body: object) -> str:
    """Every third call, in every way in turn."""
    return WAYS[number // 3 % len(WAYS)] if number % 3 == 2 else ""


def through(host: SpeechHost, **options: object) -> tuple[str, ...]:
    """The recipe's engine is the server."""
    server = {"base_url": host.url, **FAST, "voices": host.voice.voices[:9], "timeout_seconds": 3, **options}
    voices = {"assistant": host.voice.voices[0]}
    engine = {"name": "speech_server", "options": server}
    tones = "verify.max_clipped_share=1"  # whose crests come again and again
    return (f"engines.tts={json.dumps(engine)}", "select.languages=[en]", tones, f"voices={json.dumps(voices)}")


@pytest.fixture
def serve():
    hosts = []

    def start(voice=None, script=None) -> SpeechHost:
        hosts.append(SpeechHost(voice, script))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()


@pytest.mark.slow
def test_a_server_that_fails_a_third_of_its_calls_gives_the_same_digest(serve, tmp_path):
    """Real speech, of the embedded voice."""
    voice = Hibari()
    sound, faulty = serve(voice), serve(voice, a_third_fails)
    texts = ("Tell me about {} apples.", "All {} are red and round.", "And what of {} pears?", "Those {} are green.")
    records = [talk(*(text.format(k) for text in texts), id=f"d{k}") for k in range(11)]
    options = {"attempts": 30, "max_seconds": 20, "timeout_seconds": 6}
    _, wanted = made(tmp_path / "sound", *through(sound, **options), records=records)
    out, found = made(tmp_path / "faulty", *through(faulty, **options), records=records)
    assert set(faulty.faults) == {"", *WAYS}
    n_failed = sum(map(bool, faulty.faults))
    assert n_failed == len(faulty.calls) // 3
    assert len(faulty.calls) - n_failed == len(sound.calls)
    assert found.digest == wanted.digest
    assert found.n_conversations == 11
    assert not faults(out)


def test_an_outage_stops_the_build_and_the_same_command_goes_on(serve, tmp_path):
    host = serve()
    _, wanted = made(tmp_path / "wanted", *through(host))
    n_calls = len(host.calls)
    recipe = fake(tmp_path / "stopped", *through(host, attempts=2))
    out = str(tmp_path / "stopped" / "out")
    host.script = lambda number, body: "503" if number > n_calls * 3 // 2 else ""
    for n_workers in (0, 1):
        with pytest.raises(OutageError, match=r"does not work: .*it is 503"):
            build(recipe, out, n_workers)
    host.script = lambda number, body: ""
    found = build(recipe, out, 1)
    assert found.digest == wanted.digest
    assert found.rejects == wanted.rejects == {"select/code": 2}


def test_a_text_that_the_server_refuses_rejects_its_dialogue_alone(serve, tmp_path):
    host = serve(script=lambda number, body: "400" if " four " in body["input"] else "")
    out, manifest = made(tmp_path, *through(host))
    assert manifest.rejects == {"select/code": 2, "speak/bad_take": 1}
    (bad,) = [row for row in read(out, "rejects") if row["stage"] == "speak"]
    assert bad["dialogue_id"] == "d4"
    assert "turn 0 (user): the server cannot speak this: Error code: 400" in bad["detail"]
    seeds = [call["seed"] for call in host.calls if " four " in call["input"]]
    assert len(seeds) == len(set(seeds)) == 3  # each attempt of the recipe with a seed of its own


def test_a_server_that_refuses_every_text_makes_no_rejects_but_stops_the_build(serve, tmp_path):
    host = serve(script=lambda number, body: "422")
    with pytest.raises(OutageError, match="it is 422; are voice, model, seed_field and extra_body right"):
        build(fake(tmp_path, *through(host)), str(tmp_path / "out"))


def test_the_key_is_in_no_file_and_no_message(serve, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("DATAGEN_SPEECH_API_KEY", KEY)
    host = serve(script=lambda number, body: "tell" if " four " in body["input"] else "")
    host.key = KEY
    out, manifest = made(tmp_path, *through(host), n_workers=1)
    assert manifest.rejects["speak/bad_take"] == 1
    assert {headers["authorization"] for headers in host.headers} == {f"Bearer {KEY}"}
    told = [file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()]
    for file in out.rglob("*.parquet"):
        table = pq.read_table(file)
        told.append(f"{table.to_pylist()} {table.schema.metadata}".encode())
    told.append(repr(capfd.readouterr()).encode())
    assert len(told) > 10
    assert not any(KEY.encode() in each for each in told)
    assert any(b"your key is ***" in each for each in told)  # the server did tell it


def test_another_recording_is_another_build(serve, tmp_path):
    import numpy as np
    import soundfile

    host, bank = serve(), tmp_path / "bank"
    bank.mkdir()
    time_s = np.arange(64_000) / 16_000
    for k in range(5):
        soundfile.write(bank / f"v{k}.wav", 0.2 * np.sin((900 + k) * time_s) * (time_s % 0.75 < 0.5), 16_000)
    engine = through(host, voices=[], bank=str(bank))
    recipe = fake(tmp_path, *engine[:3], "voices={assistant: v0, deal: even}")
    out = str(tmp_path / "out")
    manifest = build(recipe, out)
    voices = manifest.voices
    assert list(voices) == [f"v{k}" for k in range(5)]
    assert voices["v3"].source == "v3.wav"
    assert len(voices["v3"].source_sha256) == 64
    assert {u["voice"] for row in read(tmp_path / "out", "conversations") for u in row["utterances"]} <= set(voices)
    soundfile.write(bank / "v3.wav", 0.2 * np.sin(999 * time_s) * (time_s % 0.75 < 0.5), 16_000)
    with pytest.raises(ResumeError, match=r"engines\.tts\.version|voices\.v3\.source_sha256"):
        build(recipe, out)
