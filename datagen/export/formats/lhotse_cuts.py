"""Lhotse manifests with sound files, and cuts as NeMo's duplex speech-to-speech models take them."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.counts import can_count
from datagen.export.files import UnitFiles
from datagen.export.formats.base import Format
from datagen.export.formats.lhotse_common import count_long_texts, cut, recording, speaker_files, supervisions
from datagen.inspect import Output


class LhotseCuts(Format):
    """Lhotse manifests.

        train/cuts.jsonl.gz           a cut per conversation: `recording` the user, `target_audio` the agent
        train/recordings.jsonl.gz     the same as recordings with two channels, 0 the user
        train/supervisions.jsonl.gz   the utterances, each on its channel
        train/000000/NAME-user.flac, NAME-agent.flac

    Paths are relative to the export. A supervision is an utterance: `text` its words,
    `alignment.word` their times. A cut has one channel, so all its supervisions are on channel 0.
    Ids are file names; `dialogue_id` in `custom` is the id of the dialogue, `system_prompt` its
    system prompt, if any. Recordings of two channels need equal rates and are left out otherwise.
    """

    lists: ClassVar[Mapping[str, str]] = {
        "cuts": "{split}/cuts.jsonl.gz",
        "recordings": "{split}/recordings.jsonl.gz",
        "supervisions": "{split}/supervisions.jsonl.gz",
    }
    hours: ClassVar[float] = 0.5

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write."""
        super().__init__(convention, output)
        self._counts = can_count(output)

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write both channels, the cut, the recording and its supervisions of each conversation."""
        for clip in clips:
            found = []
            for role, name in speaker_files(clip, self.convention.codec).items():
                sound, key = clip.sound(role), f"{clip.split}/{files.number}/{name}"
                files.add(key, clip.encoded(sound), "audio", clip.split)
                found.append(recording(name.rpartition(".")[0], len(sound.samples), sound.rate_hz, [key]))
            user, agent = found
            files.line("cuts", clip.split, cut(clip, user, agent))
            if user["sampling_rate"] == agent["sampling_rate"]:
                both = [source["source"] for each in found for source in each["sources"]]
                files.line(
                    "recordings", clip.split, recording(clip.name, user["num_samples"], user["sampling_rate"], both)
                )
                for supervision in supervisions(clip):
                    files.line("supervisions", clip.split, supervision)
            if self._counts:
                count_long_texts(clip, self.output, files)

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"cd {to}; lhotse.CutSet.from_file('train/cuts.jsonl.gz')  (its paths are relative)"
