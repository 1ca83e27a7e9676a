"""Lhotse manifests, and cuts as NeMo's duplex speech-to-speech models take them.

    cuts-train.jsonl.gz           a cut a conversation: `recording` the user, `target_audio` the agent
    recordings-train.jsonl.gz     the same as recordings of two channels, 0 the user
    supervisions-train.jsonl.gz   what is said in them, on its channel
    train/000000/NAME-user.flac, NAME-agent.flac

A supervision is an utterance that is heard: `speaker` is `user` or `agent` (NeMo's `input_roles`, `output_roles`),
`text` what is said, `alignment.word` the words. In a cut, which has one channel, all stand on channel 0. Ids are
names of files, since Lhotse names files by them; the dialogue's own id is `dialogue_id` in `custom`.
"""

from typing import Any

from datagen.export.target import ExportClip, Target
from datagen.records import CHANNEL, Role, Spoken

SPEAKERS: dict[Role, str] = {"user": "user", "assistant": "agent"}
"""Roles by NeMo's names."""


class Lhotse:
    """Writes the format."""

    def __init__(self, target: Target) -> None:
        """Take the place."""
        self._target = target

    def add(self, clip: ExportClip) -> None:
        """Write both channels, the cut, the recording and its supervisions."""
        split = clip.talk.split
        keys = {role: f"{split}/{clip.name}-{speaker}.flac" for role, speaker in SPEAKERS.items()}
        if not all(self._target.exists(key) for key in keys.values()):
            sound = clip.sound
            for role, key in keys.items():
                self._target.create(key, sound.channel(role).encode("flac"))
        name = clip.name.rpartition("/")[2]
        said = [_supervision(clip, name, k, u) for k, u in _heard(clip)]
        paths = [str((self._target.root / key).absolute()) for key in keys.values()]
        self._target.line(f"recordings-{split}.jsonl.gz", _recording(clip, name, *paths))
        for supervision in said:
            self._target.line(f"supervisions-{split}.jsonl.gz", supervision)
        self._target.line(f"cuts-{split}.jsonl.gz", _cut(clip, name, paths, said))

    def finish(self) -> str:
        """Nothing more to write."""
        return f"Next:  lhotse.CutSet.from_file({str(self._target.root / 'cuts-train.jsonl.gz')!r})"


def _heard(clip: ExportClip) -> list[tuple[int, Spoken]]:
    """Utterances that say something, in order of time, with their places among all."""
    heard = [(k, u) for k, u in enumerate(clip.talk.streams.utterances) if u.said and u.end_samples > u.start_samples]
    return sorted(heard, key=lambda each: (each[1].start_samples, each[0]))


def _supervision(clip: ExportClip, name: str, index: int, u: Spoken) -> dict[str, Any]:
    words = [[w.text, clip.at(w.start_samples), clip.at(w.end_samples - w.start_samples)] for w in u.words]
    return {
        "id": f"{name}-{index}",
        "recording_id": name,
        "start": clip.at(u.start_samples),
        "duration": clip.at(u.end_samples - u.start_samples),
        "channel": CHANNEL[u.role],
        "text": u.said,
        "language": clip.talk.streams.language,
        "speaker": SPEAKERS[u.role],
        "custom": {"kind": u.kind, "turn": u.turn, "voice": u.voice, "unsaid": u.unsaid},
        "alignment": {"word": words},
    }


def _recording(clip: ExportClip, name: str, *paths: str) -> dict[str, Any]:
    return {
        "id": name,
        "sources": [{"type": "file", "channels": [k], "source": path} for k, path in enumerate(paths)],
        "sampling_rate": clip.rate_hz,
        "num_samples": clip.n_samples,
        "duration": clip.seconds,
        "channel_ids": list(range(len(paths))),
    }


def _cut(clip: ExportClip, name: str, paths: list[str], said: list[dict[str, Any]]) -> dict[str, Any]:
    user, agent = paths
    return {
        "id": name,
        "start": 0.0,
        "duration": clip.seconds,
        "channel": 0,
        "supervisions": [{**each, "recording_id": f"{name}-user", "channel": 0} for each in said],
        "recording": _recording(clip, f"{name}-user", user),
        "custom": {"target_audio": _recording(clip, f"{name}-agent", agent), "dialogue_id": clip.talk.dialogue_id},
        "type": "MonoCut",
    }
