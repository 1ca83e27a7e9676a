"""What utterances do and what can happen: the vocabulary of labels, each with its meaning."""

from typing import Literal

Kind = Literal["turn", "filler", "backchannel", "attempt"]
KINDS: dict[Kind, str] = {
    "turn": "holds the floor: a turn, or a piece of one",
    "filler": "a sound within one's own turn, such as `um`; holds the floor and says nothing",
    "backchannel": "a listener's short token, such as `mm-hm`; claims no floor, and nobody yields to it",
    "attempt": "claims the floor and does not get it",
}
"""What an utterance does. Several of one speaker may follow each other; only turns and fillers hold the floor."""
FLOOR: frozenset[Kind] = frozenset(("turn", "filler"))
"""Kinds of utterances that hold the floor."""

EVENTS = {
    "gap": "the floor changes after a silence: from the end of the other's turn to the start of one's own",
    "overlap": "the floor changes before the other has ended, both finish: from one's start to the other's end",
    "barge_in": "one starts inside the other's turn and takes the floor: from the start to the other's stop",
    "competition": "such a barge-in to which the other did not yield at once; same time as its `barge_in`",
    "correction": "the opener of a barge-in that corrects, such as `no, wait`: from its start to its end",
    "failed_barge_in": "one starts inside the other's turn and gives up; the other goes on",
    "backchannel": "a listener's token; the other goes on",
    "hesitation": "a pause inside one's own turn, fillers included: from the last word before to the first after it",
    "overlapping_start": "one starts as the other starts too, and gives way: from the start to the giving up",
    "user_silent": "the user says nothing for long where a turn is due: from the assistant's end to the next speech",
    "prompt": "the assistant asks whether the silent user is still there",
    "noise_burst": "a sudden noise in the user's channel",
    "other_talker": "somebody else's voice in the user's channel",
}
"""Kinds of events, with what their times mean. The role of an event is who did it: who starts, pauses or is silent."""

HARD_NEGATIVES = frozenset(
    (
        ("backchannel", "user"),
        ("failed_barge_in", "user"),
        ("overlapping_start", "user"),
        ("hesitation", "user"),
        ("user_silent", "user"),
        ("noise_burst", "user"),
        ("other_talker", "user"),
    )
)
"""Events, by kind and role, that must change nothing: a speaking assistant goes on, a silent one stays silent."""
