"""The decision on `mix.keep_audio: auto`: audio is kept if the input is short enough, by its words or recordings."""

from collections.abc import Iterable, Iterator

from datagen.pipeline.select import count_words
from datagen.recipe.mix_config import MixConfig
from datagen.records import Dialogue, Reject

WORDS_PER_HOUR = 10_200
"""Words of both speakers per hour of conversation, gaps included: measured on the quickstart recipe."""


class KeptAudio:
    """Sums the lengths of the planned dialogues, estimated from their words, and decides whether their audio is kept.

    >>> from datagen.records import Turn
    >>> keep = KeptAudio(MixConfig(keep_audio_hours=1))
    >>> talks = [Dialogue(name, (Turn("user", "well " * 6_000),)) for name in "ab"]
    >>> _ = list(keep.counted(talks[:1]))
    >>> keep.decided, len(list(keep.counted(talks[1:]))), keep.decided
    (True, 1, False)
    """

    def __init__(self, mix: MixConfig, sample_rate_hz: int = 24_000) -> None:
        """Set the recipe section with the limit, and the sample rate of recordings."""
        self._mix, self._rate, self._hours = mix, sample_rate_hz, 0.0

    def counted(self, records: Iterable[Dialogue | Reject]) -> Iterator[Dialogue | Reject]:
        """The records, counted as they pass; none is counted once the limit is exceeded."""
        for record in records:
            if isinstance(record, Dialogue) and self._is_short:
                self._hours += self._length(record)
            yield record

    @property
    def decided(self) -> bool:
        """True if the audio is kept."""
        return self._is_short if self._mix.keep_audio == "auto" else self._mix.keep_audio

    @property
    def _is_short(self) -> bool:
        return self._hours <= self._mix.keep_audio_hours

    def _length(self, dialogue: Dialogue) -> float:
        if dialogue.recorded is not None:
            return dialogue.recorded.n_samples / self._rate / 3600
        return sum(count_words(turn.text) for turn in dialogue.turns) / WORDS_PER_HOUR
