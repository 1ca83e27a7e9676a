"""Scripts: every decision keyed on its own, splits by id, voices kept apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.engines.base import Voice
from datagen.pipeline.script.casting import kept_apart, voices_by_language, voices_by_split
from datagen.pipeline.script.script import WriteScript, split_of
from datagen.recipe import SplitsConfig
from datagen.records import Dialogue, Reject, Script, Turn
from tests.conftest import dialogue, known, make_recipe, pools_of

VOICES = [f"v{k}" for k in range(8)]
VOICES_OF_MANY = [f"voice-{k}" for k in range(12)]


def script(d: Dialogue, *overrides: str) -> Script | Reject:
    recipe = make_recipe(*overrides)
    return WriteScript(recipe, pools_of(recipe, *VOICES))(d)


def talk(id: str = "d1") -> Dialogue:
    return dialogue("Hi there.", "It costs $5.", "Really?", "Yes.", "Great, thanks.", "Bye now.", id=id)


ALWAYS_NEXT = "timing.barge_in.families={next_turn: 1, stop_request: 0}"


def slow_talk(id: str = "d1") -> Dialogue:
    """Turns of which each next one refers to the beginning."""
    slow = "The train is late again, because it snows, and nobody knows when it will arrive."
    quiet = "The night train is quiet, and nobody talks at all while the others sleep."
    return dialogue("Where are you?", slow, "Which train is it?", quiet, "A train at night?", "Yes.", id=id)


def test_text_is_spoken_and_the_original_is_kept():
    utterance = script(talk()).utterances[1]
    assert (utterance.text, utterance.spoken) == ("It costs $5.", "It costs five dollars.")


def test_the_assistant_has_one_voice_and_each_user_one_of_its_split():
    found = [script(talk(f"d{k}")) for k in range(200)]
    users: dict[str, set[str]] = {}
    for s in found:
        assert {u.voice for u in s.utterances if u.role == "assistant"} == {"tone-0"}
        (voice,) = {u.voice for u in s.utterances if u.role == "user"}
        users.setdefault(s.split, set()).add(voice)
    assert users["train"] == set(voices_by_split(known(*VOICES), SplitsConfig(validation=0.1, test=0.1))["train"])
    assert not users["train"] & (users["validation"] | users["test"])


def test_the_users_first_turn_never_interrupts_and_the_assistants_never_do():
    s = script(slow_talk(), "timing.barge_in.probability=1", ALWAYS_NEXT)
    assert [u.barge_in is not None for u in s.utterances] == [False, False, True, False, True, False]
    s = script(talk(), "timing.barge_in.probability=0")
    assert not any(u.barge_in for u in s.utterances)


def test_barge_ins_come_as_often_as_asked():
    found = [script(slow_talk(f"d{k}"), "timing.barge_in.probability=0.25", ALWAYS_NEXT) for k in range(300)]
    drawn = [u.barge_in is not None for s in found for u in s.utterances[2::2]]
    assert 0.2 < sum(drawn) / len(drawn) < 0.3


def test_offsets_follow_their_distributions_in_samples():
    fixed = ("timing.lead_in=100", "timing.assistant_fto=200", "timing.user_fto=300")
    assert [u.offset_samples for u in script(talk(), *fixed).utterances] == [2400, 4800, 7200, 4800, 7200, 4800]
    spread = [script(talk(f"d{k}"), "timing.assistant_fto={kind: uniform, low: 100, high: 200}") for k in range(50)]
    offsets = [s.utterances[1].offset_samples for s in spread]
    assert 2400 <= min(offsets) < 2900 < 4300 < max(offsets) <= 4800


def test_no_draw_of_one_decision_shifts_another():
    plain = script(talk(), "timing.barge_in.probability=0")
    busy = script(talk(), "timing.barge_in.probability=1", "timing.barge_in.reaction=999", "timing.user_fto=1")
    assert [u.voice for u in plain.utterances] == [u.voice for u in busy.utterances]
    assert [u.offset_samples for u in plain.utterances[1::2]] == [u.offset_samples for u in busy.utterances[1::2]]
    assert plain.utterances[0] == busy.utterances[0]
    longer = script(dialogue(*[t.text for t in talk().turns], "More?", "No."))
    assert longer.utterances[:6] == script(talk()).utterances


def test_another_seed_or_dialogue_draws_anew():
    first = [u.offset_samples for u in script(talk()).utterances]
    assert first != [u.offset_samples for u in script(talk("d2")).utterances]
    assert first != [u.offset_samples for u in script(talk(), "seed=8").utterances]
    assert first == [u.offset_samples for u in script(talk()).utterances]


def test_a_turn_without_anything_to_say_is_a_reject_that_names_it():
    found = script(dialogue("Hello.", "***"))
    assert isinstance(found, Reject)
    assert (found.reason, found.detail) == ("unspeakable", "turn 1 (assistant) has nothing to say aloud")


@given(st.sets(st.text(min_size=1, max_size=6), min_size=3, max_size=40), st.floats(0, 0.4), st.floats(0, 0.4))
def test_no_voice_is_in_two_splits_and_none_is_left_out(voices, validation, test):
    splits = SplitsConfig(validation=validation, test=test)
    try:
        pools = voices_by_split(known(*voices), splits)
    except ValueError:
        return
    dealt = [voice for pool in pools.values() for voice in pool]
    assert sorted(dealt) == sorted(voices)
    assert pools["train"]
    assert all(bool(pools[name]) == (share > 0) for name, share in (("validation", validation), ("test", test)))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.floats(0, 0.4), st.floats(0, 0.4), st.booleans())
def test_no_speaker_is_in_two_splits_whatever_voices_they_have(whose, validation, test, share):
    speakers = {f"v{k}": f"s{speaker}" for k, speaker in enumerate(whose)}
    splits = SplitsConfig(validation=validation, test=test, share_voices=share)
    try:
        pools = voices_by_split([Voice(name, speaker, ("en",), "") for name, speaker in speakers.items()], splits)
    except ValueError:  # as it is with one voice a speaker
        with pytest.raises(ValueError, match=f"of {len(set(whose))} speaker"):
            voices_by_split(known(*set(speakers.values())), splits)
        return
    if share:
        assert all(sorted(pool) == sorted(speakers) for pool in pools.values())
        return
    assert sorted(voice for pool in pools.values() for voice in pool) == sorted(speakers)
    heard = [{speakers[voice] for voice in pool} for pool in pools.values()]
    assert sum(map(len, heard)) == len(set(whose))
    held_out = [whose.count(int(speaker[1:])) for pool in heard[:2] for speaker in pool]
    assert max(held_out, default=0) <= min(whose.count(int(speaker[1:])) for speaker in heard[2])


def test_shades_of_one_speaker_are_dealt_as_speakers_where_nobody_else_speaks_the_language():
    splits, shades = SplitsConfig(), [Voice(name, "heart", ("en",), "") for name in VOICES]
    pools = voices_by_language(shades, splits, ["en"])
    assert pools["en"] == voices_by_split(known(*VOICES), splits)
    assert kept_apart(shades, splits, ["en"]) == "voices"
    other = [Voice(f"k{k}", f"k{k}", ("en",), "") for k in range(3)]
    mixed = voices_by_language([*shades, *other], splits, ["en"])["en"]
    assert {*VOICES} < {*mixed["train"]}  # the speaker of many voices is never held out
    assert kept_apart([*shades, *other], splits, ["en"]) == "speakers"
    assert kept_apart(known("a"), splits, ["en"]) == "speakers"


@given(st.integers(1, 12), st.integers(1, 60), st.integers(0, 2**32))
def test_dealt_evenly_no_voice_is_heard_twice_more_than_another(n_voices, n_dialogues, seed):
    recipe = make_recipe("voices.deal=even", "splits={validation: 0, test: 0}", f"seed={seed}")
    stage = WriteScript(recipe, pools_of(recipe, *VOICES_OF_MANY[:n_voices]))
    dealt = [stage(Dialogue(f"d{k}", (Turn("user", "Hi."),), record=k)) for k in range(n_dialogues)]
    voices = [s.utterances[0].voice for s in dealt]
    counts = [voices.count(voice) for voice in VOICES_OF_MANY[:n_voices]]
    assert max(counts) - min(counts) <= 1
    again = stage(Dialogue("other", (Turn("user", "Hi."),), record=n_dialogues - 1))
    assert again.utterances[0].voice == voices[-1]  # by its place, whoever comes before or beside it


def test_dealt_evenly_the_order_is_drawn_anew_each_turn():
    recipe = make_recipe("voices.deal=even", "splits={validation: 0, test: 0}")
    stage = WriteScript(recipe, pools_of(recipe, *VOICES))
    dealt = [stage(Dialogue("d", (Turn("user", "Hi."),), record=k)).utterances[0].voice for k in range(32)]
    assert len({tuple(dealt[k : k + 8]) for k in range(0, 32, 8)}) == 4


def test_too_few_voices_are_refused_unless_they_may_be_shared():
    with pytest.raises(ValueError, match="user voices of 2 speakers are too few for separate splits"):
        voices_by_split(known("a", "b"), SplitsConfig())
    pools = voices_by_split(known("a", "b"), SplitsConfig(share_voices=True))
    assert all(sorted(pool) == ["a", "b"] for pool in pools.values())


def test_a_dialogue_is_where_its_group_is():
    recipe = make_recipe("splits={validation: 0.4, test: 0.4}")
    stage, turns = WriteScript(recipe, pools_of(recipe, *VOICES)), (Turn("user", "Hi."),)
    for group in ("", *map(str, range(20))):
        found = stage(Dialogue(f"d{group}", turns, group=group))
        assert found.split == split_of(group or "d", recipe.splits)


def test_splits_have_their_shares_and_depend_on_the_id_alone():
    found = [split_of(f"id-{k}", SplitsConfig(validation=0.1, test=0.2)) for k in range(4000)]
    assert 0.08 < found.count("validation") / 4000 < 0.12
    assert 0.18 < found.count("test") / 4000 < 0.22
    assert all(
        split_of(f"id-{k}", SplitsConfig(validation=0.1, test=0.3)) == "validation"
        for k, s in enumerate(found)
        if s == "validation"
    )
