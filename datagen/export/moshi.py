"""moshi-finetune: stereo WAV with the assistant on the left, when it says which word beside it, and JSON Lines.

    train.jsonl                 {"path": "train/000000/NAME.wav", "duration": seconds}
    train/000000/NAME.wav       left the assistant, right the user
    train/000000/NAME.json      {"alignments": [[word, [start, end], "SPEAKER_MAIN"], ...]}

Times are seconds in the file. Only the assistant's words are listed, as moshi-finetune's own annotations do.
"""

import json

from datagen.export.target import ExportClip, Target
from datagen.inspect import Sound

_MAIN = "SPEAKER_MAIN"


class Moshi:
    """Writes the format."""

    def __init__(self, target: Target) -> None:
        """Take the place."""
        self._target = target

    def add(self, clip: ExportClip) -> None:
        """Write sound, words and line of a conversation."""
        split = clip.talk.split
        name = f"{split}/{clip.name}"
        self._target.create(f"{name}.json", json.dumps({"alignments": alignments(clip)}, ensure_ascii=False).encode())
        if not self._target.exists(f"{name}.wav"):
            sound = clip.sound
            self._target.create(f"{name}.wav", Sound(sound.samples[:, ::-1], sound.rate_hz).encode("wav"))
        self._target.line(f"{split}.jsonl", {"path": f"{name}.wav", "duration": clip.seconds})

    def finish(self) -> str:
        """Nothing more to write."""
        return f"Next:  set data.train_data of moshi-finetune to {self._target.root / 'train.jsonl'}"


def alignments(clip: ExportClip) -> list[tuple[str, tuple[float, float], str]]:
    """The assistant's words in order of time."""
    words = [word for u in clip.talk.streams.utterances if u.role == "assistant" for word in u.words]
    words.sort(key=lambda word: (word.start_samples, word.end_samples))
    return [(word.text, (clip.at(word.start_samples), clip.at(word.end_samples)), _MAIN) for word in words]
