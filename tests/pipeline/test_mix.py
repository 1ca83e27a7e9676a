"""Levels, noise and clipping: what was asked for is what is measured."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.engines.noise.bursts import GeneratedBursts
from datagen.engines.noise.noise import DirectoryNoise, GeneratedNoise
from datagen.engines.noise.people import GeneratedPeople
from datagen.errors import EngineError
from datagen.pipeline.levels import fade_out
from datagen.pipeline.mix.mix import Mix as MixStage
from datagen.pipeline.mix.scene import Supplies
from datagen.pipeline.place import Place
from datagen.recipe import TimingConfig
from datagen.recipe.distributions import Constant
from datagen.recipe.mix_config import AsideMixConfig, LevelConfig, MixConfig, NoiseSourceConfig
from datagen.records import BargeIn, Conversation, Within
from tests.conftest import RATE, take, takes_of, with_utterances

LONG = (40_000, 30_000, 50_000)


def mix(recipe: MixConfig, *, noises=None, level=0.1, barge_in=None, id="d1", fade_ms=30) -> Conversation:
    turns = [
        ("user", take(*LONG, level=level), 2000, None),
        ("assistant", take(*LONG, level=level), 500, None),
        ("user", take(20_000, level=level), 900, barge_in),
    ]
    timeline = Place(TimingConfig(tail=Constant(value=300)), RATE, 9600, 0)(takes_of(turns, id))
    engines = [GeneratedNoise()] if noises is None else noises
    return MixStage(recipe, Supplies(GeneratedPeople(RATE), engines), RATE, fade_ms, 3)(timeline)


def quiet(**changes) -> MixConfig:
    return MixConfig(noise_probability=0, **changes)


def rms_db(x) -> float:
    return 10 * np.log10(np.mean((x.astype(np.float64) / 32767) ** 2))


def heard(conversation: Conversation, role: str) -> np.ndarray:
    timeline = conversation.timeline
    row = conversation.audio[0 if role == "user" else 1]
    pairs = ((p.utterance, p) for p in timeline.placed)
    return np.concatenate([row[p.start_samples : p.end_samples] for u, p in pairs if u.role == role])


@pytest.mark.parametrize("target", [-30, -23])
def test_level_in_dbfs_is_that_of_the_speech_heard(target):
    conversation = mix(
        quiet(
            user_level=LevelConfig(value=Constant(value=target)), assistant_level=LevelConfig(value=Constant(value=-20))
        )
    )
    assert rms_db(heard(conversation, "user")) == pytest.approx(target, abs=0.05)
    assert rms_db(heard(conversation, "assistant")) == pytest.approx(-20, abs=0.05)


def test_level_in_lufs_is_measured_by_the_standard():
    import pyloudnorm

    conversation = mix(quiet(assistant_level=LevelConfig(unit="lufs", value=Constant(value=-26))))
    loudness = pyloudnorm.Meter(RATE).integrated_loudness(heard(conversation, "assistant") / 32767)
    assert loudness == pytest.approx(-26, abs=0.1)


@cache
def without_noise() -> Conversation:
    """What every example of the next law is compared with."""
    return mix(MixConfig(user_level=LevelConfig(value=Constant(value=-24)), noise_probability=0))


@given(st.floats(0, 40), st.sampled_from(GeneratedNoise().kinds()))
@settings(max_examples=12, deadline=None)
def test_snr_asked_for_is_snr_measured(snr_db, kind):
    recipe = MixConfig(snr_db=Constant(value=snr_db), user_level=LevelConfig(value=Constant(value=-24)), peak_dbfs=-0.1)
    noises = [GeneratedNoise(kinds=[kind])]
    clean = without_noise()
    noisy = mix(recipe, noises=noises)
    gain = 10 ** ((noisy.mixing.user_gain_db - clean.mixing.user_gain_db) / 20)
    noise = noisy.audio[0] - clean.audio[0].astype(np.float64) * gain
    assert rms_db(heard(clean, "user") * gain) - rms_db(noise) == pytest.approx(snr_db, abs=0.1)
    assert (noisy.mixing.noise, noisy.mixing.snr_db) == (kind, snr_db)


def test_the_assistant_is_clean_and_silent_where_it_does_not_speak():
    noisy, clean = mix(MixConfig(snr_db=Constant(value=15))), mix(quiet())
    assert np.array_equal(noisy.audio[1], clean.audio[1])
    placed = noisy.timeline.placed[1]
    assert not noisy.audio[1, : placed.start_samples].any()
    assert not noisy.audio[1, placed.end_samples :].any()
    assert noisy.audio[0, : noisy.timeline.placed[0].start_samples].any()


def test_a_peak_over_the_limit_turns_speech_and_noise_down_alike():
    recipe = MixConfig(user_level=LevelConfig(value=Constant(value=-2)), snr_db=Constant(value=20), peak_dbfs=-6)
    conversation = mix(recipe)
    assert np.abs(conversation.audio[0]).max() <= 32767 * 10 ** (-6 / 20) + 1
    assert np.abs(conversation.audio[0]).max() > 32767 * 10 ** (-9 / 20)
    loud = mix(quiet(assistant_level=LevelConfig(value=Constant(value=-1)), peak_dbfs=-3))
    assert np.abs(loud.audio[1]).max() == pytest.approx(32767 * 10 ** (-3 / 20), abs=2)


def test_an_interrupted_take_fades_and_a_whole_one_does_not():
    conversation = mix(quiet(), barge_in=BargeIn(2, 1000), fade_ms=40)
    placed, n_fade = conversation.timeline.placed[1], 960
    assert placed.n_cut_samples
    said = conversation.audio[1, placed.start_samples : placed.end_samples].astype(float)
    source = conversation.timeline.placed[1].take.audio[: len(said)].astype(float)
    gain = 10 ** (conversation.mixing.assistant_gain_db / 20) * 32767
    ratio = np.abs(said / np.where(np.abs(source) > 0.02, source * gain, np.nan))
    assert np.nanmin(ratio[: -n_fade - 10]) > 0.98
    assert np.nanmax(ratio[-n_fade // 4 :]) < 0.2
    whole = mix(quiet(), fade_ms=40)
    end = whole.timeline.placed[1].end_samples
    assert np.abs(whole.audio[1, end - 60 : end]).max() > 1000


def test_fade_out_leaves_its_input_alone():
    audio = np.ones(10, np.float32)
    fade_out(audio, 4)
    assert audio.min() == 1


def test_long_conversations_are_mixed_like_short_ones():
    """Mixing goes by blocks; a block edge leaves no trace."""
    conversation = mix(quiet())
    n = conversation.timeline.n_samples
    assert n > 1 << 16
    expected = np.zeros(n)
    for p in conversation.timeline.placed:
        if p.utterance.role == "user":
            expected[p.start_samples : p.end_samples] += p.take.audio
    gain = 10 ** (conversation.mixing.user_gain_db / 20) * 32767
    assert np.abs(conversation.audio[0] - expected * gain).max() <= 1.5


def test_single_sounds_are_no_background():
    with pytest.raises(EngineError, match=r"mix.noise: bursts has single sounds, as mix.bursts needs them"):
        mix(MixConfig(), noises=[GeneratedBursts()])


def test_noise_from_recordings_of_any_rate_and_format(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "deep").mkdir()
    soundfile.write(tmp_path / "a.flac", rng.normal(0, 0.1, (16_000, 2)), 16_000)
    soundfile.write(tmp_path / "deep" / "b.ogg", rng.normal(0, 0.1, 44_100), 44_100)
    (tmp_path / "notes.txt").write_text("no audio")
    engine = DirectoryNoise(str(tmp_path))
    assert engine.kinds() == ("a.flac", "deep/b.ogg")
    source = NoiseSourceConfig(name="directory", options={"path": str(tmp_path)})
    kinds = {mix(MixConfig(noise=(source,)), noises=[engine], id=f"d{k}").mixing.noise for k in range(12)}
    assert kinds == {"a.flac", "deep/b.ogg"}


def test_a_recording_is_taken_once_from_its_start_or_continued_from_elsewhere(tmp_path):
    ramp = np.linspace(0.1, 0.9, RATE)
    soundfile.write(tmp_path / "door.wav", ramp, RATE)
    once = DirectoryNoise(str(tmp_path), from_start=True).take("door.wav", np.random.default_rng(1), 5 * RATE)
    assert np.allclose(once, ramp, atol=1e-4)
    firsts = set()
    for k in range(8):
        audio = DirectoryNoise(str(tmp_path)).take("door.wav", np.random.default_rng(k), 5 * RATE)
        assert len(audio) == 5 * RATE
        assert audio.min() > 0.09
        falls = np.flatnonzero(np.diff(audio) < -1e-4)
        starts = falls[np.diff(falls, prepend=-RATE) > RATE // 10]
        assert 4 < len(starts) < 12
        assert len(set(np.diff(starts).tolist())) > 1  # no period
        assert np.diff(audio).min() > -0.02  # no click
        firsts.add(float(audio[0]))
    assert len(firsts) == 8


def test_noise_sources_are_drawn_by_weight():
    recipe = MixConfig(noise=(NoiseSourceConfig(weight=1), NoiseSourceConfig(weight=9)))
    noises = [GeneratedNoise(kinds=["white"]), GeneratedNoise(kinds=["brown"])]
    drawn = [mix(recipe, noises=noises, id=f"d{k}").mixing.noise for k in range(60)]
    assert 45 <= drawn.count("brown") < 60


def test_same_dialogue_same_bytes_and_another_dialogue_others():
    assert np.array_equal(mix(MixConfig()).audio, mix(MixConfig()).audio)
    assert mix(MixConfig()).mixing != mix(MixConfig(), id="d2").mixing


def test_words_to_somebody_else_are_quieter_and_duller():
    """What the assistant may ignore sounds unlike what it must not; nobody turns away where nothing is said so."""
    host = [("user", take(9000), 0, None), ("assistant", take(60_000), 500, None), ("user", take(9000), 900, None)]
    plain = takes_of(host)
    u = plain.script.utterances[2]
    aside = replace(u, kind="aside", event="aside", within=Within(0, 9000), turn=1)
    turned = with_utterances(plain, *plain.script.utterances[:2], aside)
    stage = MixStage(
        quiet(
            user_level=LevelConfig(value=Constant(value=-20)),
            aside=AsideMixConfig(gain_db=Constant(value=-12), cutoff_hz=900),
        ),
        Supplies(GeneratedPeople(RATE)),
        RATE,
        0,
        3,
    )
    place = Place(TimingConfig(tail=Constant(value=300)), RATE, 9600, 0)
    (first, second) = (stage(place(takes)) for takes in (plain, turned))
    assert (first.mixing.aside_db, first.mixing.aside_cutoff_hz) == (None, None)
    assert (second.mixing.aside_db, second.mixing.aside_cutoff_hz) == (-12, 900)
    p = second.timeline.placed[2]
    quieter = rms_db(second.audio[0, p.start_samples : p.end_samples]) - rms_db(second.audio[0, :9000])
    assert -15 < quieter < -12.1  # the tone lies below the cut-off, where duller is a little quieter too
