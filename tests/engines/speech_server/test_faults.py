"""All that a server can do wrong: a passing fault changes nothing, a text's fault is the take's, an outage stops."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from datagen.engines.remote.probe import Probe
from datagen.errors import EngineError, OutageError
from tests.engines.speech_server.conftest import at_first

TEXT = "well, that is good news"
HEARD = {
    "retry_after": "slow down",
    "429": "it is 429",
    "500": "it is 500",
    "503": "it is 503",
    "reset": "",
    "cut": "the answer broke off",
    "short": "the audio breaks off after",
    "empty": "the answer is empty",
    "no_samples": "the audio is empty",
    "html": "the answer is no audio but text/html; charset=utf-8: <html><body>502 Bad Gateway",
    "json": 'the answer is no audio but application/json: {"error": "out of memory"}',
    "garbage": "the answer is no audio that can be read",
    "wrong_rate": "the audio has 12000 Hz, not 24000; set sample_rate_hz to that",
    "silent": "the audio is silent",
    "nan": "the audio holds numbers that are no sound",
    "endless": "a runaway",
}
"""Faults that pass, and what is said of them where they don't."""


@pytest.mark.parametrize("fault", HEARD)
def test_a_fault_that_passes_changes_nothing(host, engine, fault):
    host.script = at_first(fault, fault)
    found = engine(max_seconds=10).speak(TEXT, "tone-1", 7)
    assert np.array_equal(found.audio, host.voice.speak(TEXT, "tone-1", 7).audio)
    assert [call["seed"] for call in host.calls] == [7, 7, 7]
    assert {call["input"] for call in host.calls} == {TEXT}


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_call_that_takes_too_long_is_made_again(host, engine, fault):
    host.script = at_first(fault)
    found = engine(timeout_seconds=0.3).speak(TEXT, "tone-1", 7)
    assert np.array_equal(found.audio, host.voice.speak(TEXT, "tone-1", 7).audio)
    assert len(host.calls) == 2


def test_an_answer_without_end_is_not_read_to_its_end(host, engine):
    host.script = lambda number, body: "flood"
    with pytest.raises(OutageError, match="the answer has over 0 MiB: a runaway"):
        engine(attempts=1, max_seconds=0.5).speak(TEXT, "tone-1", 7)


@pytest.mark.parametrize("fault", HEARD)
def test_a_fault_that_stays_while_other_texts_are_spoken_is_the_texts(host, engine, fault):
    host.script = lambda number, body: fault if body["input"] == TEXT else ""
    with pytest.raises(EngineError, match="the server cannot speak this: ") as error:
        engine(max_seconds=10, attempts=3, longest_wait_seconds=0.001).speak(TEXT, "tone-2", 7)
    assert HEARD[fault] in str(error.value)
    assert [(call["input"], call["voice"]) for call in host.calls] == [(TEXT, "tone-2")] * 3 + [("Hello.", "tone-2")]


@pytest.mark.parametrize("fault", HEARD)
def test_a_fault_that_stays_for_every_text_is_an_outage(host, engine, fault):
    host.script = lambda number, body: fault
    with pytest.raises(OutageError, match="does not work: ") as error:
        engine(max_seconds=10, attempts=2, longest_wait_seconds=0.001).speak(TEXT, "tone-1", 7)
    assert HEARD[fault] in str(error.value)
    assert f"the speech server at {host.url}" in str(error.value)
    assert "run the same command again" in str(error.value)
    assert len(host.calls) == 4


def test_nobody_listening_is_an_outage_that_ends_when_somebody_does(engine):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, and it does not listen: the connection is refused
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(OutageError, match=r"does not work: .*refused"):
            engine(base_url=url, attempts=2).speak(TEXT, "tone-1", 7)


@pytest.mark.parametrize("status", ["400", "413", "422"])
def test_a_text_that_is_refused_is_not_sent_again(host, engine, status):
    host.script = lambda number, body: status if body["input"] == TEXT else ""
    voice = engine()
    for seed in (7, 8):
        with pytest.raises(EngineError, match=f"the server cannot speak this: .*it is {status}"):
            voice.speak(TEXT, "tone-1", seed)
    assert [call["input"] for call in host.calls] == [TEXT, "Hello.", TEXT]  # the voice is known to be well
    with pytest.raises(EngineError):
        voice.speak(TEXT, "tone-2", 7)
    assert [call["voice"] for call in host.calls[3:]] == ["tone-2", "tone-2"]


@pytest.mark.parametrize("status", ["400", "413", "422"])
def test_a_server_that_refuses_every_text_stops_the_build(host, engine, status):
    host.script = lambda number, body: status
    with pytest.raises(
        OutageError, match=f"it is {status}; are voice, model, seed_field and extra_body right. Finished"
    ):
        engine().speak(TEXT, "tone-1", 7)
    assert [call["input"] for call in host.calls] == [TEXT, "Hello."]


def test_one_thread_asks_whether_the_server_is_well_for_all(host, engine):
    n = 6
    host.at_once = threading.Barrier(n)

    def refuse(number, body):
        if body["input"] != TEXT:
            host.at_once = None
        return "400" if host.at_once is None else "500"

    host.script = refuse
    voice = engine(attempts=1)

    def speak(k):
        with pytest.raises(OutageError, match="are voice, model, seed_field and extra_body right"):
            voice.speak(TEXT, f"tone-{1 + k % 2}", k)

    with ThreadPoolExecutor(n) as pool:
        list(pool.map(speak, range(n)))
    assert [call["input"] for call in host.calls] == [TEXT] * n + ["Hello."]


def test_that_a_voice_was_well_is_believed_for_a_while_and_never_after_a_fault_of_the_server(monkeypatch):
    now, asked, ill = [100.0], [], [None]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def ask(voice):
        now[0] += 1
        asked.append(voice)
        return ill[0]

    probe = Probe(ask)
    assert [probe.illness("a"), probe.illness("a"), probe.illness("b")] == [None] * 3
    assert asked == ["a", "b"]
    ill[0] = "down"
    assert probe.illness("a") is None
    assert probe.illness("a", trusted_seconds=0) == "down"
    assert probe.illness("b") == "down"  # though it was well a second ago
    assert asked == ["a", "b", "a"]
    now[0] += 11
    ill[0] = None
    assert probe.illness("a") is None
    assert asked == ["a", "b", "a", "a"]


def test_a_server_that_is_gone_a_moment_after_it_was_well_is_gone(host, engine):
    host.script = lambda number, body: "400" if body["input"] == TEXT else ""
    voice = engine(attempts=1)
    with pytest.raises(EngineError):
        voice.speak(TEXT, "tone-1", 7)
    host.script = lambda number, body: "500"
    with pytest.raises(OutageError, match="it is 500"):
        voice.speak(TEXT, "tone-1", 7)


def test_the_question_whether_a_server_is_well_is_asked_a_few_times_only(host, engine):
    host.script = lambda number, body: "500"
    with pytest.raises(OutageError, match="it is 500"):
        engine(attempts=9).speak(TEXT, "tone-1", 7)
    assert [call["input"] for call in host.calls] == [TEXT] * 9 + ["Hello."] * 3


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        ("401", "is the environment variable DATAGEN_SPEECH_API_KEY set"),
        ("404", "are base_url and model right"),
        ("403", "it is 403"),
    ],
)
def test_a_server_that_would_refuse_everything_stops_the_build_at_once(host, engine, status, mend):
    host.script = lambda number, body: status
    with pytest.raises(OutageError, match=mend):
        engine().speak(TEXT, "tone-1", 7)
    assert len(host.calls) == 1


def test_what_a_server_says_is_data_and_short(host, engine):
    host.script = lambda number, body: "long_refusal" if body["input"] == TEXT else ""
    with pytest.raises(EngineError) as error:
        engine().speak(TEXT, "tone-1", 7)
    said = str(error.value)
    assert said.startswith("the server cannot speak this: ")
    assert said.isprintable()
    assert len(said) <= 230


def test_retry_after_is_obeyed_up_to_the_longest_wait(host, engine, monkeypatch):
    waits = []
    monkeypatch.setattr("datagen.engines.remote.pace.Pace.hold", lambda _, seconds: waits.append(seconds))
    host.script = at_first("retry_after", "429")
    engine(backoff_seconds=1000, longest_wait_seconds=0.02).speak(TEXT, "tone-1", 7)
    assert waits == [0.01, 0.02]


def test_waits_grow_until_patience_ends(host, engine, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    host.script = lambda number, body: "500" if body["input"] == TEXT else ""
    with pytest.raises(EngineError, match="it is 500"):
        engine(backoff_seconds=1, longest_wait_seconds=20).speak(TEXT, "tone-1", 7)
    assert all(2**k / 2 <= wait <= 2**k for k, wait in enumerate(waits[:5]))
    assert waits[6] == 20
    assert len(waits) == 7
    host.calls.clear()
    waits.clear()
    with pytest.raises(EngineError, match="it is 500"):
        engine(backoff_seconds=100, give_up_seconds=10).speak(TEXT, "tone-1", 7)
    assert not waits
    assert len(host.calls) == 2  # one attempt, and the short sentence
