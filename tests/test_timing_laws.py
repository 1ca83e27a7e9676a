"""From dialogue to streams with every behaviour: the laws of time hold, and nothing scripted is lost in silence."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.pipeline.pipeline import Pipeline
from datagen.recipe.timing_config import profiles
from datagen.records import FLOOR, Dialogue, Script, Streams, Turn
from datagen.shards.laws import conversation_faults
from tests.conftest import make_recipe

ENGLISH = st.lists(
    st.sampled_from(["well,", "the", "garden", "is", "mine.", "and", "why?", "I", "cannot", "tell"]),
    min_size=1,
    max_size=30,
)
CHINESE = st.lists(
    st.sampled_from(["我", "今天", "去，", "公园", "看看。", "你", "觉得", "怎么样？"]), min_size=1, max_size=20
)


@st.composite
def dialogues(draw) -> Dialogue:
    language, words, space = draw(st.sampled_from([("en", ENGLISH, " "), ("zh", CHINESE, "")]))
    texts = draw(st.lists(words.map(space.join), min_size=1, max_size=6))
    turns = tuple(Turn("assistant" if k % 2 else "user", text) for k, text in enumerate(texts))
    return Dialogue("d1", turns, "test", language)


def made(profile: str, dialogue: Dialogue, seed: int = 0) -> tuple[Script, Streams, Pipeline]:
    build = Pipeline(make_recipe(f"timing={{profile: {profile}}}", f"seed={seed}", "mix.noise=[]"))
    _, write, *others = build.steps()
    script = write.make()(dialogue)
    item = script
    for step in others:
        item = step.make()(item)
    return script, item, build


@pytest.mark.parametrize("profile", profiles())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(dialogues(), st.integers(0, 10**6))
def test_laws_of_time(profile, dialogue, seed):
    script, streams, build = made(profile, dialogue, seed)
    assert list(conversation_faults(streams, build.hop, build.speech_tokenizer.codebook_sizes)) == []
    assert [(u.role, u.kind, u.spoken) for u in streams.utterances] == [
        (u.role, u.kind, u.spoken) for u in script.utterances
    ]
    named = [{e.kind for e in streams.events if e.utterance == k} for k in range(len(script.utterances))]
    floor = [k for k, u in enumerate(script.utterances) if u.kind in FLOOR]
    for k, u in enumerate(script.utterances):
        assert not u.event or u.event in named[k]
        assert (u.barge_in is not None) == ("barge_in" in named[k])
    for before, after in pairwise(floor):
        if script.utterances[before].role != script.utterances[after].role:
            assert named[after] & {"gap", "overlapping_end", "barge_in", "user_silent"}
    for event in streams.events:
        if (event.kind, event.placed) == ("barge_in", True):
            other = next(k for k in reversed(floor) if k < event.utterance)
            assert streams.utterances[other].unsaid


TALK = Dialogue(
    "d1",
    tuple(
        Turn(
            "assistant" if k % 2 else "user",
            f"number {name} follows the others, which is easy to see, and nobody asked for it before today, or will."
            if k % 2
            else f"please say more about number {name}, and do not hurry, for the train leaves much later.",
        )
        for k, name in enumerate(("one", "two", "three", "four", "five", "six"))
    ),
    "test",
    "en",
)


def test_half_duplex_has_no_overlap():
    for seed in range(20):
        _, streams, _ = made("half_duplex", TALK, seed)
        ends = 0
        for u in streams.utterances:
            assert u.start_samples >= ends
            ends = u.end_samples


def test_profiles_differ_in_time_and_not_in_what_is_said():
    """Same dialogue, same seed: the turns' words and voices are those of every profile."""
    found = {name: made(name, TALK)[1] for name in profiles()}
    written = {name: [u.text for u in s.utterances if u.text] for name, s in found.items()}
    assert len({tuple(texts) for texts in written.values()}) == 1
    assert len({tuple(u.start_samples for u in s.utterances) for s in found.values()}) == len(found)
    kinds = {name: {e.kind for seed in range(20) for e in made(name, TALK, seed)[1].events} for name in profiles()}
    assert kinds["half_duplex"] == {"gap"}
    assert kinds["omniflatten"] == {"gap", "barge_in", "next_turn"}
    more = {"backchannel", "hesitation", "overlapping_end", "false_start", "wait_request", "waiting", "repeat_request"}
    assert more | kinds["omniflatten"] <= kinds["natural"] <= kinds["hard"] | {"competition"}
    assert "aside" in kinds["hard"]


def test_the_same_seed_gives_the_same_streams():
    first, second = (made("hard", TALK, 3)[1] for _ in range(2))
    assert first.events == second.events
    assert first.user_codes.tobytes() == second.user_codes.tobytes()
    assert first.events != made("hard", TALK, 4)[1].events
