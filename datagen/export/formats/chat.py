"""Chat messages with a clip per turn: JSON Lines for ms-swift, Qwen-Omni and Kimi-Audio."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from datagen.errors import DatagenError
from datagen.export.clip import ExportClip
from datagen.export.convention import CHOSEN_KINDS, Convention
from datagen.export.files import UnitFiles
from datagen.export.formats.base import Format
from datagen.export.segments import Segment, joined
from datagen.inspect import Output, Sound
from datagen.records import Role


class Chat(Format):
    """Chat messages.

        train/data.jsonl              {"messages": [...], "audios": ["000000/NAME-00.flac", ...], ...}
        train/000000/NAME-00.flac     the clip of a turn, from the speaker's own channel

    A user's message is `<audio>`, and its clip stands in `audios`, in order; an assistant's message is
    its text. `turns` has the clip, text and times of every turn, the assistant's included. Speech that
    holds no floor is no turn, so it is merged or dropped. Paths are relative to the split's folder.
    """

    lists: ClassVar[Mapping[str, str]] = {"data": "{split}/data.jsonl"}
    hours: ClassVar[float] = 0.5
    defaults: ClassVar[Mapping[str, Any]] = {"kinds": dict.fromkeys(CHOSEN_KINDS, "drop")}

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If speech that holds no floor should be listed by itself.
        """
        super().__init__(convention, output)
        tagged = [kind for kind, how in convention.kinds.items() if how == "tag"]
        if tagged:
            raise DatagenError(f"a chat has only turns: use --kind {tagged[0]}=drop or --kind {tagged[0]}=merge")

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write the clips and the line of each conversation."""
        for clip in clips:
            turns = turns_of(clip.segments)
            sounds: dict[Role, Sound] = {"user": clip.sound("user"), "assistant": clip.sound("assistant")}
            keys = []
            for number, turn in enumerate(turns):
                key = f"{files.number}/{clip.name}-{number:02d}.{clip.convention.codec}"
                data = clip.encoded(_cut(sounds[turn.role], turn, clip))
                files.add(f"{clip.split}/{key}", data, "audio", clip.split)
                keys.append(key)
            files.line("data", clip.split, _line(clip, turns, keys))

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"cd {to}/train; swift sft --dataset data.jsonl  (its paths are relative)"


def turns_of(found: Sequence[Segment]) -> list[Segment]:
    """Segments in the order of their start, with neighbours of one speaker joined."""
    turns: list[list[Segment]] = []
    for segment in found:
        if turns and turns[-1][0].role == segment.role:
            turns[-1].append(segment)
        else:
            turns.append([segment])
    return [joined(parts, parts[0]) for parts in turns]


def _cut(sound: Sound, turn: Segment, clip: ExportClip) -> Sound:
    first, last = (round(clip.at(at) * sound.rate_hz) for at in (turn.start_samples, turn.end_samples))
    return Sound(sound.samples[first:last], sound.rate_hz)


def _line(clip: ExportClip, turns: Sequence[Segment], keys: Sequence[str]) -> dict[str, Any]:
    messages = [{"role": "system", "content": clip.talk.system}] if clip.talk.system else []
    messages += [{"role": t.role, "content": "<audio>" if t.role == "user" else t.text} for t in turns]
    return {
        "messages": messages,
        "audios": [key for key, turn in zip(keys, turns, strict=True) if turn.role == "user"],
        "id": clip.talk.dialogue_id,
        "language": clip.talk.streams.language,
        "turns": [
            {
                "role": t.role,
                "audio": key,
                "text": t.text,
                "start": clip.at(t.start_samples),
                "end": clip.at(t.end_samples),
            }
            for key, t in zip(keys, turns, strict=True)
        ],
    }
