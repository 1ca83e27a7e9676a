"""What utterances do and what can happen: the vocabulary of labels, each with its meaning."""

from typing import Literal

Kind = Literal["turn", "filler", "insert", "resumption", "backchannel", "attempt", "aside"]
KINDS: dict[Kind, str] = {
    "turn": "holds the floor: a turn of the dialogue, or a piece of one",
    "filler": "a sound within the speaker's own turn, such as `um`; holds the floor and says nothing",
    "insert": "holds the floor with words that the dialogue does not have: a generic interruption, the word that ends "
    "a wait, a question to a silent user",
    "resumption": "the assistant continues its turn after an insert, in words of that turn",
    "backchannel": "a short listener token, such as `mm-hm`; claims no floor, and nobody yields to it",
    "attempt": "a start that breaks off within about a syllable; claims no floor",
    "aside": "a word to somebody else in the room; claims no floor",
}
"""What an utterance does. Several utterances of one speaker may follow each other."""
FLOOR: frozenset[Kind] = frozenset(("turn", "filler", "insert", "resumption"))
"""Kinds of utterances that hold the floor."""
WRITTEN: frozenset[Kind] = frozenset(("turn", "filler"))
"""Kinds of utterances that make up the turns of the dialogue: all that a half-duplex format contains."""

EVENTS = {
    "gap": "the floor changes after a silence: from the end of the other's turn to the start of the speaker's own",
    "overlapping_end": "the floor changes while the other finishes its last words: from the start to the other's end",
    "barge_in": "the speaker starts inside the other's turn and takes the floor; the other stops with words unsaid: "
    "from the start to the other's stop",
    "competition": "a barge-in to which the other does not yield at once; same times as its `barge_in`",
    "next_turn": "a barge-in with the next turn of the dialogue; same times as its `barge_in`",
    "repeat_request": "a barge-in that asks to repeat the last words; same times as its `barge_in`",
    "wait_request": "a barge-in that asks to wait; same times as its `barge_in`",
    "stop_request": "a barge-in that asks to stop; same times as its `barge_in`",
    "got_it": "a barge-in that signals understanding, so that the other moves on; same times as its `barge_in`",
    "waiting": "the assistant was asked to wait: from its stop to the word that ends the wait",
    "correction": "the speaker replaces a value just said, as in `at three, no, at four`: from the first to the second",
    "false_start": "the speaker starts and breaks off within about a syllable; the other continues",
    "aside": "a word to somebody else in the room; the other continues",
    "backchannel": "a listener token; the other continues",
    "hesitation": "a pause inside the speaker's own turn, fillers included: from the last word before to the first "
    "after it",
    "user_silent": "the user says nothing for long where a turn is due: from the assistant's end to the next speech",
    "prompt": "the assistant asks whether the silent user is still there",
    "laughter": "the user laughs; no words",
    "cough": "the user coughs or clears the throat",
    "noise_burst": "a sudden noise in the user's channel",
    "other_talker": "somebody else's voice in the user's channel",
}
"""Kinds of events, with what their times mean. The role of an event is who did it: who starts, pauses or is silent."""

FAMILIES = ("next_turn", "repeat_request", "wait_request", "stop_request", "got_it")
"""What a user's barge-in says; each is an event beside its `barge_in`."""

HARD_NEGATIVES = frozenset(
    (
        ("backchannel", "user"),
        ("false_start", "user"),
        ("aside", "user"),
        ("laughter", "user"),
        ("cough", "user"),
        ("hesitation", "user"),
        ("waiting", "user"),
        ("user_silent", "user"),
        ("noise_burst", "user"),
        ("other_talker", "user"),
    )
)
"""Events, by kind and role, that must change nothing: a speaking assistant continues, a silent one stays silent."""

TRANSFERS = frozenset(("gap", "overlapping_end", "overlap"))
"""Kinds of events that only time a change of the floor; `overlap` is an `overlapping_end` of data version 3."""
