"""Acoustics of the user's channel: each behaviour does what it records, by itself, and the assistant stays clean."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.acoustics.draws import Draws
from datagen.acoustics.scene import Supplies
from datagen.distributions import Constant
from datagen.engines.base import EngineInfo, Response
from datagen.engines.bursts import GeneratedBursts
from datagen.engines.noise import GeneratedNoise
from datagen.recipe import Timing
from datagen.recipe_mix import Bursts, Distance, Drift, Echo, Level, Line, Mix, OtherTalkers, Room
from datagen.records import Clip, Conversation, Take, Timeline, Word
from datagen.stages.mix import Mix as MixStage
from datagen.stages.place import Place
from tests.conftest import RATE, takes_of

QUIET = Mix(
    noise_probability=0,
    user_level=Level(value=Constant(value=-26)),
    assistant_level=Level(value=Constant(value=-26)),
    peak_dbfs=-0.1,
)
EVERYTHING = {
    "bursts": Bursts(probability=1, per_minute=Constant(value=40)),
    "other_talkers": OtherTalkers(probability=1, per_minute=Constant(value=20)),
    "room": Room(probability=1, n_rooms=2),
    "distance": Distance(probability=1),
    "drift": Drift(probability=1),
    "echo": Echo(probability=1),
    "line": Line(probability=1, codecs={"pcmu": 1}),
}


class DryRooms:
    """Rooms whose answer is a decaying noise after the direct sound."""

    info = EngineInfo("dry", "1", "none", "all")

    def response(self, number: int) -> Response:
        tail = np.random.default_rng(number).normal(size=6000) * np.exp(-np.arange(6000) / 1200) * 0.05
        return Response(np.concatenate([np.zeros(40), [1.0], tail]).astype(np.float32), 40, 345.0)


def voice(n: int, seed: int) -> Take:
    """A take of noise: what it is convolved or delayed with can be found again by correlation."""
    audio = 0.05 * np.random.default_rng(seed).normal(size=n)
    return Take(audio.astype(np.float32), (Word("w", 0, n),), 0, 0)


def timeline(id: str = "d1") -> Timeline:
    turns = [
        ("user", voice(60_000, 1), 3000, None),
        ("assistant", voice(90_000, 2), 4000, None),
        ("user", voice(40_000, 3), 9000, None),
        ("assistant", voice(50_000, 4), 4000, None),
    ]
    takes = replace(
        takes_of(turns, id),
        babble=Clip(("a", "b"), np.random.default_rng(8).normal(size=20_000).astype(np.float32)),
        other_talkers=(Clip(("c",), voice(20_000, 5).audio), Clip(("e",), voice(15_000, 6).audio)),
    )
    return Place(Timing(tail=Constant(value=900)), RATE, 9600, 0)([takes])[0]


def without_people(line: Timeline) -> Timeline:
    return replace(line, takes=replace(line.takes, babble=None, other_talkers=()))


def mix(recipe: Mix, id: str = "d1", people: bool = False) -> Conversation:
    supplies = Supplies([GeneratedNoise()], [GeneratedBursts()], DryRooms())
    line = timeline(id) if people else without_people(timeline(id))
    return MixStage(recipe, supplies, RATE, 30, 3)([line])[0]


def on(**behaviours) -> Mix:
    return QUIET.model_copy(update=behaviours)


def rms_db(x: np.ndarray) -> float:
    return 10 * np.log10(np.mean((x.astype(np.float64) / 32767) ** 2) + 1e-20)


def user_spans(conversation: Conversation) -> list[slice]:
    pairs = zip(conversation.timeline.takes.script.utterances, conversation.timeline.placed, strict=True)
    return [slice(p.start_samples, p.end_samples) for u, p in pairs if u.role == "user"]


def speech_db(conversation: Conversation) -> float:
    return rms_db(np.concatenate([conversation.audio[0, span] for span in user_spans(conversation)]))


def late_by(audio: np.ndarray, reference: np.ndarray) -> int:
    n = len(audio) * 2
    spectrum = np.fft.rfft(audio.astype(float), n) * np.conj(np.fft.rfft(reference.astype(float), n))
    return int(np.argmax(np.fft.irfft(spectrum, n)[: len(audio)]))


@given(st.floats(0, 400), st.floats(-30, -6))
@settings(max_examples=15, deadline=None)
def test_the_echo_comes_as_late_and_as_loud_as_recorded(delay_ms, gain_db):
    echo = Echo(probability=1, delay_ms=Constant(value=delay_ms), gain_db=Constant(value=gain_db))
    clean, found = mix(QUIET), mix(on(echo=echo))
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
        on(room=Room(probability=1), drift=Drift(probability=1)),
    ):
        assert speech_db(mix(recipe)) == pytest.approx(-26, abs=0.3)


def test_distance_is_below_the_level_by_what_is_recorded():
    found = mix(on(distance=Distance(probability=1, gain_db=Constant(value=-9))))
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
    near = {"room": EVERYTHING["room"], "drift": Drift(probability=1)}
    dry, noisy = mix(on(**near)), mix(on(**near, noise_probability=1, snr_db=Constant(value=snr_db)))
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
    line = replace(line, takes=replace(line.takes, babble=None))
    supplies = Supplies([], [GeneratedBursts()])
    found = MixStage(on(**{name: EVERYTHING[name]}), supplies, RATE, 30, 3)(
        [line if name != "bursts" else without_people(line)]
    )[0]
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
    found = mix(on(**EVERYTHING), people=True)
    starts = [event.start_samples for event in found.events]
    assert starts == sorted(starts)
    assert {event.kind for event in found.events} == {"noise_burst", "other_talker"}
    assert all(0 <= e.start_samples < e.end_samples <= found.timeline.n_samples for e in found.events)


def test_nothing_clips_with_everything_on_and_loud():
    loud = on(**EVERYTHING, user_level=Level(value=Constant(value=-3)), peak_dbfs=-3, noise_probability=1)
    for k in range(6):
        found = mix(loud, f"d{k}", people=True)
        assert np.abs(found.audio[0].astype(int)).max() <= 32767 * 10 ** (-3 / 20) + 1


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
    kinds = {"bursts": "noise_burst", "other_talkers": "other_talker"}
    assert [e for e in full.events if e.kind != kinds.get(name)] == list(less.events)


def test_how_often_is_as_asked():
    recipe = on(**{name: part.model_copy(update={"probability": 0.3}) for name, part in EVERYTHING.items()})
    n, found = 400, dict.fromkeys(EVERYTHING, 0)
    for k in range(n):
        draws = Draws(3, f"d{k}", RATE)
        for name in found:
            found[name] += draws.happens(name, getattr(recipe, name))
    assert all(0.2 < count / n < 0.4 for count in found.values())
    both = sum(
        Draws(3, f"d{k}").happens("echo", recipe.echo) and Draws(3, f"d{k}").happens("line", recipe.line)
        for k in range(n)
    )
    assert 0.04 < both / n < 0.15  # independent


def test_a_codec_is_drawn_by_weight_and_recorded():
    line = Line(probability=1, codecs={"band": 1, "vorbis": 3})
    drawn = [Draws(1, f"d{k}").line(line) for k in range(200)]
    assert 120 < sum(name == "vorbis" for name, _ in drawn) < 180
    assert all((compression is None) == (name == "band") for name, compression in drawn)
