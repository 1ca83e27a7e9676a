"""moshi-finetune: stereo sound with the assistant on the left, its word times, and JSON Lines."""

import json
from collections.abc import Iterable, Mapping
from typing import ClassVar

from datagen.errors import DatagenError
from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.counts import can_count, moshi_words_cut
from datagen.export.files import UnitFiles
from datagen.export.formats.base import Format
from datagen.export.segments import words_of
from datagen.inspect import Output

_MAIN = "SPEAKER_MAIN"


class Moshi(Format):
    """moshi-finetune.

        train/data.jsonl            {"path": "000000/NAME.flac", "duration": seconds}
        train/000000/NAME.flac      left the assistant, right the user
        train/000000/NAME.json      {"alignments": [[word, [start, end], "SPEAKER_MAIN"], ...]}

    Times are seconds in the file. Only the assistant's words are listed, as in moshi-finetune's own
    annotations. `system_prompt` stands beside them; moshi-finetune does not read it.
    """

    lists: ClassVar[Mapping[str, str]] = {"data": "{split}/data.jsonl"}
    hours: ClassVar[float] = 0.5

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If both channels have different rates, or the sound format cannot be read by sphn.
        """
        convention.one_rate_hz(output.sample_rate_hz)
        if convention.codec == "opus":
            raise DatagenError("moshi-finetune reads stereo sound with sphn; use --codec flac or wav")
        super().__init__(convention, output)
        self._counts = can_count(output)

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write sound, words and line of each conversation."""
        for clip in clips:
            sound, codec = clip.stereo(("assistant", "user")), clip.convention.codec
            name, split = f"{files.number}/{clip.name}", clip.split
            files.add(f"{split}/{name}.{codec}", clip.encoded(sound), "audio", split)
            system = {"system_prompt": clip.talk.system} if clip.talk.system else {}
            words = json.dumps({"alignments": alignments(clip), **system}, ensure_ascii=False)
            files.add(f"{split}/{name}.json", words.encode("utf-8", "backslashreplace"), "words", split)
            files.line("data", split, {"path": f"{name}.{codec}", "duration": sound.seconds})
            if self._counts:
                files.count("words cut by moshi-finetune's frames", moshi_words_cut(clip, self.output))

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"set data.train_data of moshi-finetune to {to}/train"


def alignments(clip: ExportClip) -> list[tuple[str, tuple[float, float], str]]:
    """The assistant's words in order of time."""
    words = words_of(clip.segments, "assistant")
    return [(word.text, (clip.at(word.start_samples), clip.at(word.end_samples)), _MAIN) for word in words]
