"""Takes → Timeline: start, end and cut of each take."""

from dataclasses import dataclass, field, replace

from datagen import seeds
from datagen.clock import ms_to_samples, round_up
from datagen.pipeline.step import PipelineStage
from datagen.recipe import TimingConfig
from datagen.records import FLOOR, BargeIn, Event, Placed, PlacedCall, Role, Take, Takes, Timeline, Utterance, Word
from datagen.text.phrases import end_of_unit, heard, places, said_by, time_at, units
from datagen.text.references import is_content


class Place(PipelineStage[Takes, Timeline]):
    """Place the takes of a script: first those that hold the floor, then those that overlap it.

    The floor passes from utterance to utterance by offsets and barge-ins. A barge-in starts inside
    the other's preceding utterance; the other stops one reaction later, and its audio, words and
    text end there (law 8). Nobody answers before the middle of the other's last content word, or
    earlier than the recipe allows (law 9), and no answer that a tool is needed for begins before the
    tool's result. Overlapping utterances never move the floor: without
    room for one, it is cut to nothing, and an event records that.
    """

    def __init__(self, timing: TimingConfig, sample_rate_hz: int, chunk_samples: int, run_seed: int) -> None:
        """Set the timing, the sample rate, the chunk to which conversations are padded, and the seed."""
        self._timing, self._rate, self._chunk, self._seed = timing, sample_rate_hz, chunk_samples, run_seed

    def run(self, takes: Takes) -> Timeline:
        """Place a conversation."""
        early = {"assistant": self._timing.early_ms, "user": self._timing.user_early_ms}
        stage = _Floor(takes, {role: ms_to_samples(ms, self._rate) for role, ms in early.items()}, self._rate // 5)
        for index, take in enumerate(takes.takes):
            if take.utterance.kind in FLOOR:
                stage.take_floor(index, take)
        stage.place_overlapping()
        dialogue_id = takes.script.dialogue.id
        tail_ms = self._timing.tail.draw(seeds.rng(self._seed, dialogue_id, "place", "tail"))
        placed = tuple(placed for _, placed in sorted(stage.placed.items()))
        end = max((p.end_samples for p in placed), default=0) + ms_to_samples(tail_ms, self._rate)
        called = (Event("tool_call", "assistant", c.start_samples, c.end_samples, c.utterance) for c in stage.calls)
        events = sorted((*stage.events, *called), key=lambda e: (e.start_samples, e.end_samples, e.utterance))
        return Timeline(takes, placed, tuple(events), round_up(end, self._chunk), calls=tuple(stage.calls))


@dataclass
class _Floor:
    """The state of a conversation while its takes are placed."""

    takes: Takes
    early: dict[str, int]
    """Most samples by which each speaker may answer before the other's end."""
    breath: int
    """Fewest samples between the assistant's stop and its resumption.

    A quarter of it is the least time between its stop and the interrupter's end.
    """
    placed: dict[int, Placed] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    calls: list[PlacedCall] = field(default_factory=list)
    _result: int = 0
    """Time of the last tool's result, before which the assistant does not speak."""
    _floor: list[int] = field(default_factory=list)
    """The placed utterances that hold the floor."""
    _ends: dict[Role, int] = field(default_factory=lambda: {"user": 0, "assistant": 0})
    """End of each speaker's last utterance on the floor."""

    def take_floor(self, index: int, take: Take) -> None:
        """Place the next utterance that holds the floor."""
        utterance = take.utterance
        start = self._interrupt(index, take, utterance.barge_in) if utterance.barge_in else None
        if start is None:
            start = self._follow(index, take)
        whole = _whole(take, start)
        self.placed[index] = whole
        self._ends[utterance.role] = whole.end_samples
        self._floor.append(index)
        if utterance.event in ("prompt", "call_held", "call_cancelled"):
            self._note(utterance.event, utterance.role, whole.start_samples, whole.end_samples, index)
        self._call(index, whole)
        if utterance.correction:
            wrong, right = utterance.correction
            words, spoken = take.words, utterance.spoken
            span = start + time_at(words, spoken, wrong), start + said_by(words, spoken, right)
            self._note("correction", utterance.role, *span, index)

    def _call(self, index: int, whole: Placed) -> None:
        """Note the call of a tool after an utterance, or end the open one if this utterance cancels it."""
        if whole.utterance.event == "call_cancelled":
            self.calls[-1] = replace(self.calls[-1], end_samples=whole.start_samples)
        if call := whole.utterance.call:
            end = call.result_at(whole.start_samples, whole.end_samples)
            self.calls.append(PlacedCall(index, call.call, call.result, whole.end_samples, end, call.cancelled))
            self._result = 0 if call.cancelled else end

    def _follow(self, index: int, take: Take) -> int:
        """Start at the scripted offset from the end of the floor-holder's last utterance.

        The assistant's offset counts from a tool's result, if that is later. Never within the speaker's
        own last utterance, and never so early that it ends first.
        """
        utterance = take.utterance
        if not self._floor:
            return max(utterance.offset_samples, 0)
        end = self.placed[self._floor[-1]].end_samples
        known = self._result if utterance.role == "assistant" else 0
        wanted = max(end, known) + utterance.offset_samples
        own_end = self._ends[utterance.role] + (self.breath if utterance.kind == "resumption" else 0)
        in_time = max(self._in_time_for_next(index, take), self._earliest(utterance))
        start = max(wanted, end - len(take.audio), own_end, in_time)
        self._note_transfer(index, utterance, start)
        return start

    def _earliest(self, utterance: Utterance) -> int:
        """Earliest start at which the utterance can be an answer to the one before."""
        other, language = self.placed[self._floor[-1]], self.takes.script.dialogue.language or "en"
        if other.utterance.role == utterance.role:
            return 0
        backwards = [*reversed(other.words)]
        telling = next((w for w in backwards if is_content(w.text, language)), backwards[0] if backwards else None)
        known = (telling.start_samples + telling.end_samples) // 2 if telling else other.start_samples
        return max(other.end_samples - self.early[utterance.role], known)

    def _in_time_for_next(self, index: int, take: Take) -> int:
        """Earliest start that still lets the other barge in at the scripted word."""
        after = (other.utterance for other in self.takes.takes[index + 1 :])
        following = next((u for u in after if u.kind in FLOOR), None)
        if following is None or following.barge_in is None:
            return 0
        said = said_by(take.words, take.utterance.spoken, following.barge_in.at_characters)
        return self._ends[following.role] - said

    def _note_transfer(self, index: int, utterance: Utterance, start: int) -> None:
        """Record the event for the time before an utterance."""
        before = self.placed[self._floor[-1]]
        end = before.end_samples
        if utterance.event == "hesitation":
            self._note("hesitation", utterance.role, self._stuck_since(utterance), start, index)
        elif utterance.event in ("user_silent", "prompt"):
            self._note("user_silent", "user", end, start, index)
        elif utterance.event == "waiting":
            self._note("waiting", "user", self._ends["assistant"], start, index)
        elif before.utterance.role != utterance.role:
            kind = "gap" if start >= end else "overlapping_end"
            self._note(kind, utterance.role, min(start, end), max(start, end), index)

    def _stuck_since(self, utterance: Utterance) -> int:
        """End of the words of a turn before a hesitation; the start of its filler if there are none."""
        floor = [self.placed[index] for index in self._floor]
        own = [p for p in floor if (p.utterance.turn, p.utterance.role) == (utterance.turn, utterance.role)]
        said = [p for p in own if p.utterance.kind == "turn"]
        return said[-1].end_samples if said else own[0].start_samples

    def _interrupt(self, index: int, take: Take, barge_in: BargeIn) -> int | None:
        """Cut the other's utterance, placed last, and return this one's start; None without room.

        Delay and reaction are shortened if the other would otherwise finish, because a barge-in
        leaves a word unsaid. The other also stops before the interrupter does.
        """
        if not self._floor:
            return None
        before, utterance = self._floor[-1], take.utterance
        other = self.placed[before]
        said = other.start_samples + said_by(other.take.words, other.utterance.spoken, barge_in.at_characters)
        last = _last_stop(other)
        delayed = max(said, min(said + barge_in.delay_samples, last - barge_in.reaction_samples))
        start = max(delayed, self._ends[utterance.role])
        if start >= last:
            follows = max(other.end_samples + utterance.offset_samples, self._ends[utterance.role])
            self._note("barge_in", utterance.role, follows, follows, index, placed=False)
            return None
        last = min(last, start + max(len(take.audio) - self.breath // 4, 0))
        stop = min(start + barge_in.reaction_samples, last)
        if barge_in.finish_word:
            word = next((w for w in other.words if w.start_samples < stop < w.end_samples), None)
            stop = min(end_of_unit(word, stop), last) if word else stop
        self.placed[before] = cut(other, stop)
        self._ends[other.utterance.role] = self.placed[before].end_samples
        noted = {"barge_in": True, barge_in.family: bool(barge_in.family), "competition": barge_in.competition}
        for kind in (kind for kind, happens in noted.items() if happens):
            self._note(kind, utterance.role, start, stop, index)
        return start

    def place_overlapping(self) -> None:
        """Place the utterances that overlap the floor, each in the turn before it in the script."""
        host, own_end = -1, {"user": 0, "assistant": 0}
        following = self._following_starts()
        for index, take in enumerate(self.takes.takes):
            utterance = take.utterance
            if utterance.kind == "turn":
                host = index
            if utterance.kind not in FLOOR:
                self._overlap(index, take, host, own_end[utterance.role], following[index])
            own_end[utterance.role] = self.placed[index].end_samples

    def _following_starts(self) -> list[int | None]:
        """For each utterance, the start of its speaker's next one on the floor, if any."""
        following: dict[Role, int] = {}
        found: list[int | None] = []
        for index, take in reversed(list(enumerate(self.takes.takes))):
            found.append(following.get(take.utterance.role))
            if index in self.placed:
                following[take.utterance.role] = self.placed[index].start_samples
        return found[::-1]

    def _overlap(self, index: int, take: Take, host: int, earliest: int, latest: int | None) -> None:
        """Place a token in a turn, or cut it to nothing if its speaker or the turn leaves no room."""
        utterance, within = take.utterance, take.utterance.within
        if within is None or host < 0:
            raise ValueError(f"utterance {index} ({utterance.kind}) overlaps no turn")
        turn = self.placed[host]
        at = time_at(turn.take.words, turn.utterance.spoken, within.at_characters)
        start = turn.start_samples + at + within.delay_samples
        whole = _whole(take, start)
        if within.give_up_samples is not None:
            whole = cut(whole, start + within.give_up_samples)
        is_said = not turn.n_cut_samples or start < turn.end_samples
        fits = earliest <= start < whole.end_samples and (latest is None or whole.end_samples <= latest)
        placed = is_said and fits
        if not placed:
            nowhere = max(min(start, turn.end_samples), earliest)
            nowhere = nowhere if latest is None else min(nowhere, latest)
            whole = cut(_whole(take, nowhere), nowhere)
        self.placed[index] = whole
        self._note(utterance.event, utterance.role, whole.start_samples, whole.end_samples, index, placed)

    def _note(self, kind: str, role: Role, start: int, end: int, index: int, placed: bool = True) -> None:
        self.events.append(Event(kind, role, start, end, index, placed))


def _whole(take: Take, start: int) -> Placed:
    words = tuple(Word(w.text, start + w.start_samples, start + w.end_samples) for w in take.words)
    return Placed(take, start, start + len(take.audio), words, take.utterance.spoken, "", 0)


def _last_stop(placed: Placed) -> int:
    """The latest stop at which the last word of an utterance still counts as unsaid: its middle."""
    words = [w for w in placed.words if w.end_samples > w.start_samples]
    if not words:
        return placed.start_samples
    tail = units(words[-1].text)[-1].start if units(words[-1].text) else 0
    length, n = words[-1].end_samples - words[-1].start_samples, max(len(words[-1].text), 1)
    return words[-1].start_samples + length * (tail + n) // (2 * n)


def cut(placed: Placed, stop_samples: int) -> Placed:
    """End an utterance at `stop_samples`: audio at the sample, words and text after the last word said.

    A word is said if more than half of it is audible; the rest of the text is kept as `unsaid`.
    Chinese, which has no spaces, is cut at a character instead.

    >>> import numpy as np
    >>> words, utterance = (Word("good", 0, 40), Word("morning", 50, 100)), Utterance("user", "", "", "v", 0)
    >>> take = Take(np.zeros(100, np.float32), words, 0, 0, utterance=utterance)
    >>> stopped = cut(Placed(take, 0, 100, words, "good morning", "", 0), 60)
    >>> stopped.end_samples, stopped.said, stopped.unsaid, stopped.n_cut_samples, len(stopped.words)
    (60, 'good', 'morning', 40, 1)
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
    return Placed(placed.take, placed.start_samples, stop_samples, tuple(words), said, unsaid, n_cut_samples)
