"""What a script holds beside plain turns: each behaviour as asked for, and none moved by another."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.phrases import count_words, units
from datagen.records import FLOOR, BargeIn, Dialogue, Script, Turn, Utterance
from datagen.stages.script import WriteScript
from tests.conftest import make_recipe, pools_of

VOICES = [f"v{k}" for k in range(8)]
LONG = "Well, I was thinking about the trip to Iceland in March, and whether we need a car, or a bus is enough for us."
ANSWER = "A car is better, I think. The buses go along the main road only, and in March some of them do not go at all."
CHINESE = ("我想去北京看一看，你觉得什么时候去最好呢？", "我觉得秋天最好，天气不冷也不热，人也不太多，你可以九月去。")


def script(*overrides: str, texts: tuple[str, ...] = (LONG, ANSWER, LONG, ANSWER), language="en", id="d1") -> Script:
    turns = tuple(Turn("assistant" if k % 2 else "user", text) for k, text in enumerate(texts))
    recipe = make_recipe(*overrides)
    (found,) = WriteScript(recipe, pools_of(recipe, *VOICES))([Dialogue(id, turns, "test", language)])
    assert isinstance(found, Script)
    return found


def of(s: Script, kind: str) -> list[Utterance]:
    return [u for u in s.utterances if kind in (u.kind, u.event)]


def whole_turns(s: Script) -> list[str]:
    """What each utterance says of the dialogue, joined by turns; words said again are said twice."""
    return [" ".join(u.text for u in s.utterances if u.turn == k and u.text) for k in range(len(s.dialogue.turns))]


HESITATION = "timing.hesitation={probability: 1, min_words: 5, filler_probability: %s, restart_probability: %s}"


def test_a_hesitation_cuts_the_users_turn_and_nothing_else():
    s = script(HESITATION % (0, 0))
    assert [(u.role, u.turn, u.event) for u in s.utterances] == [
        ("user", 0, ""),
        ("user", 0, "hesitation"),
        ("assistant", 1, ""),
        ("user", 2, ""),
        ("user", 2, "hesitation"),
        ("assistant", 3, ""),
    ]
    assert f"{s.utterances[0].spoken} {s.utterances[1].spoken}" == LONG
    assert whole_turns(s) == [t.text for t in s.dialogue.turns]
    assert s.utterances[1].offset_samples >= 500 * 24


def test_fillers_and_restarts():
    s = script(HESITATION % (1, 1))
    first, filler, rest = s.utterances[:3]
    assert (filler.kind, filler.spoken in make_recipe().timing.tokens["en"].fillers) == ("filler", True)
    again = rest.spoken[: len(rest.spoken) - len(LONG) + len(first.spoken) + 1].strip()
    assert again
    assert first.spoken.endswith(again)
    assert f"{first.spoken} {rest.spoken[len(again) + 1 :]}" == LONG
    assert 1 <= len(again.split()) <= 3


def test_chinese_hesitates_between_characters():
    s = script(HESITATION % (0, 0), texts=CHINESE, language="zh")
    assert s.utterances[0].spoken + s.utterances[1].spoken == CHINESE[0]


def test_a_short_turn_has_no_hesitation():
    assert not of(script(HESITATION % (1, 1), texts=("Yes, go on.", ANSWER)), "hesitation")


@pytest.mark.parametrize(("texts", "language"), [((LONG, ANSWER), "en"), (CHINESE, "zh")])
def test_backchannels_are_the_listeners_and_come_at_ends_of_phrases(texts, language):
    rates = "timing.backchannel={user_probability: 1, assistant_probability: 1, min_words: 3, phrase_words: 5}"
    s = script(rates, texts=texts, language=language)
    found = of(s, "backchannel")
    assert {u.role for u in found} == {"user", "assistant"}
    for u in found:
        turn = s.dialogue.turns[u.turn]
        assert u.role != turn.role
        assert u.spoken in make_recipe().timing.tokens[language].backchannels
        assert u.within.at_characters in [unit.end for unit in units(turn.text)][:-1]
    places = [u.within.at_characters for u in found if u.turn == 1]
    assert all(count_words(texts[1][a:b]) >= 3 for a, b in zip([0, *places], places, strict=False))


def test_backchannels_follow_the_piece_that_says_their_place():
    rates = "timing.backchannel={assistant_probability: 1, min_words: 3, phrase_words: 4}"
    s = script(rates, HESITATION % (1, 1))
    unbroken = script(rates)
    tokens = [(u.turn, u.spoken, u.within.delay_samples) for u in of(s, "backchannel")]
    assert tokens == [(u.turn, u.spoken, u.within.delay_samples) for u in of(unbroken, "backchannel")]
    host = s.utterances[0]
    heard_after = {}
    for u in s.utterances:
        if u.kind == "turn":
            host = u
        elif u.kind == "backchannel":
            assert 0 < u.within.at_characters <= len(host.spoken)
            heard_after.setdefault(u.turn, []).append(host.spoken[: u.within.at_characters])
    for before, u in zip(heard_after[0], of(unbroken, "backchannel"), strict=False):
        assert LONG[: u.within.at_characters].endswith(before.split()[-1])


def test_a_correction_opens_a_barge_in():
    s = script("timing.barge_in={probability: 1, correction_probability: 1, correction_pause: 100}")
    (opener,) = of(s, "correction")
    following = s.utterances[s.utterances.index(opener) + 1]
    assert isinstance(opener.barge_in, BargeIn)
    assert (opener.turn, following.turn, following.spoken, following.barge_in) == (2, 2, LONG, None)
    assert following.offset_samples == 2400


def test_lengths_are_never_negative():
    below = "{kind: uniform, low: -900, high: -800}"
    s = script(
        f"timing.barge_in={{probability: 1, reaction: {below}, correction_probability: 1, correction_pause: {below}}}",
        f"timing.hesitation={{probability: 1, pause: {below}, filler_probability: 1, filler_delay: {below}}}",
        f"timing.failed_barge_in={{probability: 1, give_up: {below}}}",
    )
    assert {u.barge_in.reaction_samples for u in s.utterances if u.barge_in} == {0}
    assert {u.within.give_up_samples for u in s.utterances if u.within} == {0}
    assert {u.offset_samples for u in s.utterances if u.event == "hesitation" or u.kind == "filler"} == {0}


def test_the_shortest_turn_that_may_hesitate():
    s = script("timing.hesitation={probability: 1, min_words: 3}", texts=("One two three.", ANSWER))
    assert [u.spoken for u in s.utterances if u.turn == 0] == ["One two", "three."]


def test_a_competition_lasts_as_long_as_asked():
    s = script("timing.barge_in={probability: 1, reaction: 100, competition_probability: 1, competition: 900}")
    (barge_in,) = [u.barge_in for u in s.utterances if u.barge_in]
    assert (barge_in.competition, barge_in.reaction_samples) == (True, 900 * 24)


def test_failed_barge_ins_need_a_long_turn():
    rule = "timing.failed_barge_in={probability: 1, min_words: 12, give_up: 300}"
    found = of(script(rule), "failed_barge_in")
    assert [(u.role, u.turn, u.kind, u.within.give_up_samples) for u in found] == [
        ("user", 1, "attempt", 7200),
        ("user", 3, "attempt", 7200),
    ]
    assert not of(script(rule, texts=(LONG, "Yes, you do.")), "failed_barge_in")


def test_the_assistant_interrupts_ramblers_only():
    rule, calm = "timing.assistant_barge_in={probability: 1, min_words: 20}", "timing.barge_in.probability=0"
    assert [u.role for u in script(rule, calm).utterances if u.barge_in] == ["assistant"] * 2
    assert not any(u.barge_in for u in script(rule, texts=("Is it?", ANSWER)).utterances if u.role == "assistant")


def test_overlapping_starts_are_those_of_the_one_who_spoke_before():
    found = of(script("timing.overlapping_start={user_probability: 1, assistant_probability: 1}"), "overlapping_start")
    assert [(u.turn, u.role, u.within.at_characters) for u in found if u.turn != 2] == [(1, "user", 0), (3, "user", 0)]
    assert [u.role for u in found if u.turn == 2] in ([], ["assistant"])  # none where the user barges in


def test_a_silent_user_is_asked_once_or_waited_for():
    rule = "timing.silence={probability: 1, silence: 5000, prompt_probability: %s}"
    calm = "timing.barge_in.probability=0"
    waited = script(rule % 0, calm)
    assert [(u.event, u.offset_samples) for u in waited.utterances if u.turn == 2] == [("user_silent", 120_000)]
    prompt, answer = [u for u in script(rule % 1, calm).utterances if u.turn == 2]
    assert (prompt.role, prompt.event, prompt.offset_samples) == ("assistant", "prompt", 120_000)
    assert (answer.role, answer.event) == ("user", "")


def test_without_words_of_a_language_nothing_needs_them():
    s = script(
        "timing={profile: hard}", texts=("Ja, das ist es wohl, und ich bin ganz deiner Meinung.",) * 4, language="de"
    )
    assert {(u.kind, u.event) for u in s.utterances} <= {("turn", ""), ("turn", "hesitation"), ("turn", "user_silent")}


ON = {
    "hesitation": "timing.hesitation={probability: 1, min_words: 5, filler_probability: 1, restart_probability: 1}",
    "backchannel": "timing.backchannel={user_probability: 0.6, assistant_probability: 0.6}",
    "failed_barge_in": "timing.failed_barge_in={probability: 1}",
    "overlapping_start": "timing.overlapping_start={user_probability: 1, assistant_probability: 1}",
    "barge_in": "timing.barge_in={probability: 1, correction_probability: 0}",
    "assistant_barge_in": "timing.assistant_barge_in={probability: 1, min_words: 20}",
}
GIVES_WAY = {"overlapping_start": ("barge_in", "assistant_barge_in")}
"""Behaviours that do not happen where another does; what is left of them must still be the same."""


@pytest.mark.parametrize("switched", ON)
@pytest.mark.parametrize("name", ["d1", "d2", "d3"])
def test_no_behaviour_shifts_another(switched, name):
    """With one behaviour off, all others are drawn as before, word for word and sample for sample."""
    others = [rule for k, rule in ON.items() if k != switched and k not in GIVES_WAY.get(switched, ())]
    off = ("timing.barge_in.probability=0", *others)  # the default has some
    with_it, without = script(*off, ON[switched], id=name), script(*off, id=name)

    def seen(s: Script) -> set[tuple[object, ...]]:
        found = set()
        for u in s.utterances:
            if u.kind not in FLOOR and switched not in (u.kind, u.event):
                if switched not in GIVES_WAY.get(u.event, ()):
                    found.add((u.turn, u.role, u.spoken, u.event, u.within.delay_samples, u.within.give_up_samples))
            elif u.text:
                barge_in = None if switched.endswith("barge_in") else u.barge_in
                found.add((u.turn, u.role, u.text, u.voice, u.offset_samples, barge_in))
        return found

    assert seen(with_it) == seen(without)
    assert with_it != without


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([LONG, ANSWER, "Yes.", "No, never.", *CHINESE]), min_size=2, max_size=6),
    st.integers(0, 99),
)
def test_every_turn_is_said_in_order_whatever_else_is(texts, seed):
    language = "zh" if set(texts) & set(CHINESE) else "en"
    s = script("timing={profile: hard}", f"seed={seed}", texts=tuple(texts), language=language)
    assert whole_turns(s) == [turn.text for turn in s.dialogue.turns]
    assert [u.turn for u in s.utterances] == sorted(u.turn for u in s.utterances)
    for u in s.utterances:
        assert (u.within is None) == (u.kind in FLOOR)
        assert u.role == s.dialogue.turns[u.turn].role or u.event == "prompt" or u.kind not in FLOOR
