"""Events by the definitions of placed ones, from intervals and words alone."""

import pytest

from datagen.pipeline.recorded.derive import Lexicon, derive
from datagen.pipeline.recorded.piece import Piece
from datagen.recipe import DeriveConfig
from datagen.records import Word

RATE = 1000
LEXICON = Lexicon.of(("okay", "mm hm", "I see"), ("mm hm",), ("um",))


def piece(role, start, end, text=None):
    """Speech in milliseconds; its words share its time; without text nobody knows it."""
    names = (text or "").split()
    step = (end - start) / max(len(names), 1)
    words = tuple(Word(w, round(start + k * step), round(start + (k + 1) * step)) for k, w in enumerate(names))
    return Piece(role, start, end, words, text or "", text is not None)


def events(*pieces, config=None, lexicon=LEXICON):
    by_role = {role: [p for p in pieces if p.role == role] for role in ("user", "assistant")}
    found = derive(by_role, config or DeriveConfig(), lexicon, RATE)
    assert all(e.derived for e in found.events)
    return [(e.kind, e.role, e.start_samples, e.end_samples) for e in found.events]


LONG = piece("assistant", 0, 10_000, "there is a lot to say of all this and more.")
"""Speech of the assistant, with punctuation."""
CUT = piece("assistant", 0, 10_000, "there is a lot to say of all this and")
"""The same, unfinished."""
AFTER = piece("user", 13_000, 14_000, "that is good.")
"""Later speech, so that the transcript has punctuation."""


def test_a_gap_is_a_silence_at_a_change_of_speaker():
    assert events(LONG, piece("user", 10_300, 12_000, "and then?")) == [("gap", "user", 10_000, 10_300)]


@pytest.mark.parametrize(
    ("before", "kind"), [(LONG, "overlapping_end"), (CUT, "barge_in")], ids=["finished", "unfinished"]
)
def test_punctuation_says_if_the_other_had_finished(before, kind):
    found = events(before, piece("user", 9_600, 12_000, "and then?"), AFTER)
    assert found[0] == (kind, "user", 9_600, 10_000)


@pytest.mark.parametrize(("start", "kind"), [(9_600, "overlapping_end"), (9_400, "barge_in")])
def test_without_text_the_length_of_the_overlap_says_it(start, kind):
    found = events(piece("assistant", 0, 10_000), piece("user", start, 12_000))
    assert found == [(kind, "user", start, 10_000)]


def test_a_barge_in_reaches_past_the_end_of_the_other():
    """Else it does not take the floor: by its length it is a false start or a failed barge-in."""
    assert events(LONG, piece("user", 4_000, 4_300, "but I")) == [("false_start", "user", 4_000, 4_300)]
    assert events(LONG, piece("user", 4_000, 5_300, "but I think")) == [("failed_barge_in", "user", 4_000, 5_300)]


@pytest.mark.parametrize("text", ["mm-hm", "Okay.", None])
def test_a_listener_token_inside_the_others_speech(text):
    assert events(LONG, piece("user", 4_000, 4_500, text)) == [("backchannel", "user", 4_000, 4_500)]


def test_a_token_that_outlasts_the_others_sentence_is_one_if_the_other_continues():
    more = piece("assistant", 10_400, 12_000, "and there is more.")
    assert events(LONG, piece("user", 9_800, 10_300, "okay"), more) == [("backchannel", "user", 9_800, 10_300)]
    assert events(LONG, piece("user", 9_800, 10_300, "okay"))[0][0] == "overlapping_end"


def test_a_neutral_token_in_a_pause_answers_nothing_but_a_word_after_a_question_does():
    more = piece("assistant", 10_900, 12_000, "and there is more.")
    asked = piece("assistant", 0, 10_000, "is there more to say of all this?")
    assert [e[0] for e in events(LONG, piece("user", 10_200, 10_700, "mm hm"), more)] == ["backchannel"]
    assert [e[0] for e in events(asked, piece("user", 10_200, 10_700, "okay"), more)] == ["gap", "gap"]


@pytest.mark.parametrize(
    ("before", "pause", "is_one"),
    [
        ("and so we went to", 300, True),
        ("and so we went,", 300, False),
        ("and so we went,", 600, True),
        ("and so we went.", 600, False),
        ("and so we went to", 3500, False),
    ],
)
def test_a_hesitation_is_a_pause_before_the_sentence_is_over(before, pause, is_one):
    pieces = piece("user", 0, 2000, before), piece("user", 2000 + pause, 4000 + pause, "the lake.")
    found = events(*pieces, piece("assistant", 8_000, 9_000, "I see that."))
    assert (("hesitation", "user", 2000, 2000 + pause) in found) == is_one


def test_a_hesitation_begins_before_its_filler():
    words = Word("went", 0, 1800), Word("um", 1900, 2000)
    stuck = Piece("user", 0, 2000, words, "went um")
    found = events(stuck, piece("user", 2_500, 4_000, "home."), piece("assistant", 5_000, 6_000, "fine."))
    assert found[0] == ("hesitation", "user", 1800, 2500)


def test_an_interruption_begins_with_its_first_word():
    """Not with the word that outlasts the other."""
    found = events(CUT, piece("user", 9_000, 9_300, "wait"), piece("user", 9_600, 12_000, "can I ask?"), AFTER)
    assert found[0] == ("barge_in", "user", 9_000, 10_000)


def test_the_rest_of_interrupted_speech_belongs_to_it():
    """The other starts in a short pause of the speech, which then breaks off."""
    first, rest = piece("assistant", 0, 5_000, "and so,"), piece("assistant", 5_300, 6_000, "as I")
    found = events(first, rest, piece("user", 5_100, 9_000, "no, no, wait."), AFTER)
    assert found[0] == ("barge_in", "user", 5_100, 6_000)
    assert len([e for e in found if e[1] == "assistant"]) == 0


def test_a_short_answer_in_a_short_pause_is_an_answer():
    pieces = (
        piece("assistant", 0, 1000, "really?"),
        piece("user", 1100, 1300, "no."),
        piece("assistant", 1400, 3000, "fine."),
    )
    assert [e[0] for e in events(*pieces)] == ["gap", "gap"]


def test_turns_count_changes_of_the_floor():
    by_role = {"user": [AFTER, piece("user", 20_000, 21_000, "bye.")], "assistant": [LONG]}
    found = derive(by_role, DeriveConfig(), LEXICON, RATE)
    assert [(u.piece.role, u.turn, u.kind) for u in found.utterances] == [
        ("assistant", 0, "turn"),
        ("user", 1, "turn"),
        ("user", 2, "turn"),
    ]
