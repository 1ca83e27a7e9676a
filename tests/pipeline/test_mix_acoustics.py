"""Acoustics of the user's channel: each behaviour does what it records, by itself, and the assistant stays clean."""

from dataclasses import replace
from functools import cache, partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.engines.base import EngineInfo, RoomResponse
from datagen.engines.noise.bursts import GeneratedBursts
from datagen.engines.noise.noise import GeneratedNoise
from datagen.engines.noise.people import GeneratedPeople
from datagen.pipeline.draws import Draws
from datagen.pipeline.levels import ChannelSpeech
from datagen.pipeline.mix.mix import Mix as MixStage
from datagen.pipeline.mix.scene import SceneDraws, Supplies
from datagen.pipeline.place import Place
from datagen.recipe import TimingConfig
from datagen.recipe.distributions import Constant
from datagen.recipe.mix_config import (
    BurstsConfig,
    DistanceConfig,
    DriftConfig,
    EchoConfig,
    LevelConfig,
    LineConfig,
    MixConfig,
    OtherTalkersConfig,
    RoomConfig,
    VocalSoundsConfig,
)
from datagen.records import Clip, Conversation, LineTake, SpeechLine, Timeline, Word
from tests.conftest import RATE, takes_of

PEOPLE = GeneratedPeople(RATE)
QUIET = MixConfig(
    noise_probability=0,
    user_level=LevelConfig(value=Constant(value=-26)),
    assistant_level=LevelConfig(value=Constant(value=-26)),
    peak_dbfs=-0.1,
)
EVERYTHING = {
    "bursts": BurstsConfig(probability=1, per_minute=Constant(value=40)),
    "other_talkers": OtherTalkersConfig(probability=1, per_minute=Constant(value=20)),
    "vocal_sounds": VocalSoundsConfig(probability=1, per_minute=Constant(value=60)),
    "room": RoomConfig(probability=1, n_rooms=2),
    "distance": DistanceConfig(probability=1),
    "drift": DriftConfig(probability=1),
    "echo": EchoConfig(probability=1),
    "line": LineConfig(probability=1, codecs={"pcmu": 1}),
}
NEAR = {"room": EVERYTHING["room"], "drift": EVERYTHING["drift"]}


class DryRooms:
    """Rooms whose answer is a decaying noise after the direct sound."""

    info = EngineInfo("dry", "1", "none", "all")

    def response(self, number: int) -> RoomResponse:
        tail = np.random.default_rng(number).normal(size=6000) * np.exp(-np.arange(6000) / 1200) * 0.05
        return RoomResponse(np.concatenate([np.zeros(40), [1.0], tail]).astype(np.float32), 40, 345.0)


def voice(n: int, seed: int) -> LineTake:
    """A take of noise: what it is convolved or delayed with can be found again by correlation."""
    audio = 0.05 * np.random.default_rng(seed).normal(size=n)
    return LineTake(audio.astype(np.float32), (Word("w", 0, n),), 0, 0)


def timeline(id: str = "d1") -> Timeline:
    turns = [
        ("user", voice(60_000, 1), 3000, None),
        ("assistant", voice(90_000, 2), 4000, None),
        ("user", voice(40_000, 3), 9000, None),
        ("assistant", voice(50_000, 4), 4000, None),
    ]
    takes = replace(
        takes_of(turns, id),
        babble=tuple(
            Clip(SpeechLine(name, "x"), np.random.default_rng(8).normal(size=20_000).astype(np.float32))
            for name in "ab"
        ),
        other_talkers=(
            Clip(SpeechLine("c", "x"), voice(20_000, 5).audio),
            Clip(SpeechLine("e", "x"), voice(15_000, 6).audio),
        ),
    )
    return Place(TimingConfig(tail=Constant(value=900)), RATE, 9600, 0)(takes)


def without_people(line: Timeline) -> Timeline:
    return replace(line, takes=replace(line.takes, babble=(), other_talkers=()))


def mix(recipe: MixConfig, id: str = "d1", people: bool = False) -> Conversation:
    supplies = Supplies(PEOPLE, [GeneratedNoise()], [GeneratedBursts()], DryRooms())
    line = timeline(id) if people else without_people(timeline(id))
    return MixStage(recipe, supplies, RATE, 30, 3)(line)


def on(**behaviours) -> MixConfig:
    return QUIET.model_copy(update=behaviours)


@cache
def clean_mix() -> Conversation:
    """With nothing added; what changes with each example of a law is compared with it."""
    return mix(QUIET)


@cache
def near_mix() -> Conversation:
    """Without noise, in a room and with drift."""
    return mix(on(**NEAR))


def rms_db(x: np.ndarray) -> float:
    return 10 * np.log10(np.mean((x.astype(np.float64) / 32767) ** 2) + 1e-20)


def user_spans(conversation: Conversation) -> list[slice]:
    pairs = ((p.utterance, p) for p in conversation.timeline.placed)
    return [slice(p.start_samples, p.end_samples) for u, p in pairs if u.role == "user"]


def speech_db(conversation: Conversation) -> float:
    return rms_db(np.concatenate([conversation.audio[0, span] for span in user_spans(conversation)]))


def late_by(audio: np.ndarray, reference: np.ndarray) -> int:
    n = 1 << (2 * len(audio)).bit_length()
    spectrum = np.fft.rfft(audio.astype(float), n) * np.conj(np.fft.rfft(reference.astype(float), n))
    return int(np.argmax(np.fft.irfft(spectrum, n)[: len(audio)]))


@given(st.floats(0, 400), st.floats(-30, -6))
@settings(max_examples=15, deadline=None)
def test_the_echo_comes_as_late_and_as_loud_as_recorded(delay_ms, gain_db):
    echo = EchoConfig(probability=1, delay_ms=Constant(value=delay_ms), gain_db=Constant(value=gain_db))
    clean, found = clean_mix(), mix(on(echo=echo))
    leaked = found.audio[0].astype(float) - clean.audio[0]
    delay = found.mixing.echo_delay_samples
    assert delay == round(delay_ms * RATE / 1000)
    assert late_by(leaked, clean.audio[1]) == delay
    spoken = clean.audio[1, : len(leaked) - delay]
    assert rms_db(leaked[delay:]) - rms_db(spoken) == pytest.approx(found.mixing.echo_gain_db, abs=0.1)


def test_speech_is_as_loud_as_asked_after_room_and_drift():
    for recipe in (
        on(room=EVERYTHING["room"]),
        on(drift=EVERYTHING["drift"]),
        on(room=RoomConfig(probability=1), drift=DriftConfig(probability=1)),
    ):
        assert speech_db(mix(recipe)) == pytest.approx(-26, abs=0.3)


def test_distance_is_below_the_level_by_what_is_recorded():
    found = mix(on(distance=DistanceConfig(probability=1, gain_db=Constant(value=-9))))
    assert found.mixing.distance_db == -9
    assert speech_db(found) == pytest.approx(-35, abs=0.1)
    assert 2500 <= found.mixing.cutoff_hz <= 10_000


def test_a_room_adds_a_tail_and_moves_nothing():
    clean, found = mix(QUIET), mix(on(room=EVERYTHING["room"]))
    assert found.mixing.room in (0, 1)
    assert found.mixing.rt60_ms == 345
    for span in user_spans(clean):
        n = span.stop - span.start
        assert late_by(found.audio[0, span], clean.audio[0, span]) == 0
        assert rms_db(found.audio[0, span.stop : span.stop + 2000]) > rms_db(clean.audio[0, span]) - 30
        assert n > 2000
    first = user_spans(clean)[0].start
    assert not found.audio[0, : first - 40].any()


@given(st.floats(3, 35))
@settings(max_examples=8, deadline=None)
def test_snr_asked_for_is_snr_measured_in_a_room_too(snr_db):
    dry, noisy = near_mix(), mix(on(**NEAR, noise_probability=1, snr_db=Constant(value=snr_db)))
    gain = 10 ** ((noisy.mixing.user_gain_db - dry.mixing.user_gain_db) / 20)
    noise = noisy.audio[0] - dry.audio[0] * gain
    assert speech_db(dry) + 20 * np.log10(gain) - rms_db(noise) == pytest.approx(snr_db, abs=0.3)


def test_babble_has_its_own_snr():
    recipe = on()
    dry, found = mix(recipe), mix(recipe, people=True)
    gain = 10 ** ((found.mixing.user_gain_db - dry.mixing.user_gain_db) / 20)
    quiet_others = found.mixing.babble_snr_db
    noise = found.audio[0] - dry.audio[0] * gain
    clear = np.ones(len(noise), bool)
    for event in found.events:
        clear[event.start_samples : event.end_samples] = False
    assert speech_db(dry) + 20 * np.log10(gain) - rms_db(noise[clear]) == pytest.approx(quiet_others, abs=0.5)
    assert found.mixing.babble == ("a", "b")


@pytest.mark.parametrize(("name", "kind"), [("bursts", "noise_burst"), ("other_talkers", "other_talker")])
def test_single_sounds_are_where_their_events_say_and_as_loud_as_recorded(name, kind):
    dry = mix(QUIET)
    line = timeline()
    line = replace(line, takes=replace(line.takes, babble=()))
    supplies = Supplies(PEOPLE, [], [GeneratedBursts()])
    found = MixStage(on(**{name: EVERYTHING[name]}), supplies, RATE, 30, 3)(
        line if name != "bursts" else without_people(line)
    )
    gain = 10 ** ((found.mixing.user_gain_db - dry.mixing.user_gain_db) / 20)
    added = found.audio[0] - np.rint(dry.audio[0] * gain)
    assert {event.kind for event in found.events} == {kind}
    assert len(found.events) == len(getattr(found.mixing, name)) > 1
    outside = np.ones(len(added), bool)
    for event in found.events:
        outside[event.start_samples : event.end_samples] = False
    assert np.abs(added[outside]).max() <= 1
    level_db = getattr(found.mixing, f"{name}_db")
    alone = [
        e
        for e in found.events
        if all(e is o or e.end_samples <= o.start_samples or o.end_samples <= e.start_samples for o in found.events)
    ]
    for event in alone:
        if event.end_samples < found.timeline.n_samples:
            loud = rms_db(added[event.start_samples : event.end_samples])
            assert loud - (speech_db(dry) + 20 * np.log10(gain)) == pytest.approx(level_db, abs=0.3)


def test_events_are_in_order_and_within():
    kinds = set()
    for id in ("d1", "d2", "d3", "d4"):
        found = mix(on(**EVERYTHING), id, people=True)
        starts = [event.start_samples for event in found.events]
        assert starts == sorted(starts)
        assert all(0 <= e.start_samples < e.end_samples <= found.timeline.n_samples for e in found.events)
        kinds |= {event.kind for event in found.events}
    assert kinds == {"noise_burst", "other_talker", "laughter", "cough"}


def test_nothing_clips_with_everything_on_and_loud():
    """The channel is turned down as a whole before it is written; sound that had wrapped would be another one."""
    no_line = on(**{**EVERYTHING, "line": LineConfig(), "echo": EchoConfig()}, noise_probability=1)
    at = {db: {"user_level": LevelConfig(value=Constant(value=db)), "peak_dbfs": -3.0} for db in (-3, -40)}
    for k in range(3):
        loud, quiet = (mix(no_line.model_copy(update=at[db]), f"d{k}", people=True) for db in (-3, -40))
        assert np.abs(loud.audio[0].astype(int)).max() <= 32767 * 10 ** (-3 / 20) + 1
        assert np.corrcoef(loud.audio[0], quiet.audio[0])[0, 1] > 0.99
        assert loud.mixing.user_gain_db - quiet.mixing.user_gain_db < 30  # not 37: it was turned down


def test_nothing_clips_behind_a_line_that_made_peaks_higher():
    """A square wave through a telephone band is a sine whose peaks are 2 dB above those of the square."""
    time_s = np.arange(48_000) / RATE
    square = LineTake(0.1 * np.sign(np.sin(2 * np.pi * 2000 * time_s + 0.1)).astype("f"), (Word("w", 0, 9),), 0, 0)
    line = Place(TimingConfig(), RATE, 9600, 0)(takes_of([("user", square, 500, None)]))
    loud = on(
        user_level=LevelConfig(value=Constant(value=-2)),
        peak_dbfs=-0.1,
        line=LineConfig(probability=1, codecs={"band": 1}),
    )
    plain, heard = (
        MixStage(r, Supplies(PEOPLE), RATE, 30, 3)(line) for r in (on(**{**dict(loud), "line": LineConfig()}), loud)
    )
    limit = 32767 * 10 ** (-0.1 / 20) + 1
    assert np.abs(plain.audio[0].astype(int)).max() > 0.75 * limit
    assert 0.98 * limit < np.abs(heard.audio[0].astype(int)).max() <= limit
    assert heard.mixing.user_gain_db < plain.mixing.user_gain_db - 0.05


def test_the_peak_of_speech_in_a_room_is_that_of_its_tail_too():
    """Levels are measured over the time an utterance takes, but what comes after it must not clip either."""
    speech = ChannelSpeech.of([(0, np.array([0.1, 0.9], np.float32))], [np.array([0.1], np.float32)])
    assert (round(speech.peak, 3), round(speech.power, 3)) == (0.9, 0.01)


def test_the_assistant_hears_nothing_of_it():
    assert np.array_equal(mix(on(**EVERYTHING), people=True).audio[1], mix(QUIET).audio[1])


def test_same_dialogue_same_bytes():
    recipe = on(**EVERYTHING, noise_probability=1)
    first, again = mix(recipe, people=True), mix(recipe, people=True)
    assert np.array_equal(first.audio, again.audio)
    assert (first.mixing, first.events) == (again.mixing, again.events)
    assert not np.array_equal(first.audio[0], mix(recipe, "d2", people=True).audio[0])


@pytest.mark.parametrize("name", EVERYTHING)
def test_no_draw_of_one_behaviour_shifts_anothers(name):
    """Turning one off changes its own record alone, gains aside."""
    full = mix(on(**EVERYTHING, noise_probability=1), people=True)
    less = mix(
        on(**{**EVERYTHING, name: type(EVERYTHING[name])()}, noise_probability=1), people=name != "other_talkers"
    )
    own = {
        "bursts": {"bursts", "bursts_db"},
        "other_talkers": {"other_talkers", "other_talkers_db", "babble", "babble_snr_db"},
        "vocal_sounds": {"vocal_sounds", "vocal_sounds_db"},
        "room": {"room", "rt60_ms"},
        "distance": {"distance_db", "cutoff_hz"},
        "drift": {"drift_db", "drift_period_samples"},
        "echo": {"echo_delay_samples", "echo_gain_db"},
        "line": {"line", "compression"},
    }[name]
    free = own | {"user_gain_db", "echo_gain_db"}
    for field in full.mixing.__dataclass_fields__:
        if field not in free:
            assert getattr(full.mixing, field) == getattr(less.mixing, field), field
    assert getattr(full.mixing, sorted(own)[0]) != getattr(less.mixing, sorted(own)[0]) or name == "line"
    kinds = {"bursts": ("noise_burst",), "other_talkers": ("other_talker",), "vocal_sounds": ("laughter", "cough")}
    assert [e for e in full.events if e.kind not in kinds.get(name, ())] == list(less.events)


def test_how_often_is_as_asked():
    recipe = on(**{name: part.model_copy(update={"probability": 0.3}) for name, part in EVERYTHING.items()})
    n, found = 400, dict.fromkeys(EVERYTHING, 0)
    for k in range(n):
        chance = draws(f"d{k}").draws
        for name in found:
            found[name] += chance.happens(getattr(recipe, name).probability, name)
    assert all(0.2 < count / n < 0.4 for count in found.values())
    both = sum(
        draws(f"d{k}").draws.happens(recipe.echo.probability, "echo")
        and draws(f"d{k}").draws.happens(recipe.line.probability, "line")
        for k in range(n)
    )
    assert 0.04 < both / n < 0.15  # independent


def test_a_codec_is_drawn_by_weight_and_recorded():
    line = LineConfig(probability=1, codecs={"band": 1, "vorbis": 3})
    drawn = [draws(f"d{k}", recipe=MixConfig(line=line)).line() for k in range(200)]
    assert 120 < sum(name == "vorbis" for name, _ in drawn) < 180
    assert all((compression is None) == (name == "band") for name, compression in drawn)


@pytest.mark.parametrize(("drawn", "used"), [(0, 0.0), (0.25, 0.25), (1, 1.0)])
def test_the_compression_of_a_codec_stays_between_best_and_smallest(drawn, used):
    line = LineConfig(probability=1, codecs={"vorbis": 1}, compression=Constant(value=drawn))
    assert draws(recipe=MixConfig(line=line)).line() == ("vorbis", used)


# -- laughter and coughs ---------------------------------------------------------------------------------------------


def laughing(id: str = "d1", per_minute: float = 60, **more) -> Conversation:
    return mix(on(vocal_sounds=VocalSoundsConfig(probability=1, per_minute=Constant(value=per_minute)), **more), id)


def test_the_user_laughs_and_coughs_only_while_not_speaking():
    """With a margin to the user's speech and between them; each whole, and recorded one by one."""
    n_found = 0
    for k in range(6):
        found = laughing(f"d{k}")
        busy = sorted([(s.start, s.stop) for s in user_spans(found)])
        own = [(e.start_samples, e.end_samples) for e in found.events]
        times = sorted([*busy, *own])
        apart = RATE * 300 // 1000
        for (_, end), (start, _) in pairwise(times):
            assert start - end >= apart or ((start in dict(busy)) and end in dict(map(reversed, busy)))
        assert all(0.25 * RATE < end - start < 1.55 * RATE for start, end in own)
        assert all(end <= found.timeline.n_samples for _, end in own)
        assert tuple(e.kind for e in found.events) == found.mixing.vocal_sounds
        assert {e.role for e in found.events} <= {"user"}
        n_found += len(own)
    assert n_found > 8


class Beeps:
    """Laughs of a fixed length."""

    def __init__(self, n_samples: int) -> None:
        self.n_samples = n_samples

    def vocal_sound(self, kind, speech, rng) -> np.ndarray:
        return np.ones(self.n_samples, np.float32)


def laugh_starts(n_each: int, user=(), per_minute: float = 20, n_samples: int = 20 * RATE) -> list[int]:
    recipe = MixConfig(vocal_sounds=VocalSoundsConfig(probability=1, per_minute=Constant(value=per_minute)))
    drawn = SceneDraws(recipe, Supplies(Beeps(n_each)), Draws(3, ("train", "d1", "mix"), RATE), n_samples)
    found = drawn.vocal_sounds(user)
    return [start for start, _ in found.sounds] if found else []


@pytest.mark.parametrize("too_close", [0, 1])
def test_a_laugh_is_exactly_300_ms_from_speech_or_at_the_end_but_no_sample_closer(too_close):
    n_laugh, speech, apart = RATE // 2, np.ones(1000, np.float32), RATE * 300 // 1000
    first = laugh_starts(n_laugh)[0]
    before, after = first - apart - len(speech) + too_close, first + n_laugh + apart - too_close
    assert before > 0
    for start in (before, after):
        assert (first in laugh_starts(n_laugh, [(start, speech)])) == (not too_close)
    assert (first in laugh_starts(n_laugh, n_samples=first + n_laugh - too_close)) == (not too_close)


def test_short_laughs_are_300_ms_apart_too():
    """Those of a user whose laughs are shorter than the margin."""
    n_laugh = RATE // 100
    starts = laugh_starts(n_laugh, per_minute=120)
    assert len(starts) > 20
    assert min(np.diff(starts)) >= n_laugh + RATE * 300 // 1000


def test_laughter_and_coughs_are_as_loud_as_recorded_and_in_the_room_with_the_user():
    clean, found = mix(QUIET), laughing("d1")
    gain = 10 ** ((found.mixing.user_gain_db - clean.mixing.user_gain_db) / 20)
    added = found.audio[0] - clean.audio[0] * gain
    spans = [slice(e.start_samples, e.end_samples) for e in found.events]
    loud = rms_db(np.concatenate([added[span] for span in spans]))
    assert loud - speech_db(clean) - 20 * np.log10(gain) == pytest.approx(found.mixing.vocal_sounds_db, abs=0.2)
    outside = np.ones(len(added), bool)
    for span in spans:
        outside[span] = False
    assert np.abs(added[outside]).max() <= 1
    wet = laughing("d1", room=EVERYTHING["room"])
    dry_room = mix(on(room=EVERYTHING["room"]))
    gain = 10 ** ((wet.mixing.user_gain_db - dry_room.mixing.user_gain_db) / 20)
    tail = (wet.audio[0] - dry_room.audio[0] * gain)[spans[0].stop + 50 : spans[0].stop + 1000]
    assert np.abs(tail).max() > 2


def test_what_did_not_happen_has_no_level():
    """A rate of zero, or no place for a laugh, leaves nothing in the record."""
    never = {
        "bursts": BurstsConfig(probability=1, per_minute=Constant(value=0)),
        "other_talkers": OtherTalkersConfig(probability=1, per_minute=Constant(value=0)),
        "vocal_sounds": VocalSoundsConfig(probability=1, per_minute=Constant(value=0)),
    }
    found = mix(on(**never), people=True)
    assert (found.mixing.bursts_db, found.mixing.other_talkers_db, found.mixing.vocal_sounds_db) == (None, None, None)
    assert found.events == ()


# -- nothing twice ---------------------------------------------------------------------------------------------------


def draws(
    id: str = "d1",
    seed: int = 3,
    split: str = "train",
    recipe: MixConfig = MixConfig(),  # noqa: B008  (frozen)
    noises=(),
    seconds: int = 6,
) -> SceneDraws:
    supplies = Supplies(PEOPLE, noises, [GeneratedBursts(RATE)])
    return SceneDraws(recipe, supplies, Draws(seed, (split, id, "mix"), RATE), seconds * RATE)


def noise(kind: str, **key) -> np.ndarray:
    return draws(**key, noises=[GeneratedNoise(RATE, [kind])]).noise().sounds


def babble(**key) -> np.ndarray:
    return draws(**key).babble(LINES).sounds


LINES = [
    Clip(
        SpeechLine(str(k), "x"),
        (np.sin(np.arange(30_000) * 0.03 * k) * np.random.default_rng(k).normal(size=30_000)).astype("f"),
    )
    for k in range(1, 5)
]
OTHERS = ({"id": "d2"}, {"split": "test"}, {"seed": 4})


def likeness(one: np.ndarray, two: np.ndarray) -> float:
    """The largest normalized cross-correlation of some half seconds of one with any half second of the other."""
    n, found = RATE // 2, 0.0
    one, two = one.astype(float), two.astype(float)
    spectrum = np.fft.rfft(two, 2 * len(two))
    energy = np.concatenate([[0], np.cumsum(two**2)])
    loud = np.sqrt(energy[n:] - energy[:-n])
    for start in range(0, len(one) - n, n):
        window = one[start : start + n]
        cross = np.fft.irfft(spectrum * np.conj(np.fft.rfft(window, 2 * len(two))))[: len(loud)]
        found = max(found, float(np.max(np.abs(cross) / (loud * np.linalg.norm(window)))))
    return found


@pytest.mark.parametrize(
    "make", [partial(noise, kind) for kind in ("white", "pink", "speech_shaped", "cafe")] + [babble]
)
def test_no_two_conversations_splits_or_seeds_share_a_stretch(make):
    """Half a second of 24,000 independent samples a second is alike by 0.05 at its best place; fewer are a bit more."""
    first = make()
    assert np.array_equal(first, make())
    assert likeness(first, first) == pytest.approx(1)
    for other in OTHERS:
        assert likeness(first, make(**other)) < (0.08 if make == babble else 0.35), other


@pytest.mark.parametrize("kind", GeneratedNoise().kinds())
def test_every_kind_is_made_anew_for_each_conversation_split_and_seed(kind):
    first, most = noise(kind), 0.97 if kind == "hum" else 0.3  # the mains are much alike everywhere
    assert all(abs(np.corrcoef(first, noise(kind, **other))[0, 1]) < most for other in OTHERS)


def test_bursts_and_laughs_are_new_each_time():
    recipe = MixConfig(
        bursts=BurstsConfig(probability=1, per_minute=Constant(value=60)),
        vocal_sounds=VocalSoundsConfig(probability=1, per_minute=Constant(value=60)),
    )
    for make in (
        lambda **key: draws(**key, recipe=recipe, seconds=20).bursts(),
        lambda **key: draws(**key, recipe=recipe, seconds=20).vocal_sounds([]),
    ):
        sounds = [audio.tobytes() for key in ({}, *OTHERS) for _, audio in make(**key).sounds]
        assert len(sounds) > 20
        assert len(set(sounds)) == len(sounds)
        assert [a.tobytes() for _, a in make().sounds] == sounds[: len(make().sounds)]


def test_an_other_talker_has_a_pace_and_a_colour_of_its_own_each_time():
    clips = [Clip(SpeechLine("a", "x"), voice(30_000, 1).audio)]
    recipe = MixConfig(other_talkers=OtherTalkersConfig(probability=1, per_minute=Constant(value=20)))
    made = [draws(id, recipe=recipe, seconds=60).other_talkers(clips) for id in ("d1", "d2")]
    sounds = [audio for noisy in made for _, audio in noisy.sounds]
    lengths = [len(audio) for audio in sounds if len(audio) > 20_000]
    assert len(set(lengths)) > 0.9 * len(lengths) > 10
    assert 30_000 / 1.18 - 1 <= min(lengths) <= max(lengths) <= 30_000 / 1.06 + 1
