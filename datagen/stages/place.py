"""Takes → Timeline: when each take starts, stops, and where it is cut."""

from collections.abc import Sequence

from datagen import seeds
from datagen.recipe import Timing
from datagen.records import BargeIn, Event, Placed, Reject, Take, Takes, Timeline, Utterance, Word
from datagen.units import ms_to_samples, round_up


class Place:
    """Place the takes of a script one after the other, as its offsets and barge-ins say.

    A barge-in starts inside the assistant's take before it; the assistant stops one reaction later, and its
    audio, words and text end there (law 8). A word is said if more than half of it is heard.
    """

    def __init__(self, timing: Timing, sample_rate_hz: int, chunk_samples: int, run_seed: int) -> None:
        """Take the timing, the clock, the chunk to which conversations are filled up, and the seed."""
        self._timing, self._rate, self._chunk, self._seed = timing, sample_rate_hz, chunk_samples, run_seed

    def __call__(self, batch: Sequence[Takes]) -> list[Timeline | Reject]:
        """Place each conversation."""
        return [self._timeline(takes) for takes in batch]

    def _timeline(self, takes: Takes) -> Timeline:
        placed: list[Placed] = []
        events: list[Event] = []
        for utterance, take in zip(takes.script.utterances, takes.takes, strict=True):
            start = None
            if placed and utterance.barge_in:
                start = self._interrupt(placed, events, utterance.barge_in, takes.takes[len(placed) - 1])
            if start is None:
                start = self._follow(placed, utterance)
            placed.append(_whole(take, start, utterance.spoken))
        dialogue_id = takes.script.dialogue.id
        tail_ms = self._timing.tail.draw(seeds.rng(self._seed, dialogue_id, "place", "tail"))
        end = max((p.end_samples for p in placed), default=0) + ms_to_samples(tail_ms, self._rate)
        return Timeline(takes, tuple(placed), tuple(events), round_up(end, self._chunk))

    def _follow(self, placed: list[Placed], utterance: Utterance) -> int:
        """Start at the scripted offset from the end before, but never within one's own last utterance."""
        other_end = placed[-1].end_samples if placed else 0
        return max(other_end + utterance.offset_samples, _own_end(placed))

    def _interrupt(self, placed: list[Placed], events: list[Event], barge_in: BargeIn, take: Take) -> int | None:
        """Cut the assistant's take, placed last, and tell where the user starts; None if it is over by then."""
        other = placed[-1]
        n_samples = other.end_samples - other.start_samples
        first_word_end = next((w.end_samples for w in take.words if w.end_samples), 0)
        start = max(other.start_samples + max(int(barge_in.at * n_samples), first_word_end), _own_end(placed))
        if start >= other.end_samples:
            return None
        stop = min(start + barge_in.reaction_samples, other.end_samples)
        placed[-1] = cut(other, stop)
        events.append(Event("barge_in", "user", start, stop, len(placed)))
        return start


def _own_end(placed: list[Placed]) -> int:
    """Where the next speaker's own last utterance ends; speakers alternate."""
    return placed[-2].end_samples if len(placed) > 1 else 0


def _whole(take: Take, start: int, spoken: str) -> Placed:
    words = tuple(Word(w.text, start + w.start_samples, start + w.end_samples) for w in take.words)
    return Placed(start, start + len(take.audio), words, spoken, "", 0)


def cut(placed: Placed, stop_samples: int) -> Placed:
    """End an utterance at `stop_samples`: audio at the sample, words and text after the last word said.

    A word is said if more than half of it is heard; what is not said is kept as `unsaid`.

    >>> cut(Placed(0, 100, (Word("good", 0, 40), Word("morning", 50, 100)), "good morning", "", 0), 60)
    ... # doctest: +NORMALIZE_WHITESPACE
    Placed(start_samples=0, end_samples=60, words=(Word(text='good', start_samples=0, end_samples=40),),
           said='good', unsaid='morning', n_cut_samples=40)
    """
    if stop_samples >= placed.end_samples:
        return placed
    said = tuple(
        Word(w.text, w.start_samples, min(w.end_samples, stop_samples))
        for w in placed.words
        if w.start_samples + w.end_samples < 2 * stop_samples
    )
    texts = placed.said.split()
    return Placed(
        placed.start_samples,
        stop_samples,
        said,
        " ".join(texts[: len(said)]),
        " ".join(texts[len(said) :]),
        placed.end_samples - stop_samples,
    )
