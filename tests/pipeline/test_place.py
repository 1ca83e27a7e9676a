"""Laws of time: placed FTO = drawn FTO, cuts cut everywhere, nobody overlaps themselves, nothing is lost."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.pipeline.place import Place, cut
from datagen.recipe import TimingConfig
from datagen.recipe.distributions import Constant
from datagen.records import BargeIn, Dialogue, LineTake, Placed, Script, Take, Takes, Timeline, Utterance, Within, Word
from datagen.text.phrases import places, time_at
from tests.conftest import RATE, take, takes_of

CHUNK = 9600


def place(takes: Takes, tail_ms: float = 500, early_ms: float = 10_000) -> Timeline:
    timing = TimingConfig(tail=Constant(value=tail_ms), early_ms=early_ms, user_early_ms=early_ms)
    return Place(timing, RATE, CHUNK, 0)(takes)


def events(timeline: Timeline) -> list[tuple[str, str, int, int, bool]]:
    return [(e.kind, e.role, e.start_samples, e.end_samples, e.placed) for e in timeline.events]


def test_offsets_are_placed_as_scripted():
    takes = takes_of(
        [("user", take(5000), 1000, None), ("assistant", take(7000), 240, None), ("user", take(3000), -50, None)]
    )
    placed = place(takes).placed
    assert [(p.start_samples, p.end_samples) for p in placed] == [(1000, 6000), (6240, 13240), (13190, 16190)]


def test_the_conversation_ends_after_the_tail_on_a_whole_chunk():
    timeline = place(takes_of([("user", take(5000), 0, None)]), tail_ms=100)
    assert timeline.n_samples == CHUNK  # 5000 + 2400, rounded up
    assert place(takes_of([("user", take(CHUNK - 2400), 0, None)]), tail_ms=100).n_samples == CHUNK


def test_a_barge_in_cuts_audio_words_and_text_at_one_place():
    answer = take(1000, 1000, 1000, 1000)  # words at 0, 1100, 2200, 3300
    takes = takes_of(
        [("user", take(500), 0, None), ("assistant", answer, 0, None), ("user", take(2800), 99, BargeIn(5, 300, 50))]
    )
    timeline = place(takes)
    assistant, user = timeline.placed[1:]
    assert user.start_samples == 500 + 2100 + 50
    assert assistant.end_samples == 500 + 2150 + 300
    assert [w.text for w in assistant.words] == ["w0", "w1"]  # w2 began at 2200, only 250 of 1000 are heard
    assert (assistant.said, assistant.unsaid) == ("w0 w1", "w2 w3")
    assert assistant.n_cut_samples == 4300 - 2450
    assert events(timeline)[1:] == [("barge_in", "user", 2650, 2950, True)]


def test_the_family_of_a_barge_in_is_an_event_of_its_times():
    parts = [said("user", take(500)), said("assistant", ANSWER)]
    cut_in = said("user", take(2800), kind="insert", barge_in=BargeIn(5, 300, family="wait_request"))
    found = events(staged(*parts, cut_in))
    assert [e for e in found if e[0] != "gap"] == [
        ("barge_in", "user", 2600, 2900, True),
        ("wait_request", "user", 2600, 2900, True),
    ]


def test_a_wait_lasts_from_the_assistants_stop_to_the_word_that_ends_it():
    parts = [said("user", take(500)), said("assistant", ANSWER)]
    parts.append(said("user", take(2400), kind="insert", barge_in=BargeIn(5, 900, family="wait_request")))
    parts.append(said("user", take(300), 40_000, kind="insert", event="waiting"))
    parts.append(said("assistant", take(700), -100, kind="resumption"))
    timeline = staged(*parts)
    release, resumption = timeline.placed[3:]
    assert release.start_samples == 5000 + 40_000
    assert ("waiting", "user", 3500, release.start_samples, True) in events(timeline)
    assert resumption.start_samples == release.end_samples - 100
    early = staged(*parts[:3], said("user", take(300), -500, kind="insert", event="waiting"))
    assert early.placed[3].start_samples == early.placed[2].end_samples  # nobody ends a wait that has not begun


def test_the_other_stops_before_the_interrupter_does():
    for finish in (False, True):
        cut_in = said("user", take(1550), kind="insert", barge_in=BargeIn(5, 9000, finish_word=finish))
        timeline = staged(said("user", take(500)), said("assistant", ANSWER), cut_in)
        assert timeline.placed[2].end_samples == 2600 + 1550
        assert timeline.placed[1].end_samples == 2600 + 1550 - RATE // 20


def test_a_resumption_takes_a_breath_after_the_stop():
    parts = [said("user", take(500)), said("assistant", ANSWER)]
    parts.append(said("user", take(100), kind="insert", barge_in=BargeIn(5, 900, family="repeat_request")))
    timeline = staged(*parts, said("assistant", take(2000), -50, kind="resumption"))
    assert timeline.placed[3].start_samples == timeline.placed[1].end_samples + RATE // 5


def test_a_correction_lies_where_its_words_are():
    repair = said("user", take(500, 500, 500), correction=(3, 8))
    timeline = staged(repair, said("assistant", take(100), 10))
    assert events(timeline)[0] == ("correction", "user", 600, 1700, True)  # words at 0, 600, 1200


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_nobody_answers_before_half_of_the_last_content_word_or_earlier_than_allowed(role):
    other = "assistant" if role == "user" else "user"
    words = (Word("So", 0, 900), Word("Tuesday", 1000, 2000), Word("is", 2100, 2200), Word("it", 2300, 9000))
    host = Utterance(other, "", "So Tuesday is it", "v", 0), LineTake(np.zeros(9000, np.float32), words, 0, 0)
    opening = [] if other == "user" else [said("user", take(500))]
    begin = 0 if other == "user" else 500
    script = [*opening, host, said(role, take(9000), -8800)]
    takes = takes_from(*script)
    assert place(takes).placed[-1].start_samples == begin + 1500
    assert place(takes, early_ms=100).placed[-1].start_samples == begin + 9000 - 2400


def test_a_word_more_than_half_heard_is_said_and_ends_at_the_cut():
    whole = Placed(
        Take.of(said("user", take(9))[0], take(9)), 0, 200, (Word("a", 0, 100), Word("b", 100, 200)), "a b", "", 0
    )
    assert cut(whole, 150).said == "a"
    heard = cut(whole, 151)
    assert heard.said == "a b"
    assert heard.words[-1] == Word("b", 100, 151)
    assert heard.unsaid == ""


@pytest.mark.parametrize("barge_in", [BargeIn(2, 9999), BargeIn(2, 300, 9999), BargeIn(2, 9999, finish_word=True)])
def test_delay_and_reaction_leave_a_word_unsaid(barge_in):
    """However long they are, the other does not get to say its last word; the delay is shortened first."""
    answer = take(1000, 1000)  # words at 0 and 1100
    takes = takes_of([("user", take(500), 0, None), ("assistant", answer, 0, None), ("user", take(9900), 0, barge_in)])
    timeline = place(takes)
    assert (timeline.placed[1].said, timeline.placed[1].unsaid) == ("w0", "w1")
    assert timeline.placed[1].end_samples == 500 + 1600
    assert timeline.placed[2].start_samples == 500 + max(1000, 1600 - barge_in.reaction_samples)


lengths = st.lists(st.integers(1, 4000), min_size=1, max_size=6)
barge_ins = st.none() | st.builds(
    BargeIn, st.integers(0, 18), st.integers(0, 8000), st.integers(0, 3000), st.booleans()
)


@given(st.lists(st.tuples(lengths, st.integers(-3000, 5000), barge_ins), min_size=1, max_size=8))
def test_laws_of_time(turns):
    roles = ["assistant" if k % 2 else "user" for k in range(len(turns))]
    script = [
        (role, take(*words), max(offset, 0) if k == 0 else offset, barge_in if role == "user" and k else None)
        for k, (role, (words, offset, barge_in)) in enumerate(zip(roles, turns, strict=True))
    ]
    takes = takes_of(script)
    timeline = place(takes)
    assert timeline.n_samples % CHUNK == 0
    assert len(timeline.placed) == len(turns)
    ends = {"user": 0, "assistant": 0}
    for role, t, p in zip(roles, takes.takes, timeline.placed, strict=True):
        assert ends[role] <= p.start_samples <= p.end_samples <= timeline.n_samples
        ends[role] = p.end_samples
        assert p.end_samples - p.start_samples + p.n_cut_samples == len(t.audio)
        assert f"{p.said} {p.unsaid}".split() == t.utterance.spoken.split()
        assert len(p.words) == len(p.said.split())
        times = [x for w in p.words for x in (w.start_samples, w.end_samples)]
        assert times == sorted(times)
        assert all(p.start_samples <= x <= p.end_samples for x in times)
    for event in timeline.events:
        assert 0 <= event.start_samples <= event.end_samples <= timeline.n_samples
        if event.kind == "barge_in" and event.placed:
            assert timeline.placed[event.utterance - 1].unsaid


def test_input_is_untouched():
    takes = takes_of(
        [("user", take(500), 0, None), ("assistant", take(900, 900), 0, None), ("user", take(5), 0, BargeIn(2, 9))]
    )
    before = [t.audio.copy() for t in takes.takes]
    place(takes)
    assert all(np.array_equal(b, t.audio) for b, t in zip(before, takes.takes, strict=True))


# -- beside the floor, and pauses inside a turn ---------------------------------------------------------------------


def said(role: str, t: LineTake, offset: int = 0, **more) -> tuple[Utterance, LineTake]:
    """An utterance that says the words of a take."""
    spoken = " ".join(word.text for word in t.words)
    return Utterance(role, spoken, spoken, f"{role}-voice", offset, **more), t


def staged(*parts: tuple[Utterance, LineTake]) -> Timeline:
    return place(takes_from(*parts))


def takes_from(*parts: tuple[Utterance, LineTake]) -> Takes:
    script = Script(Dialogue("d1", (), "test", "en"), "train", tuple(u for u, _ in parts))
    return Takes(script, tuple(Take.of(u, t) for u, t in parts))


def token(at_characters: int, delay: int = 0, length: int = 400, give_up: int | None = None, **more):
    more = {"kind": "backchannel", "event": "backchannel", **more}
    return said("user", take(length), within=Within(at_characters, delay, give_up), **more)


ANSWER = take(1000, 1000, 1000, 1000)  # "w0 w1 w2 w3", words at 0, 1100, 2200, 3300


def test_a_backchannel_comes_after_its_word_and_nobody_yields():
    timeline = staged(
        said("user", take(500)), said("assistant", ANSWER), token(5, delay=50), said("user", take(700), 90)
    )
    assert [(p.start_samples, p.end_samples) for p in timeline.placed] == [
        (0, 500),
        (500, 4800),
        (500 + 2100 + 50, 500 + 2100 + 450),
        (4890, 5590),
    ]
    assert timeline.placed[1].n_cut_samples == 0
    assert ("backchannel", "user", 2650, 3050, True) in events(timeline)


def spans(placed: Sequence[Placed]) -> list[tuple]:
    return [(p.start_samples, p.end_samples, p.words, p.said, p.unsaid, p.n_cut_samples) for p in placed]


def test_a_token_without_room_is_cut_to_nothing_and_noted():
    """The user's own barge-in comes too soon after it, or the place in the other's turn is never reached."""
    barge_in = said("user", take(900), barge_in=BargeIn(5, 100))
    for beside in (token(5, delay=10), token(11)):
        timeline = staged(said("user", take(500)), said("assistant", ANSWER), beside, barge_in)
        alone = staged(said("user", take(500)), said("assistant", ANSWER), barge_in)
        assert spans(timeline.placed[:2] + timeline.placed[3:]) == spans(alone.placed)
        nothing = timeline.placed[2]
        assert nothing.start_samples == nothing.end_samples <= timeline.placed[3].start_samples
        assert (nothing.words, nothing.said, nothing.unsaid, nothing.n_cut_samples) == ((), "", "w0", 400)
        assert ("backchannel", "user", nothing.start_samples, nothing.start_samples, False) in events(timeline)


def test_an_attempt_is_given_up():
    attempt = said("user", take(300, 300, 300), within=Within(2, 0, 500), kind="attempt", event="false_start")
    timeline = staged(said("user", take(500)), said("assistant", ANSWER), attempt)
    user = timeline.placed[2]
    assert (user.start_samples, user.end_samples, user.said, user.unsaid) == (1500, 2000, "w0", "w1 w2")
    assert timeline.placed[1].n_cut_samples == 0
    assert ("false_start", "user", 1500, 2000, True) in events(timeline)


def test_an_interrupted_speaker_may_end_the_word():
    for finish, end in ((False, 2500), (True, 2600)):
        barge_in = BargeIn(2, 280, 720, finish_word=finish)
        assistant = staged(
            said("user", take(500)), said("assistant", ANSWER), said("user", take(2900), 0, barge_in=barge_in)
        )
        assert assistant.placed[1].end_samples == end
        assert assistant.placed[1].said == "w0 w1"


def test_a_competition_is_a_barge_in_too():
    barge_in = said("user", take(3900), barge_in=BargeIn(5, 1000, 50, competition=True))
    timeline = staged(said("user", take(500)), said("assistant", ANSWER), barge_in)
    assert {e[0] for e in events(timeline) if e[2:4] == (2650, 3650)} == {"barge_in", "competition"}


def test_a_barge_in_without_room_follows_and_is_noted():
    barge_in = said("user", take(900), 240, barge_in=BargeIn(2, 100))
    timeline = staged(said("user", take(500)), said("assistant", take(5)), barge_in)
    assert timeline.placed[2].start_samples == 505 + 240
    assert ("barge_in", "user", 745, 745, False) in events(timeline)
    assert ("gap", "user", 505, 745, True) in events(timeline)


def test_nobody_ends_before_the_other_does():
    timeline = staged(said("user", take(5000)), said("assistant", take(300), -900), said("user", take(2000), -500))
    assert events(timeline)[:2] == [
        ("overlapping_end", "assistant", 4700, 5000, True),
        ("gap", "user", 5000, 5000, True),
    ]


def test_a_hesitation_lasts_from_word_to_word():
    pieces = (
        said("user", take(500)),
        said("user", take(200), 30, kind="filler"),
        said("user", take(600), 1000, event="hesitation"),
    )
    timeline = staged(*pieces, said("assistant", take(9), 240))
    assert [(p.start_samples, p.end_samples) for p in timeline.placed[:3]] == [(0, 500), (530, 730), (1730, 2330)]
    assert events(timeline) == [("hesitation", "user", 500, 1730, True), ("gap", "assistant", 2330, 2570, True)]


def test_a_silent_user_and_a_prompt():
    silent = staged(
        said("user", take(5)), said("assistant", take(95)), said("user", take(9), 9000, event="user_silent")
    )
    assert events(silent)[1:] == [("user_silent", "user", 100, 9100, True)]
    prompt = said("assistant", take(500), 9000, kind="insert", event="prompt")
    asked = staged(said("user", take(5)), said("assistant", take(95)), prompt, said("user", take(9), 300))
    assert events(asked)[1:] == [
        ("user_silent", "user", 100, 9100, True),
        ("prompt", "assistant", 9100, 9600, True),
        ("gap", "user", 9600, 9900, True),
    ]


def test_the_assistant_interrupts_the_user():
    ramble = said("assistant", take(1900), barge_in=BargeIn(5, 100, 50))
    timeline = staged(said("user", ANSWER), ramble)
    assert timeline.placed[0].end_samples == 2250
    assert events(timeline) == [("barge_in", "assistant", 2150, 2250, True)]


def test_chinese_is_cut_at_a_character():
    whole = Placed(
        Take.of(said("user", take(9))[0], take(9)), 0, 400, (Word("今天，很好。", 0, 400),), "今天，很好。", "", 0
    )
    half = cut(whole, 230)
    assert (half.said, half.unsaid, half.words) == ("今天，", "很好。", (Word("今天，", 0, 230),))
    assert cut(half, 50).unsaid == "天， 很好。"  # a second cut keeps what the first left


PIECES = (
    Word("用", 0, 50),
    Word("Python", 60, 160),
    Word("好，", 170, 220),
    Word("走", 400, 450),
    Word("go", 460, 500),
)
MIXED = "用Python好，走 go"


def test_words_in_pieces_are_cut_and_found_by_their_own_times():
    whole = Placed(Take.of(said("user", take(9))[0], take(9)), 0, 500, PIECES, MIXED, "", 0)
    after = cut(whole, 300)
    assert (after.said, after.unsaid, after.words) == ("用Python好，", "走 go", PIECES[:3])
    inside = cut(whole, 130)
    assert (inside.said, inside.unsaid) == ("用Python", "好，走 go")
    assert inside.words == (PIECES[0], Word("Python", 60, 130))
    assert cut(whole, 440).said == "用Python好，走"
    assert [time_at(PIECES, MIXED, at) for at in (0, 1, 4, 7, 9, 10, 11, 13)] == [0, 60, 110, 170, 400, 450, 460, 500]


def test_pieces_that_do_not_spell_the_text_are_refused():
    for words in (
        PIECES[:4],
        PIECES[1:],
        (*PIECES, Word("on", 500, 510)),
        (*PIECES[:2], Word("", 160, 160), *PIECES[2:]),
    ):
        with pytest.raises(ValueError, match="word"):
            places(words, MIXED)


tokens = st.tuples(st.integers(0, 12), st.integers(-800, 800), st.integers(1, 900), st.none() | st.integers(0, 900))


@given(
    st.lists(
        st.tuples(lengths, st.integers(-3000, 5000), barge_ins, st.lists(tokens, max_size=2), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_laws_of_time_with_all_behaviours(turns):
    parts: list[tuple[Utterance, LineTake]] = []
    for k, (words, offset, barge_in, beside, pauses) in enumerate(turns):
        role, other = ("assistant", "user") if k % 2 else ("user", "assistant")
        parts.append(said(role, take(*words), offset, barge_in=barge_in if k else None))
        for at, delay, length, give_up in beside:
            spoken, t = token(at, delay, length, give_up)
            parts.append((replace(spoken, role=other), t))
        if pauses:
            parts.append(said(role, take(*words), abs(offset), event="hesitation"))
    timeline = staged(*parts)
    ends = {"user": 0, "assistant": 0}
    for index, ((u, t), p) in enumerate(zip(parts, timeline.placed, strict=True)):
        assert ends[u.role] <= p.start_samples <= p.end_samples <= timeline.n_samples
        ends[u.role] = p.end_samples
        assert p.end_samples - p.start_samples + p.n_cut_samples == len(t.audio)
        assert f"{p.said} {p.unsaid}".split() == u.spoken.split()
        assert len(p.words) == len(p.said.split())
        named = [e for e in timeline.events if e.utterance == index]
        if u.kind == "backchannel":
            assert [(e.kind, e.placed) for e in named] == [("backchannel", p.end_samples > p.start_samples)]
        elif u.barge_in:
            assert [e.kind for e in named].count("barge_in") == 1
        elif index:
            assert len(named) == 1
    for e in timeline.events:
        assert 0 <= e.start_samples <= e.end_samples <= timeline.n_samples
    floor = [p for (u, _), p in zip(parts, timeline.placed, strict=True) if u.kind == "turn"]
    bare = staged(*(part for part in parts if part[0].kind == "turn"))
    assert spans(floor) == spans(bare.placed)  # what is heard beside the floor moves nothing


# -- barge-ins at a place of the text -------------------------------------------------------------------------------


def test_a_marked_barge_in_starts_where_its_word_ends_whatever_pause_follows():
    chinese = LineTake(np.zeros(1000, np.float32), (Word("好", 10, 90), Word("，", 90, 95), Word("吧", 300, 900)), 0, 0)
    host = Utterance("assistant", "好，吧", "好，吧", "assistant-voice", 0), chinese
    barge_in = BargeIn(2, 40)
    timeline = staged(said("user", take(500)), host, said("user", take(700), barge_in=barge_in))
    assert timeline.placed[2].start_samples == 500 + 95
    assert (timeline.placed[1].said, timeline.placed[1].unsaid) == ("好，", "吧")


def test_a_turn_waits_so_that_its_interrupter_can_come_in_at_the_word():
    """The user would still speak when the first word has been said."""
    barge_in = said("user", take(700), barge_in=BargeIn(2, 40))
    early = said("assistant", ANSWER, -3000)
    timeline = staged(said("user", take(5000)), early, barge_in)
    assert timeline.placed[1].start_samples == 5000 - 1000
    assert timeline.placed[2].start_samples == 5000
    assert ("overlapping_end", "assistant", 4000, 5000, True) in events(timeline)
    late = staged(said("user", take(5000)), said("assistant", ANSWER, -500), barge_in)
    assert late.placed[1].start_samples == 4500


def test_a_barge_in_after_the_last_word_finds_no_room():
    barge_in = said("user", take(700), 90, barge_in=BargeIn(11, 40))
    timeline = staged(said("user", take(500)), said("assistant", ANSWER), barge_in)
    assert timeline.placed[1].n_cut_samples == 0
    assert timeline.placed[2].start_samples == timeline.placed[1].end_samples + 90
    assert timeline.events[-1].kind == "gap" or not timeline.events[-1].placed
