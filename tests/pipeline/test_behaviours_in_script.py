"""What a script holds beside plain turns: each behaviour as asked for, and none moved by another."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.pipeline.script.script import WriteScript
from datagen.recipe.timing_config import profiles
from datagen.records import FAMILIES, FLOOR, Dialogue, Script, Turn, Utterance
from datagen.text.phrases import count_words, units
from tests.conftest import make_recipe, pools_of

VOICES = [f"v{k}" for k in range(8)]
LONG = "Well, I was thinking about the trip to Iceland in March, and whether we need a car, or a bus is enough for us."
ANSWER = "A car is better, I think. The buses go along the main road only, and in March some of them do not go at all."
CHINESE = (
    "我想去北京看一看，我还没去过那里，你说什么时候去最好。",
    "我觉得秋天最好，天气不冷也不热，人也不太多，你可以九月去。",
)


def script(*overrides: str, texts: tuple[str, ...] = (LONG, ANSWER, LONG, ANSWER), language="en", id="d1") -> Script:
    turns = tuple(Turn("assistant" if k % 2 else "user", text) for k, text in enumerate(texts))
    recipe = make_recipe(*overrides)
    found = WriteScript(recipe, pools_of(recipe, *VOICES))(Dialogue(id, turns, "test", language))
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
        tokens = make_recipe().timing.tokens[language]
        assert u.spoken in (tokens.backchannels if u.role == "user" else tokens.continuers)
        assert u.within.at_characters in [unit.end for unit in units(turn.text)][:-1]
    places = [u.within.at_characters for u in found if u.turn == 1]
    assert all(count_words(texts[1][a:b]) >= 3 for a, b in zip([0, *places], places, strict=False))


@pytest.mark.parametrize(("min_words", "after"), [(3, "today,"), (7, "today,"), (8, "home,")])
def test_a_response_waits_for_enough_words_and_does_not_come_at_the_last_one(min_words, after):
    texts = ("Well, I went to the park today, or home, I think.", "I saw it from the window, really.")
    rates = f"assistant_probability: 1, user_probability: 1, min_words: {min_words}, phrase_words: 20"
    found = of(script(f"timing.backchannel={{{rates}}}", texts=texts), "backchannel")
    assert [texts[u.turn][: u.within.at_characters].split()[-1] for u in found] == [after]
    assert {u.turn for u in found} == {0}


def test_nobody_responds_inside_a_question():
    texts = (
        "Is the garden behind the house, or is it in front, or both of it, as they said?",
        "It is, I think, behind it.",
    )
    found = of(
        script("timing.backchannel={assistant_probability: 1, user_probability: 1, min_words: 2}", texts=texts),
        "backchannel",
    )
    assert {u.turn for u in found} == {1}


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


def test_what_overlaps_a_turn_is_an_event_of_its_own_kind():
    s = script(
        "timing.backchannel={user_probability: 1, assistant_probability: 1, min_words: 2}",
        "timing.false_start={probability: 1, min_words: 1}",
        "timing.aside={probability: 1, min_words: 1}",
    )
    found = [(u.kind, u.event) for u in s.utterances if u.kind not in FLOOR]
    assert set(found) == {("backchannel", "backchannel"), ("attempt", "false_start"), ("aside", "aside")}
    first = of(s, "backchannel")[0]
    assert (first.role, first.kind, first.event, first.text) == ("assistant", "backchannel", "backchannel", "")
    assert first.barge_in is None


TEXTS = (
    "How does that work?",
    "The gears need oil. Wipe the chain first with a dry cloth, then run it backwards through a rag, and let it rest.",
    "What kind of oil should I get?",
    "Any light oil from a bike shop will do, and a small bottle lasts for years, unless you ride in the rain a lot.",
)
"""A dialogue in which every family of interruptions fits somewhere."""


def only(family: str) -> str:
    weights = {name: float(name == family) for name in FAMILIES}
    return f"timing.barge_in={{probability: 1, min_words: 5, families: {json.dumps(weights)}}}"


def test_the_next_turn_interrupts_after_what_it_refers_to():
    s = script(only("next_turn"), texts=TEXTS)
    (cut_in,) = [u for u in s.utterances if u.barge_in]
    assert (cut_in.kind, cut_in.turn, cut_in.text, cut_in.barge_in.family) == ("turn", 2, TEXTS[2], "next_turn")
    heard = TEXTS[1][: cut_in.barge_in.at_characters]
    assert "oil" in heard
    assert heard[-1] in ",.;"


def test_who_asks_to_repeat_hears_the_last_clause_again():
    for place in (0.1, 0.9):
        s = script(only("repeat_request"), f"timing.barge_in.at={place}", texts=TEXTS)
        turn, insert, resumption = s.utterances[1:4]
        assert (insert.kind, insert.role, insert.turn, insert.barge_in.family) == (
            "insert",
            "user",
            1,
            "repeat_request",
        )
        assert insert.spoken in make_recipe().timing.tokens["en"].repeat_requests
        assert (resumption.kind, resumption.role, resumption.turn, resumption.text) == (
            "resumption",
            "assistant",
            1,
            "",
        )
        clauses = [TEXTS[1][a:b].strip() for a, b in pairwise([0, *clause_ends(TEXTS[1]), None])]
        last = clauses[[*clause_ends(TEXTS[1])].index(insert.barge_in.at_characters)]
        assert resumption.spoken.startswith(last)
        assert turn.spoken.endswith(resumption.spoken)


def clause_ends(text: str) -> list[int]:
    return [k + 1 for k, char in enumerate(text[:-1]) if char in ",."]


def test_who_asks_to_wait_ends_the_wait_and_the_assistant_says_the_rest():
    s = script(only("wait_request"), "timing.barge_in.wait=3000", texts=TEXTS)
    turn, insert, release, resumption = s.utterances[1:5]
    assert insert.spoken in make_recipe().timing.tokens["en"].wait_requests
    assert (release.role, release.kind, release.event, release.offset_samples) == ("user", "insert", "waiting", 72_000)
    assert release.spoken in make_recipe().timing.tokens["en"].resumes
    assert turn.spoken[insert.barge_in.at_characters :].strip() == resumption.spoken


ELSE = (*TEXTS[:2], "Is the shop open now?", "It closes at six.")
"""The user asks about something else next."""


def test_who_asks_to_stop_asks_about_something_else_after_a_pause():
    s = script(only("stop_request"), "timing.barge_in.pause=500", "timing.silence.probability=1", texts=ELSE)
    insert, following = s.utterances[2:4]
    assert insert.spoken in make_recipe().timing.tokens["en"].stop_requests
    assert (following.kind, following.text, following.offset_samples, following.event) == ("turn", ELSE[2], 12_000, "")
    for next_turn in ("Which oil should I get?", "I have a shop nearby.", "Yes, is the shop open?"):
        s = script(only("stop_request"), texts=(*TEXTS[:2], next_turn))
        assert not any(u.kind == "insert" for u in s.utterances)
    s = script(only("stop_request"), texts=(*TEXTS[:2], "Is the shop open?", "It is. And let the chain rest."))
    assert not any(u.barge_in and "rest" not in TEXTS[1][: u.barge_in.at_characters] for u in s.utterances)


def test_who_has_got_it_makes_the_assistant_skip_to_its_next_sentence():
    texts = (
        "Why?",
        "Salt melts any ice, because it lowers the point of freezing by far. Below minus ten it hardly works.",
    )
    s = script(only("got_it"), texts=texts)
    _, insert, resumption = s.utterances[1:]
    assert insert.spoken in make_recipe().timing.tokens["en"].got_its
    assert resumption.spoken == "Below minus ten it hardly works."
    about = (
        "Is the freezing what matters?",
        "What kind of salt?",
    )  # the rest; the sentence that is claimed to be known
    for asked in about:
        assert not any(u.kind == "insert" for u in script(only("got_it"), texts=(*texts, asked)).utterances)
    short = ("Why?", "Salt melts any ice, because it does. Below minus ten it hardly works.")
    assert not any(u.kind == "insert" for u in script(only("got_it"), texts=short).utterances)


def test_dialogues_of_one_turn_each_are_interrupted_too():
    """Single-turn data, such as instructions and answers, has no next turn, but all other families."""
    for family in FAMILIES:
        found = [u.barge_in.family for u in script(only(family), texts=TEXTS[:2]).utterances if u.barge_in]
        expected = [family] if family not in ("next_turn", "got_it") else []
        assert found == expected


def test_lengths_may_be_zero_and_are_never_negative():
    least, below = "{kind: constant, value: 0}", "{kind: uniform, low: -900, high: -800}"
    for family in ("next_turn", "wait_request", "stop_request"):
        s = script(
            only(family),
            f"timing.barge_in.reaction={least}",
            f"timing.barge_in.delay={below}",
            f"timing.barge_in.wait={least}",
            f"timing.barge_in.pause={least}",
            f"timing.hesitation={{probability: 1, pause: {least}, filler_probability: 1, filler_delay: {least}}}",
            f"timing.false_start={{probability: 1, break_off: {least}}}",
            texts=ELSE if family == "stop_request" else TEXTS,
        )
        assert {(u.barge_in.reaction_samples, u.barge_in.delay_samples) for u in s.utterances if u.barge_in} == {(0, 0)}
        assert {u.within.give_up_samples for u in s.utterances if u.within} == {0}
        assert {u.offset_samples for u in s.utterances if u.event == "hesitation" or u.kind == "filler"} <= {0}
        assert {u.offset_samples for u in s.utterances if u.event == "waiting"} <= {0}
        if family == "stop_request":
            assert [u.offset_samples for before, u in pairwise(s.utterances) if before.kind == "insert"] == [0]


def test_the_shortest_turn_that_may_hesitate():
    s = script("timing.hesitation={probability: 1, min_words: 3}", texts=("One two three.", ANSWER))
    assert [u.spoken for u in s.utterances if u.turn == 0] == ["One two", "three."]


def test_a_competition_lasts_as_long_as_asked_and_is_with_the_next_turn_only():
    rule = (
        "timing.barge_in.competition_probability=1",
        "timing.barge_in.competition=900",
        "timing.barge_in.reaction=100",
    )
    (barge_in,) = [u.barge_in for u in script(only("next_turn"), *rule, texts=TEXTS).utterances if u.barge_in]
    assert (barge_in.competition, barge_in.reaction_samples) == (True, 900 * 24)
    waits = [u.barge_in for u in script(only("wait_request"), *rule, texts=TEXTS).utterances if u.barge_in]
    assert {(barge_in.competition, barge_in.reaction_samples) for barge_in in waits} == {(False, 100 * 24)}


@pytest.mark.parametrize(("event", "kind"), [("false_start", "attempt"), ("aside", "aside")])
def test_false_starts_and_asides_are_the_users_and_need_a_long_turn(event, kind):
    rule = f"timing.{event}={{probability: 1, min_words: 12}}"
    found = of(script(rule), event)
    assert [(u.role, u.turn, u.kind) for u in found] == [("user", 1, kind), ("user", 3, kind)]
    assert not of(script(rule, texts=(LONG, "Yes, you do.")), event)
    tokens = make_recipe().timing.tokens["en"]
    assert all(u.spoken in (tokens.false_starts if event == "false_start" else tokens.asides) for u in found)


def test_a_false_start_breaks_off_as_asked_and_an_aside_is_said_to_its_end():
    (start, *_) = of(script("timing.false_start={probability: 1, break_off: 200}"), "false_start")
    (aside, *_) = of(script("timing.aside={probability: 1}"), "aside")
    assert (start.within.give_up_samples, aside.within.give_up_samples) == (4800, None)


def test_the_assistant_shows_that_it_listens_by_continuers_only():
    found = of(
        script("timing.backchannel={assistant_probability: 1, user_probability: 1, min_words: 3}"), "backchannel"
    )
    tokens = make_recipe().timing.tokens["en"]
    assert {u.spoken for u in found if u.role == "assistant"} <= set(tokens.continuers)
    assert any(u.role == "assistant" for u in found)


@pytest.mark.parametrize("profile", profiles())
def test_no_profile_makes_the_assistant_respond_start_in_vain_or_interrupt(profile):
    for seed in range(6):
        s = script(f"timing={{profile: {profile}}}", f"seed={seed}", texts=TEXTS)
        assert {u.kind for u in s.utterances if u.role == "assistant"} <= {"turn", "resumption", "insert"}
        assert not any(u.barge_in for u in s.utterances if u.role == "assistant")
        assert {u.event for u in s.utterances if u.role == "assistant" and u.kind == "insert"} <= {"prompt"}


def test_forms_come_again_only_when_all_have_come():
    texts = (LONG, ANSWER) * 12
    found = of(script("timing.aside={probability: 1}", texts=texts), "aside")
    assert len({u.spoken for u in found}) == len(found) == 12


def test_who_answers_with_yes_or_no_is_not_asked_whether_they_are_there():
    rule = "timing.silence={probability: 1, prompt_probability: 1}", "timing.barge_in.probability=0"
    assert of(script(*rule, texts=(LONG, "Is it open?", "It is.", ANSWER)), "prompt")
    for answer in ("No, it is closed.", "Yes."):
        assert not of(script(*rule, texts=(LONG, "Is it open?", answer, ANSWER)), "prompt")


def test_a_value_is_corrected_by_its_speaker():
    s = script("timing.correction={probability: 1}", texts=("Can we meet at three o'clock?", ANSWER))
    (turn, *_) = s.utterances
    wrong, right = turn.correction
    assert turn.text == "Can we meet at three o'clock?"
    assert turn.spoken[right:] == " o'clock?"
    assert turn.spoken[:right].endswith("at three")
    assert not turn.spoken[wrong:].startswith("three")
    assert script("timing.correction={probability: 1}", texts=(LONG, "It is three.")).utterances[1].correction is None
    offered = script("timing.correction={probability: 1}", texts=(LONG, "At three?", "Let us say three."))
    assert not any(u.correction for u in offered.utterances)


def test_a_silent_user_is_asked_once_or_waited_for():
    rule = "timing.silence={probability: 1, silence: 5000, prompt_probability: %s}"
    calm = "timing.barge_in.probability=0"
    waited = script(rule % 0, calm)
    assert [(u.event, u.offset_samples) for u in waited.utterances if u.turn == 2] == [("user_silent", 120_000)]
    prompt, answer = [u for u in script(rule % 1, calm).utterances if u.turn == 2]
    assert (prompt.role, prompt.kind, prompt.event, prompt.offset_samples) == ("assistant", "insert", "prompt", 120_000)
    assert (answer.role, answer.event) == ("user", "")


def test_without_words_of_a_language_nothing_needs_them():
    s = script(
        "timing={profile: hard}", texts=("Ja, das ist es wohl, und ich bin ganz deiner Meinung.",) * 4, language="de"
    )
    assert {(u.kind, u.event) for u in s.utterances} <= {("turn", ""), ("turn", "hesitation"), ("turn", "user_silent")}


ON = {
    "hesitation": "timing.hesitation={probability: 1, min_words: 5, filler_probability: 1, restart_probability: 1}",
    "backchannel": "timing.backchannel={user_probability: 0.6, assistant_probability: 0.6}",
    "false_start": "timing.false_start={probability: 1}",
    "aside": "timing.aside={probability: 1}",
    "barge_in": only("next_turn"),
}


@pytest.mark.parametrize("switched", ON)
@pytest.mark.parametrize("name", ["d1", "d2", "d3"])
def test_no_behaviour_shifts_another(switched, name):
    """With one behaviour off, all others are drawn as before, word for word and sample for sample."""
    off = ("timing.barge_in.probability=0", *(rule for k, rule in ON.items() if k != switched))
    with_it, without = (script(*off, *more, id=name, texts=TEXTS) for more in ((ON[switched],), ()))

    def seen(s: Script) -> set[tuple[object, ...]]:
        found = set()
        for u in s.utterances:
            if u.kind not in FLOOR and switched not in (u.kind, u.event):
                found.add((u.turn, u.role, u.spoken, u.event, u.within.delay_samples, u.within.give_up_samples))
            elif u.text:
                barge_in = None if switched == "barge_in" else u.barge_in
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
        assert u.role == s.dialogue.turns[u.turn].role or u.kind == "insert" or u.kind not in FLOOR
