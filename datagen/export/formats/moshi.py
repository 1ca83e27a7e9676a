"""moshi-finetune: stereo sound with the assistant on the left, or its codes, word times, and JSON Lines."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.counts import can_count, moshi_words_cut
from datagen.export.files import UnitFiles
from datagen.export.formats.base import Format, Lines
from datagen.export.segments import words_of
from datagen.inspect import Output
from datagen.records import Streams
from datagen.shards.manifest import Manifest

_MAIN = "SPEAKER_MAIN"


class Moshi(Format):
    """moshi-finetune, and trainers that take codes instead of sound.

        train/data.jsonl            {"path": "000000/NAME.flac", "duration": seconds}
        train/000000/NAME.flac      left the assistant, right the user
        train/000000/NAME.json      {"alignments": [[word, [start, end], "SPEAKER_MAIN"], ...]}

    Times are seconds in the file. Only the assistant's words are listed, as in moshi-finetune's own
    annotations. `system_prompt` stands beside them; moshi-finetune does not read it. With the codec
    `codes` there is a `.npy` file for each sound file, and `codes.json` says which tokenizer made them.
    """

    lists: ClassVar[Mapping[str, str]] = {"data": "{split}/data.jsonl"}
    hours: ClassVar[float] = 0.5
    codecs = ("flac", "wav", "codes")

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If both channels have different rates, or the sound format cannot be read by sphn.
        """
        convention.one_rate_hz(output.sample_rate_hz)
        super().__init__(convention, output)
        self._counts = can_count(output)

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write sound or codes, words and line of each conversation."""
        for clip in clips:
            name, split = f"{files.number}/{clip.name}", clip.split
            ending, data, seconds = self._codes(clip) if self.convention.codec == "codes" else _sound(clip)
            files.add(f"{split}/{name}.{ending}", data, "audio", split)
            system = {"system_prompt": clip.talk.system} if clip.talk.system else {}
            words = json.dumps({"alignments": alignments(clip), **system}, ensure_ascii=False)
            files.add(f"{split}/{name}.json", words.encode("utf-8", "backslashreplace"), "words", split)
            files.line("data", split, {"path": f"{name}.{ending}", "duration": seconds})
            if self._counts:
                files.count("words cut by moshi-finetune's frames", moshi_words_cut(clip, self.output))

    def _codes(self, clip: ExportClip) -> tuple[str, bytes, float]:
        """Codes of a conversation as a numpy file: its ending, its bytes, and its seconds."""
        file, streams = BytesIO(), clip.talk.streams
        np.save(file, codes_of(streams, self.output.manifest), allow_pickle=False)
        return "npy", file.getvalue(), clip.at(streams.n_samples)

    def finish(self, splits: Sequence[str], lines: Lines) -> Iterator[tuple[str, bytes]]:  # noqa: ARG002
        """The tokenizer of the codes."""
        manifest = self.output.manifest
        if self.convention.codec == "codes":
            tokenizer, n = manifest.engines["speech_tokenizer"], manifest.row_codebooks
            about = {
                "tokenizer": tokenizer.name,
                "version": tokenizer.version,
                "frame_rate_hz": manifest.clock.frame_rate_hz,
                "codebook_sizes": list(manifest.vocabulary.sizes[:n]),
                "lines": [f"{role} {k}" for role in ("assistant", "user") for k in range(1, n + 1)],
            }
            yield "codes.json", json.dumps(about, indent=1).encode()

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"set data.train_data of moshi-finetune to {to}/train"


def _sound(clip: ExportClip) -> tuple[str, bytes, float]:
    """Sound of a conversation as a file: its ending, its bytes, and its seconds."""
    sound = clip.stereo(("assistant", "user"))
    return clip.convention.codec, clip.encoded(sound), sound.seconds


def codes_of(streams: Streams, manifest: Manifest) -> NDArray[np.int32]:
    """The codebooks that rows have, the assistant's and then the user's: int32 [2 n_codebooks, n_frames].

    These are lines 1 to 2 n_codebooks of a row of `parallel` that is not delayed.
    """
    channels = streams.assistant_codes, streams.user_codes
    frames = [manifest.vocabulary.frames(codes)[:, : manifest.row_codebooks] for codes in channels]
    return np.ascontiguousarray(np.concatenate(frames, axis=1).T.astype(np.int32))


def alignments(clip: ExportClip) -> list[tuple[str, tuple[float, float], str]]:
    """The assistant's words in order of time."""
    words = words_of(clip.segments, "assistant")
    return [(word.text, (clip.at(word.start_samples), clip.at(word.end_samples)), _MAIN) for word in words]
