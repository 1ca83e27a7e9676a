"""The embedded voice says every word, at the right time, whatever the text."""

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hibari.g2p import G2P
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.engines.base import Speech
from datagen.engines.tts import hibari_net as dsp
from datagen.engines.tts.hibari import _MAX_PHONEMES, VOICES, Hibari, _g2p, _phrases
from datagen.engines.tts.hibari_net import HibariNetwork, _cut, intoned
from datagen.engines.tts.renderings import Variant
from datagen.engines.tts.word_times import spans
from datagen.errors import EngineError, EngineMissingError
from datagen.records import Style

TEXT = "Hello there, my good friend."


@pytest.fixture(scope="module")
def engine() -> Hibari:
    return Hibari()


@pytest.fixture(scope="module")
def spoken(engine: Hibari) -> Speech:
    return engine.speak(TEXT, "heart", 3)


def assert_timed(speech: Speech, text: str) -> None:
    assert [word.text for word in speech.words] == text.split()
    times = [0] + [t for word in speech.words for t in (word.start_samples, word.end_samples)] + [len(speech.audio)]
    assert times == sorted(times)
    assert speech.audio.dtype == np.float32
    assert np.isfinite(speech.audio).all()


def test_a_slow_style_takes_longer_and_a_fast_one_less(engine: Hibari, spoken: Speech) -> None:
    slow, fast = (engine.speak_styled(TEXT, "heart", 3, Style(pace=pace)) for pace in ("slow", "fast"))
    assert len(fast.audio) < 0.95 * len(spoken.audio)
    assert len(slow.audio) > 1.08 * len(spoken.audio)
    assert_timed(slow, TEXT)


def test_there_are_eight_voices_of_each_kind_after_the_default() -> None:
    numbers = range(1, 9)
    assert Hibari.voices == ("heart", *(f"heart-f{i}" for i in numbers), *(f"heart-m{i}" for i in numbers))
    assert VOICES["heart"] == Variant()
    assert len(set(VOICES.values())) == 17


def test_all_voices_are_shades_of_one_speaker(engine: Hibari) -> None:
    assert {engine.about(voice).speaker for voice in engine.voices} == {"heart"}
    assert "af_heart of Kokoro-82M" in (engine.info.lineage or "")


def test_info_says_what_a_manifest_needs(engine: Hibari) -> None:
    assert (engine.info.name, engine.info.bit_exact) == ("hibari", "machine")
    assert engine.info.version == metadata.version("hibari-tts") == "0.2.1"


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(EngineMissingError, match=r"pip install hibari-tts==0\.2\.1"):
        Hibari()


def test_words_sound_between_their_times_and_pauses_do_not(spoken: Speech) -> None:
    assert_timed(spoken, TEXT)
    square = spoken.audio**2
    inside = np.zeros(len(square), bool)
    for word in spoken.words:
        assert word.end_samples > word.start_samples
        inside[word.start_samples : word.end_samples] = True
    assert square[inside].mean() > 20 * square[~inside].mean()


def test_the_silence_before_a_pause_belongs_to_no_word(engine: Hibari) -> None:
    text = "Right now the forecast says it will be mostly sunny, with a light breeze and no rain until Monday."
    sunny, comma_with = engine.speak(text, "heart", 0).words[9:11]
    assert comma_with.start_samples - sunny.end_samples > 7_200


@pytest.mark.parametrize("voice", ["heart", "heart-m4"])
def test_audio_stays_within_full_scale(engine: Hibari, voice: str) -> None:
    peak = np.abs(engine.speak("Somewhere quiet, about one hundred and forty pounds.", voice, 0).audio).max()
    assert 0.2 < peak <= 1


def test_same_seed_same_bytes_whatever_came_before(engine: Hibari, spoken: Speech) -> None:
    engine.speak("Something else.", "heart-m1", 9)
    again = engine.speak(TEXT, "heart", 3)
    assert again.audio.tobytes() == spoken.audio.tobytes()
    assert again.words == spoken.words
    assert Hibari().speak(TEXT, "heart", 3).audio.tobytes() == spoken.audio.tobytes()
    assert engine.speak(TEXT, "heart", 4).audio.tobytes() != spoken.audio.tobytes()


def test_it_sounds_as_the_package_itself_does(spoken: Speech) -> None:
    from hibari import Hibari as Package

    def loudness(audio: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(audio, 1_200)[::300] * np.hanning(1_200)
        bands = (np.abs(np.fft.rfft(frames))[:, :600] ** 2).reshape(len(frames), 30, 20).mean(axis=2)
        return 10 * np.log10(bands + 1e-5)

    pace = 1 + 0.03 * (2 * np.random.Generator(np.random.Philox(3)).random() - 1)
    theirs = Package()(TEXT, speed=pace, seed=0)
    assert len(theirs) == len(spoken.audio)
    difference = loudness(spoken.audio) - loudness(theirs)
    assert np.abs(difference).mean() < 1
    assert abs(difference.mean()) < 0.2


def test_words_are_read_with_the_tables_of_the_package() -> None:
    ours, theirs = _g2p(), G2P()
    assert type(ours) is G2P
    assert vars(ours).keys() == vars(theirs).keys()
    assert vars(ours.tagger) == vars(theirs.tagger)
    assert vars(ours.tokenizer) == vars(theirs.tokenizer)
    assert [vars(words) for words in (ours.lexicon.golds, ours.lexicon.silvers)] == [
        vars(words) for words in (theirs.lexicon.golds, theirs.lexicon.silvers)
    ]
    assert (ours.lexicon.british, ours.unk, ours.british) == (theirs.lexicon.british, theirs.unk, theirs.british)


def test_the_network_is_rewritten_once_and_then_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ids, rewritten = [0, 50, 60, 70, 0], list[str]()
    model = dsp._model

    def rewrite() -> Any:
        rewritten.append("once")
        return model()

    def frames() -> list[bytes]:
        dsp.body_session.cache_clear()
        found = HibariNetwork().run(ids, VOICES["heart-m1"])
        return [found.ends.tobytes(), found.f0.tobytes(), found.head.tobytes()]

    monkeypatch.setattr(dsp, "_model", rewrite)
    assert frames() == frames()
    assert len(rewritten) == 2  # the body, and the head of the voice


def test_another_seed_has_another_pace_within_three_percent(engine: Hibari) -> None:
    lengths = [len(engine.speak(TEXT, "heart", seed).audio) for seed in range(6)]
    assert len(set(lengths)) > 1
    assert max(lengths) < 1.1 * min(lengths)


@pytest.mark.parametrize("text", ["", "  ", "...", "?! -- “”", "\u200b", "你好"])
def test_nothing_to_speak_is_an_error(engine: Hibari, text: str) -> None:
    with pytest.raises(EngineError, match="nothing to speak"):
        engine.speak(text, "heart", 0)


def test_an_unknown_voice_is_told_the_known_ones(engine: Hibari) -> None:
    with pytest.raises(EngineError, match=r"no voice 'bella'.*heart, heart-f1,.*heart-m8"):
        engine.speak(TEXT, "bella", 0)


def test_a_word_without_a_sound_is_a_point_at_the_end_of_the_one_before(engine: Hibari) -> None:
    speech = engine.speak("… Wait … please.", "heart", 0)
    first, wait, dots, please = speech.words
    assert first.start_samples == first.end_samples == 0
    assert dots.start_samples == dots.end_samples == wait.end_samples < please.start_samples


def test_text_cannot_command_phonemes(engine: Hibari) -> None:
    (plain,) = engine.phonemes(["[nice](/dˈɔɡ/)", "day"])
    assert plain[0].startswith("nˈIs"), "the link was obeyed"
    assert len(plain) == 2


def test_a_quote_after_a_full_stop_loses_no_word(engine: Hibari) -> None:
    text = 'She said "go." Then he went.” ” Yes.'
    assert_timed(engine.speak(text, "heart", 0), text)


class ReadOnly(HibariNetwork):
    """Stands in for the network: each phoneme lasts a unit. Makes many texts cheap to try."""

    def run(self, ids, voice, pace=1.0):  # type: ignore[no-untyped-def]
        from datagen.engines.tts.hibari_net import Frames

        assert len(ids) <= _MAX_PHONEMES + 2
        n = 2 * len(ids)
        return Frames(np.arange(1, len(ids) + 1) * 600, np.zeros(n, np.float32), np.full((n, 3_005), -9, np.float32))


printable = st.characters(exclude_categories=["Cs"])
wordlike = st.text(st.sampled_from("abcdeIO'.,!?-—…\"”’()[]/$£%&@#~^*_1290é中 \n\t"), max_size=60)


@settings(max_examples=150, deadline=None)
@given(st.text(printable, max_size=40) | wordlike)
def test_any_text_gives_every_word_or_an_engine_error(text: str) -> None:
    reader = _reader()
    try:
        speech = reader.speak(text, "heart", 0)
    except EngineError:
        return
    assert_timed(speech, text)


_READERS: list[Hibari] = []


def _reader() -> Hibari:
    if not _READERS:
        _READERS.append(Hibari())
        _READERS[0]._network = ReadOnly()
    return _READERS[0]


def joined(phrases: Iterator[list[tuple[int, str]]]) -> list[str]:
    return ["".join(phoneme for _, phoneme in phrase) for phrase in phrases]


def test_a_long_sentence_is_cut_after_a_clause_else_between_words_else_anywhere() -> None:
    clause = ["a" * 9] * 20 + ["b" * 8 + ","]
    assert joined(_phrases([clause * 2])) == [" ".join(clause), " ".join(clause)]
    assert max(map(len, joined(_phrases([["a" * 9] * 100])))) == 399
    assert joined(_phrases([["a" * 900]])) == ["a" * 400, "a" * 400, "a" * 100]
    assert joined(_phrases([["a", "", "b"], ["", ""], ["c"]])) == ["a b", "c"]


def test_a_missing_tensor_says_which_release_is_known() -> None:
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    model = helper.make_model(helper.make_graph([], "empty", [value], [value]))
    with pytest.raises(EngineError, match=r"no /Clip_output_0; only release 0\.2\.1"):
        _cut(model, ["x"], ["/Clip_output_0"])


def test_lengths_that_do_not_sum_to_the_audio_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    network = HibariNetwork()
    network.run([0, 50, 86, 0], Variant())
    monkeypatch.setattr("datagen.engines.tts.hibari_net._UNIT_SAMPLES", 300)
    with pytest.raises(EngineError, match="do not sum to the audio"):
        network.run([0, 50, 86, 0], Variant())


def pitch_hz(audio: np.ndarray) -> float:
    """Median F0 by autocorrelation of the loud frames."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, 1_200)[::600]
    frames = frames[(frames**2).mean(axis=1) > (audio**2).mean()]
    lags = np.fft.irfft(np.abs(np.fft.rfft(frames, 4_096)) ** 2)[:, 50:400]
    return float(np.median(24_000 / (lags.argmax(axis=1) + 50)))


def test_voices_differ_in_pitch_rate_and_formants(engine: Hibari, spoken: Speech) -> None:
    low, high = (engine.speak(TEXT, voice, 3) for voice in ("heart-m1", "heart-f6"))
    heart_hz = pitch_hz(spoken.audio)
    assert 0.4 < pitch_hz(low.audio) / heart_hz < 0.6
    assert 1.1 < pitch_hz(high.audio) / heart_hz < 1.3
    assert len(high.audio) < len(spoken.audio) < len(low.audio)


def test_a_vocal_tract_length_moves_the_spectrum_and_a_tilt_raises_its_top() -> None:
    network, ids = HibariNetwork(), [0, 50, 86, 54, 156, 31, 0]
    plain = network.run(ids, Variant()).head
    long = network.run(ids, Variant(vtl=0.8)).head
    np.testing.assert_allclose(long[:, 400], plain[:, 500], atol=0.15)
    angles = slice(dsp.PHI.start, dsp.PHI.start + 480, 4)
    np.testing.assert_allclose(long[:, angles], plain[:, dsp.PHI.start : dsp.PHI.start + 600 : 5], atol=1e-5)
    between = long[:, dsp.PHI.start + 401]
    np.testing.assert_allclose(between, plain[:, dsp.PHI.start + 501], atol=1e-5, err_msg="angles wrap: no mean of two")
    tilted = network.run(ids, Variant(tilt_db=6, f0=0.5)).head
    octave_up = tilted[:, 50] - tilted[:, 25] - (plain[:, 50] - plain[:, 25])
    np.testing.assert_allclose(octave_up, 6 / 20 * np.log(10), atol=1e-4)
    np.testing.assert_allclose(tilted[:, 5] - plain[:, 5], 0.5 * np.log(0.5), atol=1e-4)


def test_intonation_scales_about_the_geometric_mean_and_leaves_unvoiced_frames() -> None:
    f0 = np.array([0, 100, 400, 5], np.float32)
    np.testing.assert_allclose(intoned(f0, 0.5, 0.5), [0, 70.71, 141.42, 5], rtol=1e-4)
    np.testing.assert_allclose(intoned(f0, 2.0, 1.0), [0, 200, 500, 5], rtol=1e-4)
    silent = np.zeros(4, np.float32)
    np.testing.assert_array_equal(intoned(silent, 0.5, 1.0), silent)


def test_only_phonemes_of_words_have_spans() -> None:
    audio = np.ones(6 * 600, np.float32)
    found = spans([(0, "a"), (-1, ","), (-1, " "), (2, "b")], [1_200, 1_800, 2_400, 3_000, 3_600], audio, 900)
    assert found == {0: (300, 900), 2: (2_100, 2_700)}


def test_the_waveform_is_that_of_the_package_but_for_noise() -> None:
    """Just below 40 Hz is unvoiced, yet moves the phase of both alike."""
    from hibari import dsp as package

    f0 = np.repeat(np.array([39.999, 240, 39.999], np.float32), [9, 140, 9])
    head = np.random.default_rng(0).normal(0, 1, (len(f0), 3_005)).astype(np.float32)
    head[:, dsp.LN] = -30
    parts = [head[:, part].T for part in (dsp.LH, dsp.THETA, dsp.LN, dsp.LR, dsp.PHI)]
    theirs = package.synth(*parts, f0, np.random.default_rng(0))
    ours = dsp.synthesize(head, f0, np.random.default_rng(0))
    by_hop = (ours - theirs).reshape(-1, 300).std(axis=1)
    assert by_hop.max() < 0.02 * theirs.std()


def test_pulses_are_cosines_of_all_harmonics_of_f0() -> None:
    """At 240 Hz every hundredth sample is the very middle of a pulse."""
    train = dsp._pulses(np.full(80, 240, np.float32)).reshape(-1)
    spectrum = np.abs(np.fft.rfft(train)) / (len(train) / 2)
    harmonics = np.arange(240, 11_001, 240)
    np.testing.assert_allclose(spectrum[harmonics], 1, atol=0.02)
    assert spectrum[11_050:].max() < 0.02
    assert not dsp._pulses(np.full(8, 39, np.float32)).any()


@pytest.mark.parametrize("n_frames", [4, 5, 127, 128, 129, 300])
def test_constant_spectrum_gives_constant_impulses_to_both_ends(n_frames: int) -> None:
    """exp(0) at phase pi k is an impulse in the middle of each window, so every hop holds exactly one."""
    head = np.full((n_frames, 3_005), -99, np.float32)
    head[:, dsp.LR] = 0
    head[:, dsp.PHI] = np.pi * (np.arange(601) % 2)
    audio = dsp.synthesize(head, np.zeros(n_frames, np.float32), np.random.default_rng(0)).reshape(n_frames, 300)
    squares = (dsp._HANN**2).reshape(4, 300)
    total = sum(np.pad(np.ones(n_frames), (k, 3 - k))[:, None] * squares[k] for k in range(4))[2:-1]
    np.testing.assert_allclose(audio[:, 0] * total[:, 0], 1, atol=1e-4)
    np.testing.assert_allclose(audio[:, 1:], 0, atol=1e-4)
