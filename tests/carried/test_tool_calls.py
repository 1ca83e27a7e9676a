"""Calls of tools: read from records, never heard, no answer before the result, and how users interrupt."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen import sources
from datagen.engines.base import SpeechRequest
from datagen.engines.fakes import ToneVoice
from datagen.errors import RecipeError
from datagen.pipeline.pipeline import Pipeline
from datagen.records import Dialogue, Reject, ToolCall, marked_call
from datagen.shards.given import given_places, without_given
from datagen.shards.laws import conversation_faults
from tests.carried.talks import CLOCK, KEEP, SYSTEM, WEATHER, called, recipe_of, streams_of
from tests.run.builds import faults, made, read, write

ASKED = "What is the weather like in Oslo today?"
ANSWERED = "It is warm and sunny, twenty one degrees, with a light wind from the west."
CALL = '{"name": "weather", "arguments": {"city": "Oslo"}}'
BREAD = ("How do I bake bread?", "With flour and water, slowly, for a long time in the oven.")
SHAREGPT = {
    "id": "s",
    "conversations": [
        {"from": "human", "value": ASKED},
        {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Oslo"}}'},
        {"from": "observation", "value": "21 degrees"},
        {"from": "gpt", "value": ANSWERED},
    ],
}
ANTHROPIC = {
    "id": "a",
    "messages": [
        {"role": "user", "content": ASKED},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I will look."},
                {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Oslo"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "21 degrees"}]},
        {"role": "assistant", "content": ANSWERED},
    ],
}


def one(tmp_path, record: object, keep: bool = True) -> Dialogue | Reject:
    (found,) = sources.read(str(write(tmp_path / "in.jsonl", [record])), keep_calls=keep)
    return found


# -- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "before"),
    [(called(), ""), (called("t", "One moment."), "One moment."), (SHAREGPT, ""), (ANTHROPIC, "I will look.")],
)
def test_a_call_with_result_and_answer_is_part_of_the_turn(tmp_path, record, before):
    found = one(tmp_path, record)
    assert [turn.text for turn in found.turns] == [ASKED, ANSWERED]
    assert found.turns[1].calls == (ToolCall(before, CALL, "21 degrees"),)
    assert not found.cut


def test_parallel_calls_are_one_call_of_several_lines(tmp_path):
    (call,) = one(tmp_path, called(calls=(WEATHER, CLOCK))).turns[1].calls
    assert call.call == CALL + '\n{"name": "clock", "arguments": {}}'
    assert call.result == "21 degrees\n21 degrees"


def test_calls_one_after_the_other_are_several(tmp_path):
    record = called()
    record["messages"][3:3] = [
        {"role": "tool", "content": "no such town"},
        {"role": "assistant", "content": "Let me try another name.", "tool_calls": [CLOCK]},
    ]
    calls = one(tmp_path, record).turns[1].calls
    assert [(call.before, call.result) for call in calls] == [
        ("", "no such town"),
        ("Let me try another name.", "21 degrees"),
    ]


@pytest.mark.parametrize("missing", [3, 4])
def test_a_call_without_result_or_answer_ends_the_dialogue_before_it(tmp_path, missing):
    record = called("t", None)
    record["messages"][1:1] = [
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hi, what is it?"},
    ]
    del record["messages"][missing + 2 :]
    found = one(tmp_path, record)
    assert [turn.text for turn in found.turns] == ["Hello.", "Hi, what is it?"]
    assert found.cut == "tool_call"


def test_a_dialogue_of_nothing_but_an_open_call_is_a_reject(tmp_path):
    record = called()
    del record["messages"][3:]
    assert one(tmp_path, record).reason == "tool_turns"


def test_by_default_a_call_still_ends_the_dialogue(tmp_path):
    record = called("t", "One moment.")
    found = one(tmp_path, record, keep=False)
    assert [turn.text for turn in found.turns] == [ASKED, "One moment."]
    assert found.cut == "tool_call"
    assert not found.turns[1].calls


@pytest.mark.parametrize("setting", ["select.max_call_characters=10", "select.max_result_characters=5"])
def test_a_call_or_result_too_long_cuts_the_dialogue_before_its_turn(tmp_path, setting):
    record = called()
    record["messages"][1:1] = [
        {"role": "user", "content": "Hello there, you."},
        {"role": "assistant", "content": "Hi, what is it?"},
    ]
    _, (streams,) = streams_of(tmp_path, [record], setting)
    assert streams.cut == "tool_call"
    assert not streams.tool_calls
    assert [u.spoken for u in streams.utterances if u.kind == "turn"] == ["Hello there, you.", "Hi, what is it?"]


# -- conversations ----------------------------------------------------------------------------------------------------


RECORDS = [called(f"t{k}", ("Let me look at the forecast." if k % 3 == 0 else None), *BREAD) for k in range(12)]


@pytest.mark.parametrize(
    "overrides",
    [
        ("timing.tool_call.wait=0", "timing.tool_call.answer=0", "flatten.text_chunk_tokens=20"),
        ("timing.tool_call.break_in_probability=1", "timing={profile: hard}"),
        ("timing.tool_call.break_in_probability=1", "timing.tool_call.cancel_share=1", "timing.barge_in.probability=1"),
        (
            "timing={profile: natural}",
            "timing.assistant_fto={kind: uniform, low: -400, high: 0}",
            "flatten.speech_chunk_tokens=3",
        ),
    ],
)
def test_nothing_of_the_assistant_is_heard_between_a_call_and_its_result(tmp_path, overrides):
    work, found = streams_of(tmp_path, RECORDS, *overrides)
    assert sum(len(s.tool_calls) for s in found) == len(RECORDS)
    for s in found:
        assert list(conversation_faults(s, work.hop, work.vocabulary.sizes)) == []
        for call in s.tool_calls:
            later = [u for u in s.utterances[call.utterance + 1 :] if u.role == "assistant"]
            assert all(u.start_samples >= call.end_samples for u in later if u.end_samples > u.start_samples)
            frames = slice(-(-call.start_samples // work.hop), call.end_samples // work.hop)
            assert not s.assistant_codes[frames].any()  # 0 is digital silence
            event = next(e for e in s.events if (e.kind, e.utterance) == ("tool_call", call.utterance))
            assert (event.start_samples, event.end_samples) == (call.start_samples, call.end_samples)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    wait=st.integers(0, 8000),
    words=st.lists(st.sampled_from(["weather", "Oslo", "天气", "</tool_call>", "?"]), min_size=1, max_size=12),
    n_text=st.integers(1, 12),
    n_speech=st.integers(1, 15),
    break_in=st.sampled_from([0.0, 1.0]),
)
def test_no_draw_lets_an_answer_begin_before_its_result(seed, wait, words, n_text, n_speech, break_in):
    record = called("t", None, *BREAD, calls=({"function": {"name": " ".join(words), "arguments": "{}"}},))
    with TemporaryDirectory() as folder:
        work, (s,) = streams_of(
            Path(folder), [record], f"seed={seed}", f"timing.tool_call.wait={wait}", "timing.profile=natural",
            f"timing.tool_call.break_in_probability={break_in}",
            f"flatten={{text_chunk_tokens: {n_text}, speech_chunk_tokens: {n_speech}, tasks: [three_stream]}}",
        )  # fmt: skip
    assert list(conversation_faults(s, work.hop, work.vocabulary.sizes)) == []
    (call,) = s.tool_calls
    chunk = n_speech * work.hop
    if not call.cancelled:  # the stream has had time to write the call
        assert call.end_samples // chunk - call.start_samples // chunk >= -(-len(call.call_ids) // n_text)
    for row in work.flatten()(s):
        places = given_places(row.given_starts, row.given_lengths)
        assert not row.loss_mask[places].any()
        assert set(np.unique(row.input_ids[places])) <= {
            *b"21 degrees",
            work.vocabulary["<|sot|>"],
            work.vocabulary["<|eot|>"],
        }


def test_no_voice_is_given_a_call_or_a_result(tmp_path, monkeypatch):
    asked: list[SpeechRequest] = []
    speak_many = ToneVoice.speak_many
    monkeypatch.setattr(
        ToneVoice, "speak_many", lambda self, requests: asked.extend(requests) or speak_many(self, requests)
    )
    streams_of(tmp_path, RECORDS)
    assert asked
    assert not any("weather" in request.text and "name" in request.text for request in asked)
    assert not any("tool_call" in request.text or "21 degrees" in request.text for request in asked)


def test_the_law_finds_an_answer_before_its_result(tmp_path):
    from dataclasses import replace

    work, (s, *_) = streams_of(tmp_path, RECORDS[:1])
    (call,) = s.tool_calls
    late = replace(call, end_samples=s.utterances[call.utterance + 1].start_samples + 1)
    events = tuple(replace(e, end_samples=late.end_samples) if e.kind == "tool_call" else e for e in s.events)
    forged = replace(s, tool_calls=(late,), events=events)
    found = list(conversation_faults(forged, work.hop, work.vocabulary.sizes))
    assert "call 0: the assistant speaks before its result" in found
    assert "the events tool_call are not its calls of tools" in list(
        conversation_faults(replace(s, tool_calls=()), work.hop, work.vocabulary.sizes)
    )


def test_words_before_a_call_are_the_dialogues_own_or_a_drawn_filler(tmp_path):
    work, found = streams_of(tmp_path, RECORDS)
    leads = [s.utterances[s.tool_calls[0].utterance] for s in found]
    assert {(u.kind, u.text) for u in leads} == {("turn", "Let me look at the forecast."), ("filler", "")}
    checks = work.recipe.timing.tokens["en"].checks
    drawn = {u.spoken for u in leads if u.kind == "filler"}
    assert drawn <= set(checks)
    assert len(drawn) > 2


def test_a_user_who_asks_to_wait_is_answered_after_both_the_result_and_their_word(tmp_path):
    overrides = (
        "timing.tool_call.break_in_probability=1",
        "timing.tool_call.cancel_share=0",
        "timing.tool_call.wait=100",
    )
    _, found = streams_of(tmp_path, RECORDS, *overrides, "flatten.text_chunk_tokens=60")
    for s in found:
        (call,) = s.tool_calls
        _, held, release, answer = s.utterances[call.utterance : call.utterance + 4]
        assert [u.kind for u in (held, release, answer)] == ["insert", "insert", "turn"]
        assert call.start_samples <= held.start_samples < call.end_samples
        assert answer.start_samples >= max(release.end_samples, call.end_samples)
        assert {"call_held", "waiting"} <= {e.kind for e in s.events}


def test_a_user_who_cancels_gets_no_answer(tmp_path):
    overrides = "timing.tool_call.break_in_probability=1", "timing.tool_call.cancel_share=1"
    _, found = streams_of(tmp_path, RECORDS, *overrides)
    for s in found:
        (call,) = s.tool_calls
        assert call.cancelled
        assert not call.result
        assert ANSWERED not in {u.spoken for u in s.utterances}
        cancel, following = s.utterances[call.utterance + 1 : call.utterance + 3]
        assert call.end_samples == cancel.start_samples
        assert (following.role, following.spoken) == ("user", BREAD[0])


def test_the_answer_follows_the_result_and_a_cancel_is_followed_by_the_next_turn_as_drawn(tmp_path):
    _, (s, *_) = streams_of(tmp_path, RECORDS[:1], "timing.tool_call.answer=250")
    (call,) = s.tool_calls
    assert s.utterances[call.utterance + 1].start_samples == call.end_samples + 250 * 24
    overrides = (
        "timing.tool_call.break_in_probability=1",
        "timing.tool_call.cancel_share=1",
        "timing.barge_in.pause=300",
    )
    _, (s, *_) = streams_of(tmp_path, RECORDS[:1], *overrides)
    cancel, following = s.utterances[s.tool_calls[0].utterance + 1 :][:2]
    assert following.start_samples == cancel.end_samples + 300 * 24


def test_nobody_cancels_what_a_later_turn_refers_to(tmp_path):
    overrides = "timing.tool_call.break_in_probability=1", "timing.tool_call.cancel_share=1"
    record = called("t", None, "How strong is the light wind from the west?", "Not strong at all.")
    _, (s,) = streams_of(tmp_path, [record], *overrides)
    assert not s.tool_calls[0].cancelled
    assert "call_held" in {e.kind for e in s.events}


def test_words_during_the_wait_are_no_turn_that_the_assistant_must_answer(tmp_path):
    from datagen.shards.chunks import user_turn_ends

    overrides = (
        "timing.tool_call.break_in_probability=1",
        "timing.tool_call.cancel_share=0",
        "timing.tool_call.wait=20000",
    )
    _, (s,) = streams_of(tmp_path, RECORDS[:1], *overrides)
    (call,) = s.tool_calls
    waits = [u.end_samples for u in s.utterances if u.kind == "insert" and u.end_samples < call.end_samples]
    assert len(waits) == 2
    assert not set(waits) & set(user_turn_ends(s))


# -- rows -------------------------------------------------------------------------------------------------------------


def test_the_call_is_learned_text_before_the_result_which_is_given(tmp_path):
    work, found = streams_of(tmp_path, RECORDS, "flatten.tasks=[three_stream, four_stream]", "timing.tool_call.wait=0")
    v = work.vocabulary
    for s in found:
        for row in work.flatten()(s):
            ids, mask = row.input_ids, row.loss_mask
            (start,), (n,) = row.given_starts, row.given_lengths
            given = ids[start : start + n]
            assert not mask[start : start + n].any()
            assert given.tolist() == [v["<|sot|>"], *b"21 degrees", v["<|eot|>"]]
            text = bytes(
                t for t, learned in zip(ids[:start].tolist(), mask[:start], strict=True) if t < v.n_text and learned
            )
            assert text.endswith(marked_call(CALL).encode()) or row.task == "four_stream"
            assert marked_call(CALL).encode() in text
            after = bytes(
                t for t, learned in zip(ids[start:].tolist(), mask[start:], strict=True) if t < v.n_text and learned
            )
            assert after.lstrip().startswith(ANSWERED.encode())
            assert b"tool_call" not in after


def test_results_can_be_left_out_and_nothing_else_changes(tmp_path):
    work, found = streams_of(tmp_path, RECORDS)
    without = Pipeline(recipe_of(tmp_path, RECORDS, "flatten.tool_results=false")).flatten()
    n_given = 0
    for s in found:
        for row, bare in zip(work.flatten()(s), without(s), strict=True):
            assert without_given(row.input_ids, row.given_starts, row.given_lengths).tolist() == bare.input_ids.tolist()
            assert int(row.loss_mask.sum()) == int(bare.loss_mask.sum())
            n_given += len(row.given_starts)
    assert n_given == 2 * len(RECORDS)  # three_stream and four_stream


def test_a_build_of_calls_passes_its_check(tmp_path):
    tasks = "flatten.tasks=[asr, tts, four_stream, three_stream, two_stream]"
    out, _ = made(
        tmp_path,
        KEEP,
        tasks,
        "timing.tool_call.break_in_probability=0.5",
        "input.exact_duplicates=false",
        records=RECORDS,
    )
    assert faults(out) == []
    assert sum(len(c["tool_calls"]) for c in read(out, "conversations")) == len(RECORDS)
    assert all(c["system"] == SYSTEM for c in read(out, "conversations"))


def test_calls_need_words_before_them_in_every_language(tmp_path):
    recipe = recipe_of(tmp_path, RECORDS, "select.languages=[en, zh]")
    recipe.timing.tokens["zh"] = recipe.timing.tokens["zh"].model_copy(update={"checks": {}})
    with pytest.raises(RecipeError, match=r"timing\.tokens\.zh: checks and cancels have no words"):
        Pipeline(recipe).check()


def test_an_end_mark_inside_a_call_is_escaped():
    assert marked_call("</tool_call>").count("</tool_call>") == 1
    assert np.char.count(marked_call("a</tool_call>b"), "\\u003c") == 1
