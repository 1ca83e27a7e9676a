"""What a record of our own shape brings along is taken as it is, or the record is a reject that says why."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from datagen.records import Dialogue, Judged, Mark, Origin, Reject
from datagen.sources import read

TURNS = [
    {"role": "user", "text": "Tell me about tea, please."},
    {"role": "assistant", "text": "Tea is a plant that grows in the hills."},
    {"role": "user", "text": "Which hills?"},
    {"role": "assistant", "text": "Those of Asia, for the most part."},
]
BARGE_IN = {"kind": "barge_in", "turn": 1, "word": 4, "role": "user", "text": "", "why": "They want\nmore."}
HESITATION = {"kind": "hesitation", "turn": 0, "word": 0, "role": "user", "text": "um", "why": ""}
BACKCHANNEL = {"kind": "backchannel", "turn": 3, "word": 2, "role": "user", "text": " okay ", "why": "x"}
ORIGIN = {
    "task": "script",
    "prompt": "script",
    "version": 3,
    "prompt_sha256": "a" * 64,
    "model": "m",
    "answer_sha256": "b" * 64,
    "attempt": 1,
}


def first(folder: Path, record: object, shape: str = "auto") -> Dialogue | Reject:
    path = folder / "chat.jsonl"
    path.write_text(json.dumps(record) + "\n", "utf-8")
    (found,) = read([str(path)], shape)
    return found


def record(*marks: object, **more: object) -> dict[str, object]:
    return {"id": "d", "language": "en", "turns": TURNS, **({"marks": [*marks]} if marks else {}), **more}


def test_marks_scores_and_origins_are_kept(tmp_path: Path) -> None:
    scores = {"spokenness": 7, "coherence": 10, "safety": 1}
    found = first(
        tmp_path, record(BARGE_IN, HESITATION, BACKCHANNEL, scores=scores, written_by=[ORIGIN], reasons={"x": "y"})
    )
    assert isinstance(found, Dialogue)
    assert found.marks == (
        Mark("barge_in", 1, 4, "user", "", "They want\nmore."),
        Mark("hesitation", 0, 0, "user", "um"),
        Mark("backchannel", 3, 2, "user", "okay", "x"),
    )
    assert found.judged == Judged(7, 10, 1)
    assert found.written_by == (Origin("script", "script", 3, "a" * 64, "m", "b" * 64, 1),)


@pytest.mark.parametrize("more", [{}, {"marks": None, "scores": None, "written_by": None}, {"marks": [], "scores": {}}])
def test_without_them_there_are_none(tmp_path: Path, more: dict[str, Any]) -> None:
    found = first(tmp_path, record(**more))
    assert isinstance(found, Dialogue)
    assert (found.marks, found.judged, found.written_by) == ((), None, ())


def test_in_another_shape_the_fields_mean_something_else(tmp_path: Path) -> None:
    messages = [{"role": turn["role"], "content": turn["text"]} for turn in TURNS]
    found = first(tmp_path, {"messages": messages, "marks": "B+", "scores": [1], "written_by": "Ann"})
    assert isinstance(found, Dialogue)
    assert (found.marks, found.judged, found.written_by) == ((), None, ())


def changed(mark: dict[str, Any], **values: object) -> dict[str, Any]:
    return {**mark, **values}


BAD_MARKS: list[tuple[list[object], str]] = [
    ([3], "marks[0] is a number, not an object"),
    ([BARGE_IN, changed(HESITATION, kind="cough")], "marks[1].kind is 'cough', not barge_in, hesitation, backchannel"),
    ([changed(HESITATION, kind=None)], "marks[0].kind is null, not"),
    ([changed(HESITATION, kind=[])], "marks[0].kind is a list, not"),
    ([changed(BARGE_IN, turn=4)], "marks[0].turn is 4; it must be 0 to 3"),
    ([changed(BARGE_IN, turn=-1)], "marks[0].turn is -1; it must be 0 to 3"),
    ([changed(BARGE_IN, turn=True)], "marks[0].turn is a boolean, not a whole number"),
    ([changed(BARGE_IN, turn=1.0)], "marks[0].turn is a number, not a whole number"),
    ([changed(BARGE_IN, turn=None)], "marks[0].turn is null, not a whole number"),
    ([changed(BARGE_IN, word=0)], "marks[0].word is 0; it must be 1 to"),
    ([changed(BACKCHANNEL, word=0)], "marks[0].word is 0; it must be 1 to"),
    ([changed(HESITATION, word=-1)], "marks[0].word is -1; it must be 0 to"),
    ([changed(HESITATION, word=10**400)], "marks[0].word is far too large; it must be"),
    ([changed(HESITATION, word="2")], "marks[0].word is text, not a whole number"),
    ([changed(BARGE_IN, role="assistant")], "marks[0].role is 'assistant', but a barge_in in turn 1 is the user's"),
    ([changed(HESITATION, role="assistant")], "marks[0].role is 'assistant', but a hesitation in turn 0 is the user's"),
    ([changed(BACKCHANNEL, role="assistant")], "is 'assistant', but a backchannel in turn 3 is the user's"),
    ([changed(BACKCHANNEL, role="User")], "marks[0].role is 'User', but"),
    ([changed(BACKCHANNEL, role=None)], "marks[0].role is null, not text"),
    ([changed(BACKCHANNEL, text="  ")], "marks[0].text is empty; say what the listener says"),
    ([changed(BACKCHANNEL, text=7)], "marks[0].text is a number, not text"),
    ([changed(BACKCHANNEL, text="o" * 201)], "marks[0].text has 201 characters; at most 200 are kept"),
    ([changed(BACKCHANNEL, text="o\x1bk")], r"marks[0].text holds characters that nobody can say: 'o\x1bk'"),
    ([changed(BARGE_IN, why="o" * 1001)], "marks[0].why has 1001 characters; at most 1000 are kept"),
    ([changed(BARGE_IN, text="Stop")], "marks[0].text is given; what a barge-in says is the turn after turn 1"),
    ([changed(BARGE_IN, turn=3)], "marks[0].turn is the last; the next turn is what interrupts it, so give one"),
    ([BARGE_IN, changed(BARGE_IN, word=5)], "marks[1] is at the place of marks[0]; leave one out"),
    ([HESITATION, HESITATION], "marks[1] is at the place of marks[0]; leave one out"),
    ([BARGE_IN, changed(BARGE_IN, turn=2, word=1, role="assistant")], "marks[1] interrupts turn 2, which is an"),
    (
        [BARGE_IN, changed(HESITATION, turn=1, word=4, role="assistant")],
        "marks[1].word is not before turn 1 is interrupted",
    ),
    ([changed(BACKCHANNEL, turn=1, word=6), BARGE_IN], "marks[0].word is not before turn 1 is interrupted"),
]


@pytest.mark.parametrize(("marks", "says"), BAD_MARKS)
def test_a_bad_mark_is_a_reject_that_names_field_and_mend(tmp_path: Path, marks: list[object], says: str) -> None:
    found = first(tmp_path, record(*marks))
    assert isinstance(found, Reject)
    assert (found.stage, found.reason) == ("source", "bad_mark")
    assert says in found.detail
    assert found.detail.isprintable()
    assert len(found.detail) < 250


@pytest.mark.parametrize(
    ("more", "reason", "says"),
    [
        ({"marks": {"a": 1}}, "bad_mark", "marks is an object, not a list; rename it if it means something else"),
        ({"scores": [7]}, "bad_scores", "scores is a list, not an object; rename it if it is no judge's"),
        ({"scores": {"fun": 7}}, "bad_scores", "scores has 'fun'; known are spokenness, coherence, safety"),
        ({"scores": {"safety": 11}}, "bad_scores", "scores.safety is 11; it must be 1 to 10"),
        ({"scores": {"safety": 0}}, "bad_scores", "scores.safety is 0; it must be 1 to 10"),
        ({"scores": {"safety": "9"}}, "bad_scores", "scores.safety is text, not a whole number"),
        ({"written_by": "m"}, "bad_written_by", "written_by is text, not a list"),
        ({"written_by": [ORIGIN, 1]}, "bad_written_by", "written_by[1] is a number, not an object"),
        ({"written_by": [ORIGIN] * 101}, "bad_written_by", "written_by has 101 entries; at most 100 are kept"),
        ({"written_by": [changed(ORIGIN, model=None)]}, "bad_written_by", "written_by[0].model is null, not text"),
        ({"written_by": [changed(ORIGIN, version="1")]}, "bad_written_by", "written_by[0].version is text, not a"),
        ({"written_by": [changed(ORIGIN, task="x" * 201)]}, "bad_written_by", "written_by[0].task has 201 characters"),
        ({"marks": [changed(BARGE_IN, why="\ud800")]}, "invalid_unicode", "marks[0].why has half a surrogate pair"),
        ({"marks": [changed(HESITATION, text="\ud800")]}, "invalid_unicode", "marks[0].text has half a surrogate"),
    ],
)
def test_what_else_is_bad_is_a_reject_too(tmp_path: Path, more: dict[str, Any], reason: str, says: str) -> None:
    found = first(tmp_path, record(**more))
    assert isinstance(found, Reject)
    assert found.reason == reason
    assert says in found.detail


@pytest.mark.parametrize(
    "turns",
    [
        [*TURNS, {"role": "user", "text": "And?"}],
        [TURNS[0], {"role": "user", "text": "Well?"}, *TURNS[1:]],
        [{"role": "system", "text": "Be kind."}, *TURNS],
        [TURNS[0], {"role": "assistant", "text": " "}, *TURNS[1:]],
    ],
)
def test_turns_that_do_not_stay_what_they_are_have_no_places(tmp_path: Path, turns: list[object]) -> None:
    found = first(tmp_path, {**record(HESITATION), "turns": turns})
    assert isinstance(found, Reject)
    assert found.reason == "bad_mark"
    assert "5 turns become 4, so no mark has a place; give turns that alternate" in found.detail
    assert isinstance(first(tmp_path, {**record(), "turns": turns}), Dialogue)


def test_tables_give_the_same(tmp_path: Path) -> None:
    whole = record(BARGE_IN, BACKCHANNEL, scores={"safety": 9, "coherence": None}, written_by=[ORIGIN])
    pq.write_table(pa.Table.from_pylist([whole, record(id="e")]), tmp_path / "t.parquet")
    with_marks, without = read([str(tmp_path / "t.parquet")])
    wanted = first(tmp_path, whole)
    assert isinstance(wanted, Dialogue)
    assert (with_marks.marks, with_marks.judged, with_marks.written_by) == (
        wanted.marks,
        Judged(safety=9),
        wanted.written_by,
    )
    assert (without.marks, without.judged, without.written_by) == ((), None, ())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from([*BARGE_IN, *ORIGIN, "safety"]), below),
    max_leaves=12,
)


@given_any(JSON, JSON, JSON)
def test_whatever_they_hold_there_is_a_dialogue_or_a_reject(
    tmp_path_factory: Any, marks: object, scores: object, origins: object
) -> None:
    found = first(tmp_path_factory.mktemp("any"), record(marks=marks, scores=scores, written_by=origins))
    assert isinstance(found, Dialogue) or found.reason in ("bad_mark", "bad_scores", "bad_written_by", "bad_number")
