"""The battery: parts add up, channels can be swapped, and a small conversation gives figures counted by hand."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from datagen.intervals import bridge, intervals
from datagen.measure.battery import Battery, SpeakerTimes
from tests.test_intervals import LENGTH, pairs

RATE = 100
speakers = st.builds(SpeakerTimes, pairs, pairs, pairs)


def battery(user: SpeakerTimes, assistant: SpeakerTimes, n_samples: int = LENGTH, rate_hz: int = RATE) -> Battery:
    found = Battery(rate_hz)
    found.add(user, assistant, n_samples)
    return found


@given(speakers, speakers)
def test_speech_and_silence_add_up_to_the_signal(user, assistant):
    b = battery(user, assistant)
    assert sum(b.parts.values()) == b.n_samples == LENGTH
    n_least = 20  # 200 ms
    for part, speaker in (("user", user), ("assistant", assistant)):
        ipus = speaker.ipus(n_least)
        assert b.parts[part] + b.parts["overlap"] == int((ipus[:, 1] - ipus[:, 0]).sum())
    for kind in ("pause", "gap"):
        assert sum(ms * n for ms, n in b.durations[kind].counts.items()) == b.parts[kind] * 1000 // RATE
    assert sum(ms * n for ms, n in b.overlap.counts.items()) == b.parts["overlap"] * 1000 // RATE


@given(speakers, speakers)
def test_swapping_the_channels_mirrors_every_figure(user, assistant):
    first = [bridge(speaker.turns, 20)[:1].tolist() for speaker in (user, assistant)]
    assume(first[0] != first[1])  # of two who begin and end together nobody can say who had the floor
    one, other = battery(user, assistant), battery(assistant, user)
    swapped = {"user": "assistant", "assistant": "user", "fto_user": "fto_assistant", "fto_assistant": "fto_user"}
    assert one.parts == {part: other.parts[swapped.get(part, part)] for part in one.parts}
    for kind, durations in one.durations.items():
        assert durations.counts == other.durations[swapped.get(kind, kind)].counts
    ours, theirs = one.figures(), other.figures()
    assert {k: v for k, v in ours.items() if not k.startswith(("user_", "assistant_"))} == {
        k: v for k, v in theirs.items() if not k.startswith(("user_", "assistant_"))
    }


@given(speakers, speakers)
def test_two_conversations_add_up(user, assistant):
    once, twice = battery(user, assistant), battery(user, assistant)
    twice.add(user, assistant, LENGTH)
    assert twice.n_samples == 2 * once.n_samples
    assert twice.figures() == pytest.approx(once.figures(), nan_ok=True)


def test_a_conversation_counted_by_hand():
    """One minute: the user speaks 0-10 s with a pause of 1 s, a gap of 0.3 s, the assistant answers to 30 s, hears a
    backchannel of 0.5 s, and is cut in on 0.4 s before its end; 5 s later it speaks again."""
    user = SpeakerTimes(intervals([(0, 4000), (5000, 10_000), (29_600, 40_000)]), intervals([(20_000, 20_500)]))
    assistant = SpeakerTimes(intervals([(10_300, 30_000), (45_000, 60_000)]), intervals([]))
    b = Battery(1000)
    b.add(user, assistant, 60_000, n_barge_ins=1)
    figures = b.figures()
    assert b.durations["pause"].counts == {1000: 1}
    assert b.durations["gap"].counts == {300: 1, 5000: 1}
    assert b.durations["overlap_within"].counts == {500: 1}
    assert b.durations["overlap_between"].counts == {400: 1}
    assert b.durations["fto_assistant"].counts == {300: 1, 5000: 1}
    assert b.durations["fto_user"].counts == {-400: 1}
    assert figures["fto_median_ms"] == 300
    assert figures["fto_below_200_share"] == pytest.approx(1 / 3)
    assert figures["overlap_of_signal_share"] == pytest.approx(0.9 / 60)
    assert figures["overlap_of_speech_share"] == pytest.approx(0.9 / (60 - 1 - 5.3))
    assert figures["overlap_of_transfers_share"] == pytest.approx(1 / 3)
    assert (figures["user_overlap_of_transfers_share"], figures["assistant_overlap_of_transfers_share"]) == (1, 0)
    assert (figures["user_fto_median_ms"], figures["assistant_fto_median_ms"]) == (-400, 2650)
    assert (figures["user_earliest_ms"], figures["assistant_earliest_ms"]) == (-400, 300)
    assert (figures["user_fto_below_200_share"], figures["assistant_fto_below_500_share"]) == (1, 0.5)
    assert (figures["pauses_a_minute"], figures["gap_seconds_a_minute"]) == (1, 5.3)
    assert (figures["ipus_a_minute"], figures["transfers_a_minute"]) == (6, 3)
    assert figures["ipu_seconds_a_minute"] == pytest.approx(4 + 5 + 10.4 + 0.5 + 19.7 + 15)
    assert (figures["backchannels_a_minute"], figures["barge_ins_a_minute"]) == (1, 1)


def test_a_silence_under_200_ms_is_no_pause():
    def pauses(silence: int) -> int:
        speech = SpeakerTimes(intervals([(0, 1000), (1000 + silence, 3000)]), intervals([]))
        return battery(speech, SpeakerTimes(intervals([]), intervals([])), 4000, 1000).durations["pause"].n

    assert (pauses(199), pauses(200)) == (0, 1)


def test_silence_around_the_talk_is_neither_pause_nor_gap():
    b = battery(SpeakerTimes(intervals([(100, 200)]), intervals([])), SpeakerTimes(intervals([]), intervals([])))
    assert (b.parts["edge"], b.parts["pause"], b.parts["gap"]) == (300, 0, 0)


def test_an_attempt_takes_no_floor_even_if_it_is_heard_last():
    user = SpeakerTimes(intervals([]), intervals([]), attempts=intervals([(90, 120)]))
    b = battery(user, SpeakerTimes(intervals([(0, 100)]), intervals([])))
    assert (b.fto.n, b.parts["overlap"]) == (0, 10)
