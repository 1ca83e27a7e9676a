"""Takes → Timeline: when each take starts, stops, and where it is cut."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from datagen import seeds
from datagen.phrases import end_of_unit, heard, places, said_by, time_at
from datagen.recipe import Timing
from datagen.records import FLOOR, BargeIn, Event, Placed, Reject, Role, Take, Takes, Timeline, Utterance, Word
from datagen.units import ms_to_samples, round_up


class Place:
    """Place the takes of a script: first those that hold the floor, then what is heard beside them.

    The floor goes from utterance to utterance as offsets and barge-ins say. A barge-in starts inside the other's
    utterance before it; the other stops one reaction later, and its audio, words and text end there (law 8). What is
    heard beside the floor moves nothing: where there is no room for it, it is cut to nothing and an event says so.
    """

    def __init__(self, timing: Timing, sample_rate_hz: int, chunk_samples: int, run_seed: int) -> None:
        """Take the timing, the clock, the chunk to which conversations are filled up, and the seed."""
        self._timing, self._rate, self._chunk, self._seed = timing, sample_rate_hz, chunk_samples, run_seed

    def __call__(self, batch: Sequence[Takes]) -> list[Timeline | Reject]:
        """Place each conversation."""
        return [self._timeline(takes) for takes in batch]

    def _timeline(self, takes: Takes) -> Timeline:
        stage = _Stage(takes)
        for index, utterance in enumerate(takes.script.utterances):
            if utterance.kind in FLOOR:
                stage.take_floor(index, utterance)
        stage.place_beside()
        dialogue_id = takes.script.dialogue.id
        tail_ms = self._timing.tail.draw(seeds.rng(self._seed, dialogue_id, "place", "tail"))
        placed = tuple(stage.placed[index] for index in range(len(takes.takes)))
        end = max((p.end_samples for p in placed), default=0) + ms_to_samples(tail_ms, self._rate)
        events = sorted(stage.events, key=lambda e: (e.start_samples, e.end_samples, e.utterance))
        return Timeline(takes, placed, tuple(events), round_up(end, self._chunk))


@dataclass
class _Stage:
    """A conversation while its takes are placed."""

    takes: Takes
    placed: dict[int, Placed] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    _floor: list[int] = field(default_factory=list)
    """Utterances that hold the floor, as far as they are placed."""
    _ends: dict[Role, int] = field(default_factory=lambda: {"user": 0, "assistant": 0})
    """Where each speaker's last utterance on the floor ends."""

    def take_floor(self, index: int, utterance: Utterance) -> None:
        """Place the next utterance that holds the floor."""
        start = self._interrupt(index, utterance, utterance.barge_in) if utterance.barge_in else None
        if start is None:
            start = self._follow(index, utterance)
        whole = _whole(self.takes.takes[index], start, utterance.spoken)
        self.placed[index] = whole
        self._ends[utterance.role] = whole.end_samples
        self._floor.append(index)
        if utterance.event in ("correction", "prompt"):
            self._note(utterance.event, utterance.role, whole.start_samples, whole.end_samples, index)

    def _follow(self, index: int, utterance: Utterance) -> int:
        """Start at the scripted offset from the end of the floor-holder's last utterance.

        Never within one's own last utterance, and never so early that one ends before the other does.
        """
        if not self._floor:
            return max(utterance.offset_samples, 0)
        end = self.placed[self._floor[-1]].end_samples
        wanted = end + utterance.offset_samples
        in_time = self._in_time_for_next(index)
        start = max(wanted, end - len(self.takes.takes[index].audio), self._ends[utterance.role], in_time)
        self._note_transfer(index, utterance, start, start == wanted)
        return start

    def _in_time_for_next(self, index: int) -> int:
        """Earliest start that lets the other, who may still speak, barge in at the very word that is named."""
        utterances = self.takes.script.utterances
        following = next((u for u in utterances[index + 1 :] if u.kind in FLOOR), None)
        if following is None or following.barge_in is None or following.barge_in.at_characters is None:
            return 0
        words, spoken = self.takes.takes[index].words, utterances[index].spoken
        return self._ends[following.role] - said_by(words, spoken, following.barge_in.at_characters)

    def _note_transfer(self, index: int, utterance: Utterance, start: int, as_drawn: bool) -> None:
        """The event that the time before an utterance is."""
        before = self._floor[-1]
        end = self.placed[before].end_samples
        if utterance.event == "hesitation":
            self._note("hesitation", utterance.role, self._stuck_since(utterance), start, index)
        elif utterance.event in ("user_silent", "prompt"):
            self._note("user_silent", "user", end, start, index)
        elif self.takes.script.utterances[before].role != utterance.role:
            kind = "gap" if start >= end else "overlap"
            self._note(kind, utterance.role, min(start, end), max(start, end), index, as_drawn)

    def _stuck_since(self, utterance: Utterance) -> int:
        """Where the words of a turn before a hesitation end; where its filler starts if there are none."""
        utterances = self.takes.script.utterances
        own = [k for k in self._floor if (utterances[k].turn, utterances[k].role) == (utterance.turn, utterance.role)]
        said = [k for k in own if utterances[k].kind == "turn"]
        return self.placed[said[-1]].end_samples if said else self.placed[own[0]].start_samples

    def _interrupt(self, index: int, utterance: Utterance, barge_in: BargeIn) -> int | None:
        """Cut the other's utterance, placed last, and tell where this one starts; None if there is no room."""
        if not self._floor:
            return None
        before = self._floor[-1]
        other = self.placed[before]
        start = max(self._place_of(barge_in, before), self._ends[utterance.role])
        if start >= other.end_samples:
            follows = max(other.end_samples + utterance.offset_samples, self._ends[utterance.role])
            self._note("barge_in", utterance.role, follows, follows, index, placed=False)
            return None
        stop = min(start + barge_in.reaction_samples, other.end_samples)
        if barge_in.finish_word:
            word = next((w for w in other.words if w.start_samples < stop < w.end_samples), None)
            stop = end_of_unit(word, stop) if word else stop
        self.placed[before] = cut(other, stop)
        self._ends[self.takes.script.utterances[before].role] = self.placed[before].end_samples
        for kind in ("barge_in", "competition") if barge_in.competition else ("barge_in",):
            self._note(kind, utterance.role, start, stop, index)
        return start

    def _place_of(self, barge_in: BargeIn, before: int) -> int:
        """Where a barge-in is to start in an utterance: where a word ends, or at a share but after the first word."""
        other, take = self.placed[before], self.takes.takes[before]
        if barge_in.at_characters is not None:
            spoken = self.takes.script.utterances[before].spoken
            return other.start_samples + said_by(take.words, spoken, barge_in.at_characters)
        words = (word for word in other.words if word.end_samples > word.start_samples)
        earliest = next((end_of_unit(word, word.start_samples + 1) for word in words), 0)
        return max(other.start_samples + int(barge_in.at * len(take.audio)), earliest)

    def place_beside(self) -> None:
        """Place what is heard beside the floor, each beside the last turn before it in the script."""
        utterances = self.takes.script.utterances
        host, own_end = -1, {"user": 0, "assistant": 0}
        following = self._following_starts()
        for index, utterance in enumerate(utterances):
            if utterance.kind == "turn":
                host = index
            if utterance.kind not in FLOOR:
                self._place_beside(index, utterance, host, own_end[utterance.role], following[index])
            own_end[utterance.role] = self.placed[index].end_samples

    def _following_starts(self) -> list[int | None]:
        """For each utterance where its speaker's next one on the floor starts, if there is one."""
        following: dict[Role, int] = {}
        found: list[int | None] = []
        for index in reversed(range(len(self.takes.takes))):
            role = self.takes.script.utterances[index].role
            found.append(following.get(role))
            if index in self.placed:
                following[role] = self.placed[index].start_samples
        return found[::-1]

    def _place_beside(self, index: int, utterance: Utterance, host: int, earliest: int, latest: int | None) -> None:
        """Place a token beside a turn if its speaker is free and the turn goes so far; cut it to nothing if not."""
        within, take = utterance.within, self.takes.takes[index]
        if within is None or host < 0:
            raise ValueError(f"utterance {index} ({utterance.kind}) is heard beside no turn")
        turn, turn_take = self.placed[host], self.takes.takes[host]
        at = time_at(turn_take.words, self.takes.script.utterances[host].spoken, within.at_characters)
        start = turn.start_samples + at + within.delay_samples
        whole = _whole(take, start, utterance.spoken)
        if within.give_up_samples is not None:
            whole = cut(whole, start + within.give_up_samples)
        is_said = not turn.n_cut_samples or start < turn.end_samples
        fits = earliest <= start < whole.end_samples and (latest is None or whole.end_samples <= latest)
        placed = is_said and fits
        if not placed:
            nowhere = max(min(start, turn.end_samples), earliest)
            nowhere = nowhere if latest is None else min(nowhere, latest)
            whole = cut(_whole(take, nowhere, utterance.spoken), nowhere)
        self.placed[index] = whole
        self._note(utterance.event, utterance.role, whole.start_samples, whole.end_samples, index, placed)

    def _note(self, kind: str, role: Role, start: int, end: int, index: int, placed: bool = True) -> None:
        self.events.append(Event(kind, role, start, end, index, placed))


def _whole(take: Take, start: int, spoken: str) -> Placed:
    words = tuple(Word(w.text, start + w.start_samples, start + w.end_samples) for w in take.words)
    return Placed(start, start + len(take.audio), words, spoken, "", 0)


def cut(placed: Placed, stop_samples: int) -> Placed:
    """End an utterance at `stop_samples`: audio at the sample, words and text after the last word said.

    A word is said if more than half of it is heard; what is not said is kept as `unsaid`. Chinese, which has no
    spaces, is cut at a character instead.

    >>> cut(Placed(0, 100, (Word("good", 0, 40), Word("morning", 50, 100)), "good morning", "", 0), 60)
    ... # doctest: +NORMALIZE_WHITESPACE
    Placed(start_samples=0, end_samples=60, words=(Word(text='good', start_samples=0, end_samples=40),),
           said='good', unsaid='morning', n_cut_samples=40)
    """
    if stop_samples >= placed.end_samples:
        return placed
    text, words, n_said = placed.said, list[Word](), 0
    for word, (first, last) in zip(placed.words, places(placed.words, text), strict=True):
        n_heard = heard(replace(word, text=text[first:last]), stop_samples)
        if n_heard:
            shown = word.text if n_heard == last - first else text[first : first + n_heard]
            words.append(Word(shown, word.start_samples, min(word.end_samples, stop_samples)))
            n_said = first + n_heard
        if n_heard < last - first:
            break
    n_cut_samples = placed.n_cut_samples + placed.end_samples - stop_samples
    said, unsaid = " ".join(text[:n_said].split()), " ".join([*text[n_said:].split(), *placed.unsaid.split()])
    return Placed(placed.start_samples, stop_samples, tuple(words), said, unsaid, n_cut_samples)
