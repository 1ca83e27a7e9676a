"""Lhotse's manifests as plain values: recordings, supervisions, and cuts as NeMo's duplex models take them."""

from collections.abc import Sequence
from typing import Any

from datagen.export.clip import ExportClip
from datagen.export.counts import texts_longer_than_frames
from datagen.export.files import UnitFiles
from datagen.export.segments import Segment, marked
from datagen.inspect import Output
from datagen.records import CHANNEL, Role

FRAME_S = 0.08
"""Frame length of NeMo's duplex models."""


def supervisions(clip: ExportClip) -> list[dict[str, Any]]:
    """A supervision per utterance, in order of time; `channel` is that of a two-channel recording."""
    return [_supervision(clip, segment) for segment in clip.segments]


def _supervision(clip: ExportClip, s: Segment) -> dict[str, Any]:
    words = [[w.text, clip.at(w.start_samples), clip.at(w.end_samples - w.start_samples)] for w in s.words]
    return {
        "id": f"{clip.name}-{s.index}",
        "recording_id": clip.name,
        "start": clip.at(s.start_samples),
        "duration": clip.at(s.end_samples - s.start_samples),
        "channel": CHANNEL[s.role],
        "text": _text(clip, s),
        "language": clip.talk.streams.language,
        "speaker": clip.convention.name(s.role),
        "custom": {"kind": s.kind, "turn": s.turn, "voice": s.voice, "unsaid": s.unsaid},
        "alignment": {"word": words},
    }


def _text(clip: ExportClip, s: Segment) -> str:
    if s.role == "assistant" or not clip.convention.marks_ms:
        return s.text
    return marked(s, clip.convention.marks_ms * clip.talk.sample_rate_hz // 1000)


def recording(id: str, n_samples: int, rate_hz: int, sources: Sequence[str], kind: str = "file") -> dict[str, Any]:
    """A recording whose channels are one file each."""
    return {
        "id": id,
        "sources": [{"type": kind, "channels": [k], "source": source} for k, source in enumerate(sources)],
        "sampling_rate": rate_hz,
        "num_samples": n_samples,
        "duration": n_samples / rate_hz,
        "channel_ids": list(range(len(sources))),
    }


def cut(clip: ExportClip, user: dict[str, Any], agent: dict[str, Any]) -> dict[str, Any]:
    """A cut of the user's recording, with the agent's as `target_audio`."""
    system = {"system_prompt": clip.talk.system} if clip.talk.system else {}
    return {
        "id": clip.name,
        "start": 0.0,
        "duration": user["duration"],
        "channel": 0,
        "supervisions": [{**each, "recording_id": user["id"], "channel": 0} for each in supervisions(clip)],
        "recording": user,
        "custom": {"target_audio": agent, "dialogue_id": clip.talk.dialogue_id, **system},
        "type": "MonoCut",
    }


def count_long_texts(clip: ExportClip, output: Output, files: UnitFiles) -> None:
    """Count utterances whose text has more tokens than the speech has frames, so that NeMo cuts it."""
    n = texts_longer_than_frames(clip, output, FRAME_S)
    files.count("texts longer than their frames of 80 ms", n)


def speaker_files(clip: ExportClip, ending: str) -> dict[Role, str]:
    """The name of each speaker's sound file."""
    return {"user": f"{clip.name}-user.{ending}", "assistant": f"{clip.name}-agent.{ending}"}
