"""A conversation as a sample of several fields: both channels as sound files, and all else as JSON."""

from typing import Any

from datagen.export.clip import ExportClip
from datagen.records import CHANNEL, Event
from datagen.shards.schema import plain


def sound_files(clip: ExportClip) -> dict[str, bytes]:
    """Each speaker's sound file, by `user` and `agent`."""
    names = {"user": "user", "assistant": "agent"}
    return {names[role]: clip.encoded(clip.sound(role)) for role in CHANNEL}


def described(clip: ExportClip) -> dict[str, Any]:
    """Ids, utterances with their words, and events of a conversation; times in seconds."""
    streams = clip.talk.streams
    return {
        "dialogue_id": streams.dialogue_id,
        "language": streams.language,
        "split": streams.split,
        "seconds": clip.at(streams.n_samples),
        "rates_hz": {"user": clip.rate_hz("user"), "agent": clip.rate_hz("assistant")},
        "system_prompt": streams.system,
        "utterances": [
            {
                "speaker": clip.convention.name(s.role),
                "kind": s.kind,
                "turn": s.turn,
                "voice": s.voice,
                "start": clip.at(s.start_samples),
                "end": clip.at(s.end_samples),
                "text": s.text,
                "unsaid": s.unsaid,
                "words": [[w.text, clip.at(w.start_samples), clip.at(w.end_samples)] for w in s.words],
            }
            for s in clip.segments
        ],
        "events": [_event(clip, event) for event in streams.events],
    }


def _event(clip: ExportClip, event: Event) -> dict[str, Any]:
    values = plain(event, skipped=("start_samples", "end_samples", "role"))
    times = {"start": clip.at(event.start_samples), "end": clip.at(event.end_samples)}
    return {**values, "speaker": clip.convention.name(event.role), **times}
