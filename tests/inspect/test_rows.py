"""A row taken apart: every token of it is shown once, in its stream."""

from itertools import pairwise

import numpy as np
import pytest

from datagen.inspect import Output, StoredRow
from datagen.inspect.html import inert
from datagen.inspect.rows import marks_of
from tests.run.builds import made


@pytest.fixture(scope="module")
def turns(tmp_path_factory) -> Output:
    """A build with all tasks of turns."""
    tasks = "flatten.tasks=[asr, four_stream, interleaved, chat, three_stream]"
    return Output(str(made(tmp_path_factory.mktemp("turns"), tasks, "flatten.interleave={text: 2, speech: 5}")[0]))


@pytest.mark.parametrize("task", ["three_stream", "two_stream"])
def test_chunks_hold_every_token_of_the_row(output, work, task):
    row = output.row(task, 0)
    vocabulary, flatten = work.vocabulary, work.recipe.flatten
    n_text = flatten.text_chunk_tokens if task == "three_stream" else 0
    chunks = list(row.chunks())
    assert len(chunks) == row.n_chunks
    width = 2 * flatten.speech_chunk_tokens + n_text
    assert row.n_chunks * width == len(row.input_ids)
    silence = vocabulary["<|speech_silence|>"]
    for index, chunk in enumerate(chunks):
        ids = row.input_ids[index * width : (index + 1) * width].tolist()
        for codes, found in ((chunk.user, ids[:10]), (chunk.assistant, ids[10 + n_text :])):
            assert [silence if code is None else code + vocabulary.speech_offset for code in codes] == found
        text = [t for t in ids[10 : 10 + n_text] if vocabulary.kind(t) == "text"]
        assert chunk.text == inert(work.text_tokenizer.decode(text))
        assert chunk.start_samples == (row.start_frames + 10 * index) * 960
    assert any(chunk.text for chunk in chunks) == (task == "three_stream")
    marks = [mark for chunk in chunks for mark in chunk.marks]
    assert marks.count("user ends") == len(row.user_turn_ends)
    assert marks.count("barge-in") == len(row.barge_ins)
    assert all("user ends" in chunks[position // width].marks for position in row.user_turn_ends)


def test_chunks_of_a_later_part_begin_where_it_does(tmp_path):
    output = Output(str(made(tmp_path, "flatten.max_tokens=66", n=3)[0]))
    rows = output.conversation("d1").rows("three_stream")
    assert len(rows) > 1
    starts = [chunk.start_samples for row in rows for chunk in row.chunks()]
    assert starts[: rows[0].n_chunks + 1] == [k * 9_600 for k in range(rows[0].n_chunks + 1)]


def test_marks_name_what_happens_by_chunk(output):
    row = output.row("three_stream", 0)
    events = {
        "user_turn_ends": np.array([3]),
        "event_kinds": ("gap", "barge_in", "backchannel"),
        "event_roles": ("assistant", "user", "assistant"),
        "event_starts": np.array([3, 25, 30]),
    }
    from dataclasses import replace

    assert marks_of(replace(row, **events), 22) == {0: ["user ends"], 1: ["barge-in", "backchannel (assistant)"]}


def test_runs_join_to_the_row(output, work):
    row = output.row("four_stream", 0)
    assert list(row.chunks()) == []
    runs = list(row.runs())
    assert [run.kind for run in runs[:3]] == ["special", "speech", "special"]
    assert all((a.kind, a.learned) != (b.kind, b.learned) for a, b in pairwise(runs))
    said = [run.shown for run in runs if run.kind == "text"]
    texts = [u.spoken for u in output.conversation(row.dialogue_id).streams.utterances]  # whole turns
    assert said == texts


@pytest.mark.parametrize("task", ["four_stream", "interleaved", "chat", "asr"])
def test_blocks_begin_where_text_or_speech_does_and_hold_the_row(turns, task):
    row = turns.row(task, 0)
    blocks = list(row.blocks())
    shown = "".join(run.shown for block in blocks for run in block)
    assert shown == "".join(run.shown for run in row.runs())
    openings = [block[0].shown for block in blocks]
    assert openings[0].startswith(("<|sos|>", "<|asr|>"))
    assert {name[:7] for name in openings[1:]} <= {"<|sos|>", "<|sot|>"}
    assert all(run.shown.count("<|so") <= 1 for block in blocks for run in block)
    learned = [any(run.learned for run in block) for block in blocks]
    if task == "chat":
        assert learned == [*[False] * (len(blocks) - 2), True, True]
    if task == "interleaved":  # a question without text, then an answer in one block
        assert learned[:2] == [False, True]
        assert [run.kind for run in blocks[1]][:5] == ["special", "text", "speech", "text", "speech"]


def test_a_row_of_turns_is_painted_a_block_per_line(turns):
    row = turns.row("interleaved", 0)
    lines = str(row).splitlines()
    assert [line.split("<|")[0].strip() for line in lines if "<|so" in line][:2] == ["", "learned"]
    assert lines[-1].startswith("numbers: the first codes")
    assert str(turns.row("three_stream", 0)).splitlines()[-1].startswith("speech: one cell")
    assert row._repr_html_().count(">learned<") == sum(any(run.learned for run in block) for block in row.blocks())


def test_print_shows_what_the_terminal_command_paints(output, capsys):
    from datagen.inspect.rows import paint

    for task in ("asr", "three_stream"):
        row = output.row(task, 1)
        paint(row, 60, codes=False)
        painted = capsys.readouterr().out
        print(row)
        assert capsys.readouterr().out == painted
        assert painted.startswith(f"{row.row_id}  {row.split}  {len(row.input_ids):,} tokens")
        assert repr(row) == f"Row({row.row_id!r}, {row.split}, {len(row.input_ids):,} tokens)"


def test_a_notebook_shows_text_codes_and_marks(output):
    row = output.row("three_stream", 0)
    page = row._repr_html_()
    for chunk in row.chunks():
        assert all(f">{code}<" in page for code in chunk.user if code is not None)
        assert all(mark in page for mark in chunk.marks)
    assert isinstance(row, StoredRow)


@pytest.mark.parametrize("text", ["plain", "中文。", 'a "b" c', "naïve ☕", "你好\u3000吗\u00a0"])
def test_readable_text_stays_as_it_is(text):
    assert inert(text) == text


@pytest.mark.parametrize("text", ["\x1b[31m", "a\u202eb", "a\x00", "\u2066", "a\nb\r", "\x9b1m", "\u200b"])
def test_steering_text_is_spelled_out(text):
    assert inert(text).isprintable()
    assert inert(text) != text
