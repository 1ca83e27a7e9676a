"""A format as a user may write it."""

from datagen.export.formats.base import Format


class Lengths(Format):
    """A list of lengths."""

    lists = {"lengths": "{split}.txt"}  # noqa: RUF012

    def write(self, clips, files):
        for clip in clips:
            files.line("lengths", clip.split, [clip.talk.dialogue_id, clip.talk.streams.n_samples])

    def next_step(self, to):
        return f"cat {to}/train.txt"
