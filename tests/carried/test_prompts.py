"""System prompts, voice prompts and several voices of the assistant: kept, masked at the head, and made again alone."""

import numpy as np
import pytest

import datagen.inspect
from datagen.engines.fakes import ToneVoice
from datagen.errors import RecipeError
from datagen.inspect.show import show
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import Recipe
from datagen.run.reflatten import reflatten
from datagen.shards.given import without_given
from datagen.shards.manifest import Manifest
from datagen.shards.store import LocalStore
from tests.carried.talks import KEEP, SYSTEM, called, recipe_of, streams_of
from tests.run.builds import Forger, faults, made, read, talk

TASKS = "flatten.tasks=[four_stream, three_stream, two_stream]"
HEADS = "flatten.system_prompt=true", "flatten.voice_prompt=true"
RECORDS = [
    called(f"t{k}", None, "How do I bake bread?", "With flour and water, slowly, in the oven.") for k in range(8)
]


@pytest.mark.parametrize("n_most", [8192, 1200])
def test_every_row_has_the_head_masked_and_all_else_is_as_without_it(tmp_path, n_most):
    work, found = streams_of(tmp_path, RECORDS, TASKS, "voices.prompts=3", *HEADS, f"flatten.max_tokens={n_most}")
    v, n_rows = work.vocabulary, 0
    for s in found:
        prompt = v.speech(s.voice_prompt.codes).tolist()
        head = [v["<|sot|>"], *SYSTEM.encode(), v["<|eot|>"], v["<|sos|>"], *prompt, v["<|eos|>"]]
        for row in work.flatten()(s):
            assert row.given_starts[0] == 0
            assert row.given_lengths[0] == len(head)
            assert row.input_ids[: len(head)].tolist() == head
            assert not row.loss_mask[: len(head)].any()
            assert len(row.input_ids) <= n_most
            n_rows += 1
    assert n_rows >= 3 * len(found)


def test_positions_move_with_the_head(tmp_path):
    work, found = streams_of(tmp_path, RECORDS, TASKS, "voices.prompts=3", *HEADS)
    bare = Pipeline(recipe_of(tmp_path, RECORDS, TASKS, "voices.prompts=3")).flatten()
    for s in found:
        for row, without in zip(work.flatten()(s), bare(s), strict=True):
            n = row.given_lengths[0]
            assert (
                without_given(row.input_ids, row.given_starts[:1], row.given_lengths[:1]).tolist()
                == without.input_ids.tolist()
            )
            for name in ("user_turn_ends", "barge_ins", "event_starts", "event_ends"):
                assert (getattr(row, name) - n).tolist() == getattr(without, name).tolist()
            assert (row.given_starts[1:] - n).tolist() == without.given_starts.tolist()


def test_a_voice_prompt_is_another_take_of_the_assistants_voice(tmp_path):
    work, found = streams_of(tmp_path, RECORDS, "voices.prompts=3", "voices.assistant=[tone-0, tone-1, tone-2]")
    sentences = work.recipe.mix.sentences["en"]
    for s in found:
        (voice,) = {u.voice for u in s.utterances if u.role == "assistant"}
        assert s.voice_prompt.voice == voice
        assert s.voice_prompt.text in sentences
        assert s.voice_prompt.text not in {u.spoken for u in s.utterances}
        assert len(s.voice_prompt.codes) > 10
    stock = {(s.voice_prompt.voice, s.split, s.voice_prompt.text) for s in found}
    assert len({text for _, _, text in stock}) > 1


def test_a_stock_of_one_sentence_serves_all_conversations_of_a_split(tmp_path):
    _, found = streams_of(tmp_path, RECORDS, "voices.prompts=1", "splits={validation: 0, test: 0}")
    assert len({s.voice_prompt.text for s in found}) == 1


def test_without_prompts_no_conversation_and_no_row_changes(tmp_path):
    _, found = streams_of(tmp_path, RECORDS)
    _, other = streams_of(tmp_path, RECORDS, "voices.prompts=2")
    for s, t in zip(found, other, strict=True):
        assert s.voice_prompt is None
        assert s.assistant_codes.tolist() == t.assistant_codes.tolist()
        assert s.events == t.events


def test_a_build_again_with_kept_takes_synthesizes_only_the_prompts(tmp_path, monkeypatch):
    records = [talk(f"Hello there, you number {k}.", "Hi, what is it?", id=f"d{k}") for k in range(4)]
    out, _ = made(tmp_path / "a", "takes.keep=true", records=records)
    asked: list[str] = []
    speak_many = ToneVoice.speak_many
    monkeypatch.setattr(
        ToneVoice, "speak_many", lambda self, all_: asked.extend(r.text for r in all_) or speak_many(self, all_)
    )
    again, manifest = made(
        tmp_path / "b", f"takes.reuse=[{out}]", "takes.keep=true", "voices.prompts=2", records=records
    )
    assert asked
    assert set(asked) <= set(manifest.recipe["mix"]["sentences"]["en"])
    assert faults(again) == []
    assert all(c["voice_prompt"]["codes"] for c in read(again, "conversations"))


def test_prompts_too_long_leave_no_row_of_dialogue(tmp_path):
    work, found = streams_of(tmp_path, RECORDS, "flatten.system_prompt=true", "flatten.max_given_tokens=20")
    assert {row.task for s in found for row in work.flatten()(s)} == {"asr", "tts"}


def test_flattening_again_adds_and_drops_heads(tmp_path):
    out, _ = made(
        tmp_path,
        TASKS,
        "voices.prompts=3",
        records=[talk("Hello there, you.", "Hi, what is it?", id=f"d{k}") for k in range(4)],
    )
    headed, _ = made(
        tmp_path / "other",
        TASKS,
        "voices.prompts=3",
        *HEADS,
        records=[talk("Hello there, you.", "Hi, what is it?", id=f"d{k}") for k in range(4)],
    )
    reflatten(str(out), str(tmp_path / "again"), {"system_prompt": True, "voice_prompt": True})
    for task in ("four_stream", "three_stream", "two_stream"):
        assert read(tmp_path / "again", task) == read(headed, task)
    assert faults(tmp_path / "again", out) == []
    assert faults(headed) == []


def test_flattening_refuses_prompts_that_conversations_lack(tmp_path):
    out, _ = made(tmp_path)
    with pytest.raises(RecipeError, match=r"build them again with voices\.prompts"):
        reflatten(str(out), str(tmp_path / "again"), {"voice_prompt": True})
    forger = Forger(out)
    forger.values["data_version"] = 7
    forger.seal()
    with pytest.raises(RecipeError, match="conversations of data version 7 have no token ids of system prompts"):
        reflatten(str(out), str(tmp_path / "again"), {"system_prompt": True})


def test_a_recipe_with_voice_prompts_in_rows_makes_some():
    with pytest.raises(ValueError, match=r"set voices\.prompts"):
        Recipe(name="a", flatten={"voice_prompt": True})


def test_prompts_need_sentences_in_every_language(tmp_path):
    recipe = recipe_of(
        tmp_path, RECORDS, "select.languages=[en, zh]", "mix.sentences={en: [It is late.]}", "voices.prompts=2"
    )
    with pytest.raises(RecipeError, match="no sentences in 'zh' for voice prompts"):
        Pipeline(recipe).check()


# -- several voices of the assistant ----------------------------------------------------------------------------------


def voice_of(s) -> str:
    (voice,) = {u.voice for u in s.utterances if u.role == "assistant"}
    return voice


def test_each_dialogue_draws_a_voice_of_the_assistant_by_its_id(tmp_path):
    records = [talk("Hello there, you.", "Hi, what is it?", id=f"d{k}") for k in range(30)]
    several = "voices.assistant=[tone-0, tone-1, tone-2]"
    work, found = streams_of(tmp_path, records, several)
    _, reversed_ = streams_of(tmp_path, records[::-1], several)
    assert {s.dialogue_id: voice_of(s) for s in found} == {s.dialogue_id: voice_of(s) for s in reversed_}
    assert {voice_of(s) for s in found} == {"tone-0", "tone-1", "tone-2"}
    assert not {"tone-0", "tone-1", "tone-2"} & set(work.user_voices)


def test_several_voices_leave_splits_and_users_kept_apart(tmp_path):
    records = [talk("Hello there, you.", "Hi, what is it?", id=f"d{k}") for k in range(30)]
    _, one = streams_of(tmp_path, records)
    _, several = streams_of(tmp_path, records, "voices.assistant=[tone-0, tone-1]")
    assert [s.split for s in one] == [s.split for s in several]
    users = {
        split: {u.voice for s in several if s.split == split for u in s.utterances if u.role == "user"}
        for split in ("train", "validation", "test")
    }
    assert not users["train"] & users["test"]
    assert all({voice_of(s) for s in several if s.split == split} == {"tone-0", "tone-1"} for split in users)


def test_a_list_serves_each_language_with_the_voices_that_speak_it(tmp_path):
    recipe = recipe_of(
        tmp_path, RECORDS, "select.languages=[en, zh]",
        "engines.tts={name: by_language, options: {en: {name: tests.carried.voices:Low}, "
        "zh: {name: tests.carried.voices:High}}}",
        "voices.assistant=[low-0, high-0, low-1]",
    )  # fmt: skip
    work = Pipeline(recipe)
    assert work.assistants == {"en": ("low-0", "low-1"), "zh": ("high-0",)}
    work.check()
    wrong = recipe_of(
        tmp_path,
        RECORDS,
        *(
            "select.languages=[en, zh]",
            "engines.tts=" + str(recipe.engines.tts.model_dump()).replace("'", ""),
            "voices.assistant=[low-0, low-1]",
        ),
    )
    with pytest.raises(RecipeError, match="'low-0' does not speak 'zh'"):
        Pipeline(wrong).check()


def test_no_voice_at_all_is_refused():
    with pytest.raises(ValueError, match="assistant names no voice"):
        Recipe(name="a", voices={"assistant": []})


def test_given_tokens_and_calls_can_be_seen(tmp_path, capsys):
    out, _ = made(
        tmp_path, KEEP, TASKS, "voices.prompts=2", *HEADS, "input.exact_duplicates=false", records=RECORDS[:2]
    )
    output = datagen.inspect.open(str(out))
    row = output.row("three_stream", 0)
    given = row.given()
    assert given[0][0] == 0
    assert given[0][1].startswith(f"{SYSTEM} + ")
    assert given[0][1].endswith(" codes of the assistant's voice")
    assert given[1][1] == "21 degrees"
    assert f"given before chunk {given[1][0]}: 21 degrees" in str(row)
    assert "".join(chunk.text for chunk in row.chunks()).count("<tool_call>") == 1
    assert str(output.row("four_stream", 0))
    talk = next(output.conversations())
    show(talk)
    shown = capsys.readouterr().out
    assert all(part in shown for part in ("calls {", "gets 21 degrees", "tool call", "voice prompt, tone-"))
    assert "21 degrees" in talk._repr_html_()


def test_given_places_are_those_that_a_manifest_reader_finds(tmp_path):
    out, _ = made(tmp_path, TASKS, "voices.prompts=2", "voices.assistant=[tone-0, tone-1]", *HEADS)
    assert faults(out) == []
    rows = read(out, "three_stream")
    assert Manifest.load(LocalStore(out)).recipe["flatten"]["voice_prompt"]
    for row in rows:
        places = [
            at for at, n in zip(row["given_starts"], row["given_lengths"], strict=True) for at in range(at, at + n)
        ]
        assert not np.array(row["loss_mask"])[places].any()
        assert (row["n_tokens"] - len(places)) % 22 == 0
