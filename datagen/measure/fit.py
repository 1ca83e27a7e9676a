"""A timing profile fitted to human recordings, for `timing.profile` in a recipe.

Annotations give the times of speech but not its purpose. So two limits separate interruptions and
hesitations from the rest: a length of overlap that early starts seldom reach, and the silence that
conversation analysis calls marked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from datagen import __version__
from datagen.errors import SourceError
from datagen.faults import cannot
from datagen.intervals import TimedTurn, turns
from datagen.measure.battery import Battery, Durations
from datagen.measure.compared_timing import MEASURED, measured
from datagen.measure.corpora import RATE_HZ, CorpusRecording

BARGE_IN_MS = 500
"""A floor transfer that overlaps by at least this is a barge-in, not an early start (our choice)."""
HESITATION_MS = 700
"""A pause of at least this within a turn is a hesitation: marked silence (conversation analysis)."""
WORDS_A_SECOND = 3.3
"""Words per second of speech, to estimate the length of turns (our choice; conversational English)."""
_N_STEPS = 40
_EDGE = 0.005
"""The outermost quantiles; values beyond are mostly annotation errors."""
_FEWEST = 20
"""A distribution of fewer values keeps its default."""


@dataclass
class Fit:
    """Evidence in recordings for each behaviour of a profile."""

    battery: Battery = field(default_factory=lambda: Battery(RATE_HZ))
    fto: Durations = field(default_factory=Durations)
    reaction: Durations = field(default_factory=Durations)
    hesitation: Durations = field(default_factory=Durations)
    n_long: int = 0
    """Turns long enough for a hesitation."""
    n_hesitant: int = 0
    n_phrase_ends: int = 0

    def add(self, recording: CorpusRecording) -> None:
        """Count a recording."""
        one, two = recording.speakers
        found = turns(one.turns, two.turns)
        self.battery.add(one, two, recording.n_ms, sum(_is_barge_in(turn) for turn in found))
        for turn in found:
            self._add(turn)

    def _add(self, turn: TimedTurn) -> None:
        from datagen.recipe.timing_config import BackchannelConfig, HesitationConfig

        n_words = sum(end - start for start, end in turn.speech) * WORDS_A_SECOND / RATE_HZ
        pauses = [after[0] - before[1] for before, after in pairwise(turn.speech)]
        hesitations = [pause for pause in pauses if pause >= HESITATION_MS]
        self.n_phrase_ends += int(n_words / BackchannelConfig().phrase_words)
        if n_words >= HesitationConfig().min_words:
            self.n_long += 1
            self.n_hesitant += bool(hesitations)
        self.hesitation.add(hesitations, RATE_HZ)
        if turn.fto is not None:
            if _is_barge_in(turn):
                self.reaction.add([-turn.fto], RATE_HZ)
            else:
                self.fto.add([turn.fto], RATE_HZ)

    def profile(self) -> dict[str, Any]:
        """The keys of a profile, equal for both roles, because recordings do not assign them.

        Raises:
            SourceError: If there are too few floor transfers to fit.
        """
        if self.fto.n < _FEWEST:
            raise SourceError(
                f"only {self.fto.n} floor transfers in two-party recordings; at least {_FEWEST} are needed"
            )
        barge_in = _share(self.reaction.n, self.fto.n + self.reaction.n)
        hesitation = _share(self.n_hesitant, self.n_long)
        backchannel = _share(sum(self.battery.n_backchannels.values()), self.n_phrase_ends)
        return {
            "assistant_fto": quantiles(self.fto),
            "user_fto": quantiles(self.fto),
            "barge_in": {"probability": barge_in, **_if_enough("reaction", self.reaction)},
            "hesitation": {"probability": hesitation, **_if_enough("pause", self.hesitation)},
            "backchannel": {"user_probability": backchannel},
        }

    def to_yaml(self, sources: Iterable[str]) -> str:
        """The profile as a file, with its sources in comments."""
        body = yaml.safe_dump(self.profile(), sort_keys=False, default_flow_style=None, width=110)
        return "".join(f"{line}\n" for line in self._header(sources)) + body

    def _header(self, sources: Iterable[str]) -> Iterator[str]:
        b, figures = self.battery, self.battery.figures()
        yield f"# A timing profile, fitted by `datagen timing fit` ({__version__}) to {', '.join(sorted(sources))}:"
        yield f"# {b.n_conversations} recordings, {b.minutes / 60:.2f} hours, {b.fto.n} floor transfers,"
        n_backchannels = sum(b.n_backchannels.values())
        yield f"# {n_backchannels} backchannels and {b.n_barge_ins} barge-ins, told by the rules of docs/timing.md."
        yield "# Keys that recordings say nothing about keep their defaults."
        for name in ("backchannels_a_minute", "barge_ins_a_minute", "overlap_of_speech_share"):
            yield f"# {name}: {figures[name]:.4g}"
        yield "# What `datagen timing report --reference` compares with; quantiles at equally spaced shares:"
        for name, durations in measured(b).items():
            if durations.n:
                yield f"{MEASURED}{name}_ms: {quantiles(durations)['values']}"


def write(fit: Fit, files: Iterable[str], to: Path) -> None:
    """Write the profile of a fit, with the names of its source files.

    Raises:
        SourceError: If there are too few floor transfers, or the file cannot be written.
    """
    text = fit.to_yaml(Path(file).name for file in files)
    try:
        to.write_text(text, "utf-8")
    except OSError as error:
        raise SourceError(cannot("write", to, error)) from error


def quantiles(durations: Durations) -> dict[str, Any]:
    """A distribution for a recipe: its values at equally spaced shares, in whole milliseconds."""
    shares = [min(max(k / _N_STEPS, _EDGE), 1 - _EDGE) for k in range(_N_STEPS + 1)]
    return {"kind": "quantiles", "values": [round(value) for value in durations.quantiles(shares)]}


def _if_enough(key: str, durations: Durations) -> dict[str, Any]:
    return {key: quantiles(durations)} if durations.n >= _FEWEST else {}


def _share(part: int, whole: int) -> float:
    return round(min(part / whole, 1), 4) if whole else 0.0


def _is_barge_in(turn: TimedTurn) -> bool:
    return turn.fto is not None and turn.fto <= -BARGE_IN_MS
