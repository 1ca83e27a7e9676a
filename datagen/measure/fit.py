"""A timing profile from recordings of people: what a recipe takes as `timing.profile`.

Recordings say when people speak, not what for. So two limits tell interruptions and hesitations from the rest: a
length of overlap that early starts seldom have, and the silence that conversation analysis calls marked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from datagen import __version__
from datagen.errors import RecipeError, SourceError
from datagen.measure.battery import Battery
from datagen.measure.corpora import RATE_HZ, CorpusRecording
from datagen.measure.durations import Durations
from datagen.measure.intervals import TimedTurn, turns
from datagen.recipe import explain
from datagen.recipe.distributions import Quantiles
from datagen.recipe.timing_config import BackchannelConfig, HesitationConfig, TimingConfig

BARGE_IN_MS = 500
"""A floor transfer that overlaps by at least this is a barge-in, not an early start (ours)."""
HESITATION_MS = 700
"""A pause within a turn from this on is a hesitation: marked silence (conversation analysis)."""
WORDS_A_SECOND = 3.3
"""Words of a second of speech, to tell long turns from short ones (ours; conversational English)."""
_N_STEPS = 40
_EDGE = 0.005
"""The outermost quantiles: what lies beyond is mostly slips of annotation."""
_FEWEST = 20
"""A distribution of fewer values is left to the default."""
_MEASURED = "# measured "


@dataclass
class Fit:
    """What recordings say about each behaviour of a profile."""

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
        n_barge_ins = sum(_is_barge_in(turn) for turn in found)
        self.battery.add(one, two, recording.n_ms, n_barge_ins)
        for turn in found:
            self._add(turn)

    def _add(self, turn: TimedTurn) -> None:
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
        """The keys of a profile. The two speakers of a recording are not told apart: both roles get the same.

        Raises:
            SourceError: If there are too few floor transfers to say anything.
        """
        if self.fto.n < _FEWEST:
            raise SourceError(
                f"only {self.fto.n} floor transfers in two-party recordings; at least {_FEWEST} are needed"
            )
        n_transfers = self.fto.n + self.reaction.n
        n_backchannels = sum(self.battery.n_backchannels.values())
        backchannel = _share(n_backchannels, self.n_phrase_ends)
        return {
            "assistant_fto": quantiles(self.fto),
            "user_fto": quantiles(self.fto),
            "barge_in": {"probability": _share(self.reaction.n, n_transfers), **_if_enough("reaction", self.reaction)},
            "hesitation": {
                "probability": _share(self.n_hesitant, self.n_long),
                **_if_enough("pause", self.hesitation),
            },
            "backchannel": {"user_probability": backchannel},
        }

    def to_yaml(self, sources: Iterable[str]) -> str:
        """The profile as a file, with what it was fitted to in its comments."""
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
                yield f"{_MEASURED}{name}_ms: {quantiles(durations)['values']}"


def write(fit: Fit, files: Iterable[str], to: Path) -> None:
    """Write the profile of a fit, naming the files it was fitted to.

    Raises:
        SourceError: If there are too few floor transfers, or the file cannot be written.
    """
    text = fit.to_yaml(Path(file).name for file in files)
    try:
        to.write_text(text, "utf-8")
    except OSError as error:
        raise SourceError(f"cannot write {to}: {error.strerror}") from error


def measured(b: Battery) -> dict[str, Durations]:
    """The distributions that a report compares with those of a reference."""
    return {"fto": b.fto, "gap": b.durations["gap"], "pause": b.durations["pause"], "overlap": b.overlap}


def reference(profile: str) -> dict[str, Durations]:
    """The distributions of a profile to compare with: as measured if it was fitted, else as it asks for them.

    Args:
        profile: Of a shipped profile, or a path to a YAML file.

    Raises:
        RecipeError: If there is no such profile, or it is no profile.
    """
    try:
        timing = TimingConfig.model_validate({"profile": profile})
    except ValidationError as error:
        raise RecipeError(f"{profile}: {explain(error)}") from error
    found = measured_in(Path(profile)) if Path(profile).suffix in (".yaml", ".yml") else {}
    return found or asked(timing)


def measured_in(file: Path) -> dict[str, Durations]:
    """The distributions of the recordings that a profile was fitted to; none if it was not fitted."""
    lines = [
        line.removeprefix(_MEASURED) for line in file.read_text("utf-8").splitlines() if line.startswith(_MEASURED)
    ]
    values: dict[str, tuple[float, ...]] = yaml.safe_load("\n".join(lines)) or {}
    return {
        name.removesuffix("_ms"): Durations.of(Quantiles(kind="quantiles", values=steps).spread())
        for name, steps in values.items()
    }


def asked(timing: TimingConfig) -> dict[str, Durations]:
    """Offsets of both roles, equally many; gaps and overlaps are those offsets.

    Without barge-ins: how many find a fitting place depends on the dialogues, not on the recipe.
    """
    n = 4096
    fto = np.concatenate([timing.assistant_fto.spread(n), timing.user_fto.spread(n)])
    found = {"fto": fto, "gap": fto[fto > 0], "overlap": -fto[fto < 0]}
    if timing.hesitation.probability:
        found["pause"] = timing.hesitation.pause.spread()
    return {name: Durations.of(values) for name, values in found.items()}


def quantiles(durations: Durations) -> dict[str, Any]:
    """A distribution as a recipe takes it: its values at equally spaced shares, in whole milliseconds."""
    shares = [min(max(k / _N_STEPS, _EDGE), 1 - _EDGE) for k in range(_N_STEPS + 1)]
    return {"kind": "quantiles", "values": [round(value) for value in durations.quantiles(shares)]}


def _if_enough(key: str, durations: Durations) -> dict[str, Any]:
    return {key: quantiles(durations)} if durations.n >= _FEWEST else {}


def _share(part: int, whole: int) -> float:
    return round(min(part / whole, 1), 4) if whole else 0.0


def _is_barge_in(turn: TimedTurn) -> bool:
    return turn.fto is not None and turn.fto <= -BARGE_IN_MS
