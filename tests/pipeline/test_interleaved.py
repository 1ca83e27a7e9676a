"""Rows of turns for models that answer in blocks of text and speech, or one answer at a time."""

from dataclasses import replace

import numpy as np
import pytest

from datagen.errors import RecipeError
from datagen.pipeline.flatten import Flatten
from datagen.recipe import FlattenConfig
from datagen.records import Row, Spoken, StoredCall
from datagen.run.reflatten import refuse_not_kept
from tests.pipeline.test_flatten import HOP, TALK, V, W, several, spoken, streams

SOS, EOS, SOT, EOT = (V[name] for name in ("<|sos|>", "<|eos|>", "<|sot|>", "<|eot|>"))


def rows(
    talk: list[Spoken], task: str, n_frames: int = 60, calls: tuple[StoredCall, ...] = (), **settings
) -> list[Row]:
    s = replace(streams(n_frames, talk), tool_calls=calls)
    return Flatten(FlattenConfig(tasks=(task,), **settings), V, HOP, (3,))(s)


def user(first: int, last: int) -> list[int]:
    return [SOS, *V.speech(np.arange(first, last) % 50).tolist(), EOS]


def said(first: int, last: int) -> list[int]:
    return V.speech(np.arange(first + 1, last + 1) % 50).tolist()


def cut(u: Spoken, n_said: int) -> Spoken:
    """The same, of whose text only the first ids were heard."""
    rest = {"rest_codes": np.array([7, 8, 9], np.uint16), "rest_start_frames": u.end_samples // HOP - 1}
    return replace(u, n_cut_samples=2 * HOP, text_ids=u.text_ids[:n_said], spoken_ids=u.text_ids, **rest)


def test_text_and_speech_of_an_answer_take_turns_and_the_user_is_only_heard():
    (row,) = rows(TALK, "interleaved", interleave={"text": 2, "speech": 6})
    first = [SOT, 200, 201, *said(15, 21), 202, 203, *said(21, 27), 204, EOT, *said(27, 31), EOS]
    assert row.input_ids.tolist() == [*user(2, 12), *first, *user(33, 40)]
    assert row.loss_mask.tolist() == [False] * 12 + [True] * len(first) + [False] * 9
    assert (row.n_text_tokens, row.n_late_text_tokens, row.n_dropped_text_tokens) == (5, 0, 0)
    assert (row.start_frames, row.n_frames) == (2, 38)


@pytest.mark.parametrize(
    ("n_ids", "n_frames", "wanted"),
    [
        (2, 3, ["t", "t", "s", "s", "s", "|", "$"]),
        (1, 4, ["t", "|", "s", "s", "s", "s", "$"]),
        (5, 2, ["t", "t", "s", "s", "$", "t", "t", "t", "|"]),
        (4, 6, ["t", "t", "s", "s", "s", "t", "t", "s", "s", "s", "|", "$"]),
    ],
)
def test_an_end_marker_is_the_last_item_of_its_queue(n_ids, n_frames, wanted):
    (row,) = rows([spoken("assistant", 0, n_frames, n_ids)], "interleaved", interleave={"text": 2, "speech": 3})
    kinds = {EOT: "|", EOS: "$"}
    assert [kinds.get(t, "t" if t < 1000 else "s") for t in row.input_ids.tolist()[1:]] == wanted


def test_text_after_the_last_frame_is_counted_as_late():
    (row,) = rows([spoken("assistant", 0, 4, 9)], "interleaved", interleave={"text": 2, "speech": 2})
    assert (row.n_text_tokens, row.n_late_text_tokens) == (9, 5)


def test_a_frame_of_several_codes_is_one_item():
    recipe = FlattenConfig(tasks=("interleaved",), codebooks=2, interleave={"text": 1, "speech": 1})
    (row,) = Flatten(recipe, W, HOP, (3, 8, 1))(several(4, [spoken("assistant", 1, 3, 1, 200)]))
    a, b = 1010, 1060
    assert row.input_ids.tolist() == [SOT, 200, a + 1, b + 3, EOT, a + 2, b + 4, EOS]


INTERRUPTED = [cut(spoken("assistant", 0, 9, 8, 200), 3), spoken("user", 8, 12, 2, 300)]


def test_a_turn_that_was_cut_has_the_text_written_by_then_and_no_end():
    (row,) = rows(INTERRUPTED, "interleaved", half_duplex="heard", interleave={"text": 2, "speech": 4})
    written = [SOT, 200, 201, *said(0, 4), 202, 203, *said(4, 8), 204, 205, *said(8, 9)]
    assert row.input_ids.tolist() == [*written, *user(8, 12)]
    assert (row.n_text_tokens, row.n_dropped_text_tokens) == (6, 2)


def test_what_comes_before_an_interruption_does_not_depend_on_it():
    """Law of causality: until it stops, a turn is the beginning of the same turn uninterrupted."""
    settings = {"half_duplex": "heard", "interleave": {"text": 2, "speech": 4}}
    (whole,) = rows([spoken("assistant", 0, 40, 30, 200)], "interleaved", **settings)
    for last in range(1, 40):
        talk = [cut(spoken("assistant", 0, last, 30, 200), last // 2)]
        (row,) = rows(talk, "interleaved", **settings)
        assert row.input_ids.tolist() == whole.input_ids[: len(row.input_ids)].tolist()
        assert row.input_ids[-1] == said(last - 1, last)[0]


def test_whole_turns_are_as_if_nobody_interrupted_and_heard_text_is_for_comparison():
    (row,) = rows(INTERRUPTED, "interleaved", interleave={"text": 20, "speech": 20})
    assert row.input_ids.tolist()[:10] == [SOT, *range(200, 208), EOT]
    assert row.input_ids.tolist()[10:22] == [*said(0, 8), *V.speech(np.array([7, 8, 9])).tolist(), EOS]
    heard = {"half_duplex": "heard", "interrupted_text": "heard"}
    (row,) = rows(INTERRUPTED, "interleaved", **heard)
    assert row.input_ids.tolist()[:15] == [SOT, 200, 201, 202, EOT, *said(0, 9), EOS]


def test_a_piece_before_the_last_has_its_heard_text():
    talk = [cut(spoken("assistant", 0, 4, 4, 200), 2), cut(spoken("assistant", 4, 9, 3, 210), 1)]
    (row,) = rows(talk, "interleaved", half_duplex="heard", interleave={"text": 9, "speech": 90})
    assert row.input_ids.tolist() == [SOT, 200, 201, 210, 211, 212, EOT, *said(0, 9)]


def test_an_answer_is_a_row_behind_all_turns_before_it():
    talk = [*TALK, spoken("assistant", 42, 45, 2, 400)]
    first, second = rows(talk, "chat")
    answers = [
        [SOT, *range(200, 205), EOT, SOS, *said(15, 31), EOS],
        [SOT, 400, 401, EOT, SOS, *said(42, 45), EOS],
    ]
    assert first.input_ids.tolist() == [*user(2, 12), *answers[0]]
    assert second.input_ids.tolist() == [*user(2, 12), *answers[0], *user(33, 40), *answers[1]]
    assert int(second.loss_mask.sum()) == len(answers[1])
    assert second.loss_mask[-len(answers[1]) :].all()
    assert [row.row_id for row in (first, second)] == ["d#chat#1", "d#chat#3"]
    assert (second.start_frames, second.n_frames, second.n_text_tokens) == (2, 43, 7)


@pytest.mark.parametrize(
    ("settings", "starts"),
    [({"chat_turns": 3}, [2, 2]), ({"chat_turns": 2}, [2, 33]), ({"chat_turns": 1}, [2, 33])],
)
def test_a_history_has_so_many_turns_and_begins_with_the_user(settings, starts):
    talk = [*TALK, spoken("assistant", 42, 45, 2, 400)]
    assert [row.start_frames for row in rows(talk, "chat", **settings)] == starts


def test_an_answer_that_does_not_fit_behind_its_question_has_no_row():
    talk = [spoken("user", 0, 40, 3), spoken("assistant", 41, 54, 5, 200), spoken("user", 56, 58, 1)]
    assert [row.row_id for row in rows(talk, "chat", max_tokens=64)] == ["d#chat#1"]  # 42 + 22
    assert rows([replace(talk[0], end_samples=41 * HOP), *talk[1:]], "chat", max_tokens=64) == []


def test_a_cut_answer_has_its_whole_text_and_no_end():
    (row,) = rows(INTERRUPTED, "chat", half_duplex="heard")
    assert row.input_ids.tolist() == [SOT, *range(200, 208), EOT, SOS, *said(0, 9)]


def test_results_of_tools_stand_behind_their_turn_but_not_behind_the_answer():
    ids = np.array([500, 501], np.int32), np.array([600], np.int32)
    talk = [spoken("user", 0, 5, 1), spoken("assistant", 6, 9, 2, 200), spoken("assistant", 20, 23, 1, 210)]
    calls = (StoredCall(1, "c", "r", *ids, 9 * HOP, 19 * HOP, False),)
    (row,) = rows(talk, "interleaved", calls=calls, interleave={"text": 9, "speech": 9})
    turn, result = [SOT, 200, 201, 500, 501, EOT, *said(6, 9), EOS], [SOT, 600, EOT]
    answer = [SOT, 210, EOT, *said(20, 23), EOS]
    assert row.input_ids.tolist() == [*user(0, 5), *turn, *result, *answer]
    assert (row.given_starts.tolist(), row.given_lengths.tolist()) == ([7 + len(turn)], [3])
    calling, answering = rows(talk, "chat", calls=calls)
    assert EOT not in calling.input_ids.tolist()[-3:]
    assert not len(calling.given_starts)
    assert answering.given_lengths.tolist() == [3]


def test_kept_audio_has_no_whole_turns():
    with pytest.raises(RecipeError, match="half_duplex"):
        refuse_not_kept(FlattenConfig(tasks=("interleaved",), alignment_takes="heard"))
