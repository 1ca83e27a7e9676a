"""The export formats: Lhotse manifests, moshi-finetune, and Hugging Face `datasets`."""

import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import yaml

from datagen.export.target import ExportClip, Target
from datagen.inspect import Sound
from datagen.records import CHANNEL, SPLITS, Role, Spoken
from datagen.shards.schema import CONVERSATIONS, plain
from datagen.shards.tables import to_parquet

SPEAKERS: dict[Role, str] = {"user": "user", "assistant": "agent"}
"""Roles by NeMo's names."""
_MAIN = "SPEAKER_MAIN"
_KEPT = ("dialogue_id", "language", "split", "n_samples", "system", "utterances", "events")
"""Columns of `conversations` in a Hugging Face export, next to the sound."""
_CARD = """# Two-channel conversations

`audio` is stereo, left the user, right the assistant. Times are in samples of the conversation; see `docs/format.md` of
datagen for utterances and events. Playing needs `torchcodec`; without it, `audio` comes as the bytes of a FLAC file:

```python
import datasets

rows = datasets.load_dataset(".").cast_column("audio", datasets.Audio(decode=False))
```
"""


@dataclass
class Lhotse:
    """Lhotse manifests, and cuts as NeMo's duplex speech-to-speech models take them.

        cuts-train.jsonl.gz           a cut per conversation: `recording` the user, `target_audio` the agent
        recordings-train.jsonl.gz     the same as recordings with two channels, 0 the user
        supervisions-train.jsonl.gz   the utterances, each on its channel
        train/000000/NAME-user.flac, NAME-agent.flac

    A supervision is an utterance: `speaker` is `user` or `agent` (NeMo's `input_roles` and
    `output_roles`), `text` its words, `alignment.word` their times. A cut has one channel, so all
    its supervisions are on channel 0. Ids are file names, because Lhotse names files by them;
    `dialogue_id` in `custom` is the id of the dialogue, `system_prompt` its system prompt, if any.
    """

    target: Target

    def add(self, clip: ExportClip) -> None:
        """Write both channels, the cut, the recording and its supervisions."""
        split = clip.talk.split
        keys = {role: f"{split}/{clip.name}-{speaker}.flac" for role, speaker in SPEAKERS.items()}
        if not all(self.target.exists(key) for key in keys.values()):
            sound = clip.sound
            for role, key in keys.items():
                self.target.create(key, sound.channel(role).encode("flac"))
        name = clip.name.rpartition("/")[2]
        said = [_supervision(clip, name, k, u) for k, u in _heard(clip)]
        paths = [str((self.target.root / key).absolute()) for key in keys.values()]
        self.target.line(f"recordings-{split}.jsonl.gz", _recording(clip, name, *paths))
        for supervision in said:
            self.target.line(f"supervisions-{split}.jsonl.gz", supervision)
        self.target.line(f"cuts-{split}.jsonl.gz", _cut(clip, name, paths, said))

    def finish(self) -> str:
        """Instructions for reading it."""
        return f"Next:  lhotse.CutSet.from_file({str(self.target.root / 'cuts-train.jsonl.gz')!r})"


def _heard(clip: ExportClip) -> list[tuple[int, Spoken]]:
    """Utterances with text, in order of time, with their indices."""
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
        "custom": {"target_audio": _recording(clip, f"{name}-agent", agent), "dialogue_id": clip.talk.dialogue_id}
        | _system(clip),
        "type": "MonoCut",
    }


def _system(clip: ExportClip) -> dict[str, str]:
    """The system prompt of a dialogue that has one."""
    system = clip.talk.system
    return {"system_prompt": system} if system else {}


@dataclass
class Moshi:
    """moshi-finetune: stereo WAV with the assistant on the left, its word times, and JSON Lines.

        train.jsonl                 {"path": "train/000000/NAME.wav", "duration": seconds}
        train/000000/NAME.wav       left the assistant, right the user
        train/000000/NAME.json      {"alignments": [[word, [start, end], "SPEAKER_MAIN"], ...]}

    Times are seconds in the file. Only the assistant's words are listed, as in moshi-finetune's own
    annotations.
    """

    target: Target

    def add(self, clip: ExportClip) -> None:
        """Write sound, words and line of a conversation."""
        split = clip.talk.split
        name = f"{split}/{clip.name}"
        self.target.create(f"{name}.json", json.dumps({"alignments": alignments(clip)}, ensure_ascii=False).encode())
        if not self.target.exists(f"{name}.wav"):
            sound = clip.sound
            self.target.create(f"{name}.wav", Sound(sound.samples[:, ::-1], sound.rate_hz).encode("wav"))
        self.target.line(f"{split}.jsonl", {"path": f"{name}.wav", "duration": clip.seconds})

    def finish(self) -> str:
        """Instructions for reading it."""
        return f"Next:  set data.train_data of moshi-finetune to {self.target.root / 'train.jsonl'}"


def alignments(clip: ExportClip) -> list[tuple[str, tuple[float, float], str]]:
    """The assistant's words in order of time."""
    words = [word for u in clip.talk.streams.utterances if u.role == "assistant" for word in u.words]
    words.sort(key=lambda word: (word.start_samples, word.end_samples))
    return [(word.text, (clip.at(word.start_samples), clip.at(word.end_samples)), _MAIN) for word in words]


@dataclass
class HuggingFace:
    """Hugging Face `datasets`: Parquet files with an Audio feature, and a card that names the splits.

        README.md                        splits for `datasets.load_dataset`
        data/train-000000.parquet        conversations of a unit and split

    `audio` is a stereo FLAC file, left the user. Decoding it needs torchcodec;
    `Audio(decode=False)` gives its bytes.
    """

    target: Target
    _unit: list[ExportClip] = field(default_factory=list)
    """Clips of one unit, not written yet."""
    _splits: set[str] = field(default_factory=set)

    def add(self, clip: ExportClip) -> None:
        """Keep a clip; the first of a unit writes the unit before."""
        if self._unit and self._unit[0].talk.unit != clip.talk.unit:
            self._flush()
        self._unit.append(clip)

    def _flush(self) -> None:
        for split in SPLITS:
            clips = [clip for clip in self._unit if clip.talk.split == split]
            if clips:
                self._splits.add(split)
                key = f"data/{split}-{clips[0].talk.unit:06d}.parquet"
                if not self.target.exists(key):
                    self.target.create(key, to_parquet(_table(clips)))
        self._unit = []

    def finish(self) -> str:
        """Write the remaining clips and the card."""
        self._flush()
        files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in SPLITS if split in self._splits]
        front = yaml.safe_dump({"configs": [{"config_name": "default", "data_files": files}]}, sort_keys=False)
        self.target.create("README.md", f"---\n{front}---\n\n{_CARD}".encode())
        return f"Next:  datasets.load_dataset({str(self.target.root)!r})"


def _table(clips: list[ExportClip]) -> pa.Table:
    import datasets

    kept = pa.schema([CONVERSATIONS.field(name) for name in _KEPT])
    features = datasets.Features.from_arrow_schema(kept)
    features["audio"] = datasets.Audio(sampling_rate=clips[0].rate_hz)
    return pa.Table.from_pylist([_row(clip) for clip in clips], schema=features.arrow_schema)


def _row(clip: ExportClip) -> dict[str, Any]:
    streams = clip.talk.streams
    row = {name: getattr(streams, name) for name in _KEPT}
    row["utterances"] = [plain(u) for u in streams.utterances]
    row["events"] = [plain(event) for event in streams.events]
    return {**row, "audio": {"bytes": clip.sound.encode("flac"), "path": f"{clip.name.rpartition('/')[2]}.flac"}}
