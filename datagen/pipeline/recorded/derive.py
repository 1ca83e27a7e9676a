"""Utterances and events from the times at which two people speak, by the definitions of placed ones.

| event | derived from |
|---|---|
| backchannel | a listener token inside the other's speech, or a neutral one in a pause of it; the other continues |
| false_start, failed_barge_in | other words that begin and end inside the other's speech; by their length |
| gap | the floor changes after a silence |
| barge_in | the floor changes in overlap, and the other stops unfinished |
| overlapping_end | the floor changes in overlap, and the other had finished |
| hesitation | a pause inside the speaker's own turn |

Whoever speaks past the end of the floor-holder's speech takes the floor. If the transcript has
punctuation, the interrupted speech is unfinished if it ends without a final mark; else if the
overlap is at least `derive.barge_in_ms` long.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from datagen.clock import ms_to_samples
from datagen.pipeline.recorded.piece import Piece, join
from datagen.pipeline.recorded.speech import ROLES
from datagen.recipe import DeriveConfig
from datagen.records import Event, Kind, Role, Word

_OTHER: dict[Role, Role] = {"user": "assistant", "assistant": "user"}
_FINAL = tuple(".?!。？！…")
_MARKS = (*_FINAL, *",;:，；：")
_PUNCTUATED = 0.3
"""A transcript has punctuation if this share of its pieces ends with a final mark."""
_ISOLATED_MS = 1000
"""Own silence around a listener response in a pause of the other, as in `intervals.backchannels`."""
_LEAST_TOKEN_MS = 280
"""Shorter speech without text is a false start: benchmarks/recordings.py."""
_LEAST_BARGE_IN_MS = 100
"""A shorter overlap is no interruption, but imprecise times."""


@dataclass(frozen=True)
class Lexicon:
    """Words that are known in a language; empty: unknown."""

    listener: frozenset[str] = frozenset()
    """Listener tokens."""
    neutral: frozenset[str] = frozenset()
    """Listener tokens that are no answer."""
    fillers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, backchannels: Collection[str], continuers: Collection[str], fillers: Collection[str]) -> "Lexicon":
        """The tokens of a recipe's `timing.tokens`, without case and punctuation."""
        sets = ({_bare(text) for text in texts} for texts in ((*backchannels, *continuers), continuers, fillers))
        return cls(*map(frozenset, sets))


@dataclass(frozen=True, slots=True)
class DerivedUtterance:
    """An utterance of a recording."""

    piece: Piece
    kind: Kind
    turn: int
    offset: int
    """Its start minus the end of the floor-holder's speech before it."""


@dataclass(frozen=True)
class Derived:
    """The utterances of a conversation in order, and the events between them."""

    utterances: tuple[DerivedUtterance, ...]
    events: tuple[Event, ...]


def derive(pieces: Mapping[Role, Sequence[Piece]], config: DeriveConfig, lexicon: Lexicon, rate_hz: int) -> Derived:
    """Derive utterances and events.

    Args:
        pieces: Speech of each speaker, in order, apart.
        config: The rules.
        lexicon: Words of the language.
        rate_hz: Sample rate of all times.
    """
    rules = _Rules.of(config, lexicon, rate_hz, _has_punctuation([p for own in pieces.values() for p in own]))
    holds = {role: _holds(pieces[role], pieces[_OTHER[role]], rules.hesitation) for role in ROLES}
    together = {role: list(_with_its_start(pieces[role], holds[_OTHER[role]], rules)) for role in ROLES}
    floor = _Floor(rules, holds)
    ordered = sorted((p for own in together.values() for p in own), key=lambda p: (p.start, p.end, p.role))
    for piece in ordered:
        other = _OTHER[piece.role]
        floor.add(piece, rules.beside(piece, together[piece.role], together[other], holds[other]))
    return floor.derived()


Hold = tuple[int, int]
"""[start, end) of a speaker's speech with its short pauses."""


def _holds(own: Sequence[Piece], other: Sequence[Piece], pause: int) -> list[Hold]:
    """A speaker's speech, joined across pauses shorter than `pause` in which the other says nothing whole."""
    found = list[Hold]()
    for piece in own:
        if found:
            start, end = found[-1]
            answered = any(end <= p.start and p.end <= piece.start for p in other)
            if piece.start - end < pause and not answered:
                found[-1] = start, piece.end
                continue
        found.append((piece.start, piece.end))
    return found


@dataclass(frozen=True)
class _Rules:
    """The recipe's rules in samples."""

    lexicon: Lexicon
    is_punctuated: bool
    hesitation: int
    longest_hesitation: int
    barge_in: int
    least_barge_in: int
    false_start: int
    listener: int
    listener_words: int
    isolated: int
    least_token: int

    @classmethod
    def of(cls, config: DeriveConfig, lexicon: Lexicon, rate_hz: int, is_punctuated: bool) -> "_Rules":
        def samples(ms: float) -> int:
            return ms_to_samples(ms, rate_hz)

        return cls(
            lexicon,
            is_punctuated,
            samples(config.hesitation_ms),
            samples(config.longest_hesitation_ms),
            samples(config.barge_in_ms),
            samples(_LEAST_BARGE_IN_MS),
            samples(config.false_start_ms),
            samples(config.listener_ms),
            config.listener_words,
            samples(_ISOLATED_MS),
            samples(_LEAST_TOKEN_MS),
        )

    def beside(self, piece: Piece, own: Sequence[Piece], other: Sequence[Piece], holds: Sequence[Hold]) -> str:
        """The event of a piece that claims no floor; empty if it holds the floor."""
        host = _holding_at(holds, piece.start)
        if host is None:
            return "backchannel" if self._is_heard_in_pause(piece, own, other) else ""
        continues = host[1] >= piece.end
        if self.is_token(piece) and (continues or self._speaks_next(piece, own, other)):
            return "backchannel"
        if not continues:
            return ""
        return "false_start" if piece.end - piece.start <= self.false_start else "failed_barge_in"

    def is_token(self, piece: Piece) -> bool:
        """True for a listener token; without text or known words, for anything so short."""
        length = piece.end - piece.start
        if not piece.is_text_known:
            return self.least_token <= length <= self.listener
        if self.lexicon.listener:
            return length <= 2 * self.listener and _bare(piece.text) in self.lexicon.listener
        return length <= self.listener and 0 < len(piece.words) <= self.listener_words

    def _is_heard_in_pause(self, piece: Piece, own: Sequence[Piece], other: Sequence[Piece]) -> bool:
        """True for a token in a pause of the other's speech (`intervals.backchannels`) that answers nothing.

        A neutral one does not; any other one might, if the other's last word is a question.
        """
        if not self.is_token(piece):
            return False
        last = max((p for p in other if p.end <= piece.start), key=lambda p: p.end, default=None)
        asked = last is not None and last.text.endswith(("?", "？"))
        if piece.is_text_known and _bare(piece.text) not in self.lexicon.neutral and (asked or not self.is_punctuated):
            return False
        alone = not any(
            p is not piece and piece.start - self.isolated < p.end and p.start < piece.end + self.isolated for p in own
        )
        before = any(0 <= piece.start - p.end < self.isolated for p in other)
        after = any(piece.start < p.start <= piece.end + self.isolated for p in other)
        return alone and before and after

    def _speaks_next(self, piece: Piece, own: Sequence[Piece], other: Sequence[Piece]) -> bool:
        """True if the other speaks next, within a pause of its own turn."""
        following = min((p.start for p in other if p.start >= piece.start), default=None)
        ours = min((p.start for p in own if p.start > piece.start), default=None)
        if following is None or following - piece.end > self.isolated:
            return False
        return ours is None or following < ours

    def is_hesitation(self, before: Sequence[Word], is_known: bool, pause: int) -> bool:
        """True if a pause within a turn is a hesitation.

        In a punctuated transcript: any inside a clause, long ones after a comma, none after a
        sentence. In any other: long ones.
        """
        if pause > self.longest_hesitation:
            return False
        if self.is_punctuated and is_known and before:
            if before[-1].text.endswith(_FINAL):
                return False
            return pause >= self.hesitation or not before[-1].text.endswith(_MARKS)
        return pause >= self.hesitation

    def is_interrupted(self, piece: Piece, overlap: int) -> bool:
        """True if the speech of a floor-holder who stops in overlap is unfinished."""
        if overlap < self.least_barge_in:
            return False
        if self.is_punctuated and piece.is_text_known and piece.words:
            return not piece.words[-1].text.endswith(_FINAL)
        return overlap >= self.barge_in


@dataclass
class _Floor:
    """The floor while pieces are added in order of their starts."""

    rules: _Rules
    holds: Mapping[Role, Sequence[Hold]]
    found: list[tuple[Piece, Kind, int, int]] = field(default_factory=list)
    """Piece, kind, turn and offset of each utterance, in order of their starts."""
    events: list[tuple[str, Role, int, int, int]] = field(default_factory=list)
    """Kind, role, start, end and utterance."""
    holder: Role | None = None
    turn: int = -1
    last: dict[Role, int] = field(default_factory=dict)
    """Each speaker's last utterance."""
    floor: dict[Role, int] = field(default_factory=dict)
    """Each speaker's last utterance on the floor."""
    held_until: int = 0

    def add(self, piece: Piece, beside: str) -> None:
        """Add a piece that claims no floor (`beside` is its event), or that holds it."""
        if piece.role != self.holder and self._is_rest(piece):
            self._extend(piece)
            return
        if self.holder is not None and piece.role != self.holder and not beside and piece.end <= self.held_until:
            beside = "false_start" if piece.end - piece.start <= self.rules.false_start else "failed_barge_in"
        if beside and self.holder is not None:
            index = self._append(piece, "backchannel" if beside == "backchannel" else "attempt")
            self.events.append((beside, piece.role, piece.start, piece.end, index))
        elif piece.role == self.holder:
            self._continue(piece)
        else:
            self._take(piece)

    def _is_rest(self, piece: Piece) -> bool:
        """True for the rest of speech in whose short pause the other has taken the floor."""
        index = self.floor.get(piece.role)
        if index is None or self.last[piece.role] != index:
            return False
        before = self.found[index][0]
        return any(start < before.end and piece.end <= end for start, end in self.holds[piece.role])

    def _extend(self, piece: Piece) -> None:
        """Join a piece to its speaker's last utterance on the floor."""
        index = self.floor[piece.role]
        before, kind, turn, offset = self.found[index]
        self.found[index] = join(before, piece), kind, turn, offset

    def _append(self, piece: Piece, kind: Kind) -> int:
        offset = piece.start - self.held_until if self.holder is not None else piece.start
        self.found.append((piece, kind, max(self.turn, 0), offset))
        self.last[piece.role] = len(self.found) - 1
        return len(self.found) - 1

    def _continue(self, piece: Piece) -> None:
        """The floor-holder continues: the same utterance, one after a hesitation, or another turn."""
        index = self.floor[piece.role]
        before = self.found[index][0]
        pause = piece.start - before.end
        if pause > self.rules.longest_hesitation:
            self.turn += 1
        hesitates = self.rules.is_hesitation(before.words, before.is_text_known, pause)
        if hesitates or pause > self.rules.longest_hesitation or self.last[piece.role] != index:
            stuck = self._stuck_since(before)
            self.floor[piece.role] = self._append(piece, "turn")
            if hesitates:
                self.events.append(("hesitation", piece.role, stuck, piece.start, self.floor[piece.role]))
        else:
            self._extend(piece)
        self._hold(piece)

    def _hold(self, piece: Piece) -> None:
        """The floor is held to the end of the piece, and through a short pause after it."""
        end = next((end for start, end in self.holds[piece.role] if start <= piece.start < end), piece.end)
        self.held_until = max(self.held_until, piece.end, end)

    def _stuck_since(self, piece: Piece) -> int:
        """End of the last word that is no filler; of the piece if there is none."""
        words = list(piece.words)
        while len(words) > 1 and _bare(words[-1].text) in self.rules.lexicon.fillers:
            if words[-1].start_samples - words[-2].end_samples < self.rules.least_barge_in // 2:
                break  # said without a break: an ordinary word, as in `very well`
            words.pop()
        return words[-1].end_samples if len(words) < len(piece.words) else piece.end

    def _take(self, piece: Piece) -> None:
        """The other takes the floor, or anybody at the start."""
        before = self.holder
        self.turn += 1
        index = self._append(piece, "turn")
        if before is not None:
            overlap = self.held_until - piece.start
            kind = "gap"
            if overlap > 0:
                interrupted = self.found[self.floor[before]][0]
                kind = "barge_in" if self.rules.is_interrupted(interrupted, overlap) else "overlapping_end"
            span = sorted((piece.start, self.held_until))
            self.events.append((kind, piece.role, span[0], span[1], index))
        self.holder, self.floor[piece.role] = piece.role, index
        self._hold(piece)

    def derived(self) -> Derived:
        """Utterances in order of time, and events of the same indices."""
        order = sorted(range(len(self.found)), key=lambda k: (self.found[k][0].start, self.found[k][0].end))
        place = {old: new for new, old in enumerate(order)}
        utterances = tuple(DerivedUtterance(*self.found[k]) for k in order)
        events = [Event(kind, role, a, b, place[k], derived=True) for kind, role, a, b, k in self.events]
        return Derived(utterances, tuple(sorted(events, key=lambda e: (e.start_samples, e.end_samples, e.utterance))))


def _with_its_start(own: Sequence[Piece], holds: Sequence[Hold], rules: _Rules) -> Iterator[Piece]:
    """Pieces in which an interruption is whole: a start inside the other's speech is joined to what follows soon."""
    held: Piece | None = None
    for piece in own:
        if held is not None:
            host = _holding_at(holds, held.start)
            soon = piece.start - held.end < rules.hesitation and not rules.is_token(held)
            if host is not None and soon and held.end <= host[1] < piece.end:
                held = replace(join(held, piece), start=held.start)
                continue
            yield held
        held = piece
    if held is not None:
        yield held


def _holding_at(holds: Sequence[Hold], sample: int) -> Hold | None:
    """The speech within which a time lies."""
    return next((hold for hold in holds if hold[0] < sample < hold[1]), None)


def _has_punctuation(pieces: Sequence[Piece]) -> bool:
    known = [piece for piece in pieces if piece.words and piece.is_text_known]
    return bool(known) and sum(p.words[-1].text.endswith(_FINAL) for p in known) >= _PUNCTUATED * len(known)


def _bare(text: str) -> str:
    """A text without case, punctuation and hyphens.

    >>> _bare("Mm-hm."), _bare("oh, I see")
    ('mm hm', 'oh i see')
    """
    kept = "".join(char if char.isalnum() or char == "'" else " " for char in text.lower())
    return " ".join(kept.split())
