"""How conversations of a profile are timed: floor transfers, overlaps, backchannels, and placed against drawn times.

Measured on the stored timeline of a build on the fake engines (utterances have the lengths of tones of 60 ms a letter,
about 165 words a minute).
"""

import argparse
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import read_streams, recipe_for, run_build, show, write_dialogues
from scipy.stats import wasserstein_distance

from datagen.recipe import Recipe
from datagen.records import FLOOR, Spoken, Streams
from datagen.units import samples_to_ms

_COLUMNS = ("dialogue_id", "language", "split", "n_samples", "user_codes", "assistant_codes", "utterances", "events")
_LONG_TURN_WORDS = 10
"""Turns from which a listener's token is to be expected."""
Span = tuple[int, int]


def transfers(streams: Streams) -> Iterator[int]:
    """Floor-transfer offsets in samples, barge-ins and silences too."""
    floor = [u for u in streams.utterances if u.kind in FLOOR]
    for before, after in pairwise(floor):
        if before.role != after.role:
            yield after.start_samples - before.end_samples


def heard(streams: Streams, role: str) -> list[Span]:
    """When a speaker is heard, in order."""
    return sorted(
        (u.start_samples, u.end_samples)
        for u in streams.utterances
        if u.role == role and u.end_samples > u.start_samples
    )


def overlaps(first: Sequence[Span], second: Sequence[Span]) -> list[int]:
    """Lengths in samples of all intervals in which both are heard."""
    found = [min(a[1], b[1]) - max(a[0], b[0]) for a in first for b in second if a[0] < b[1] and b[0] < a[1]]
    return [length for length in found if length > 0]


def length(spans: Sequence[Span]) -> int:
    """Samples in spans that do not overlap."""
    return sum(end - start for start, end in spans)


def is_long(u: Spoken) -> bool:
    """Whether an utterance is part of the floor long enough for a backchannel."""
    return u.kind == "turn" and len(u.said.split()) >= _LONG_TURN_WORDS


def floor(talks: list[Streams], rate: int, target: bool) -> None:
    """Transitions."""
    offsets_ms = np.array([samples_to_ms(offset, rate) for talk in talks for offset in transfers(talk)])
    goal = {"median": (150, 350), "under": (45, 60), "overlap": (30, 45)} if target else {}
    within("transitions, median FTO", float(np.median(offsets_ms)), "ms", goal.get("median"))
    within("transitions under 200 ms", 100 * float((offsets_ms < 200).mean()), "%", goal.get("under"))
    within("transitions that overlap", 100 * float((offsets_ms < 0).mean()), "%", goal.get("overlap"))


def overlap(talks: list[Streams], rate: int, target: bool) -> None:
    """Overlap by all three denominators, and its lengths."""
    lengths, n_heard, n_signal = list[int](), 0, 0
    for talk in talks:
        user, assistant = heard(talk, "user"), heard(talk, "assistant")
        both = overlaps(user, assistant)
        lengths += both
        n_heard += length(user) + length(assistant) - sum(both)
        n_signal += talk.n_samples
    within("overlap, of the time anyone speaks", 100 * sum(lengths) / n_heard, "%", (8, 16) if target else None)
    within("overlap, of the signal", 100 * sum(lengths) / n_signal, "%", (0, 10) if target else None)
    short = 100 * sum(n < rate for n in lengths) / max(len(lengths), 1)
    within("overlaps under 1 s", short, "%", (50, 100) if target else None)
    if lengths:
        show("overlaps, median", samples_to_ms(int(statistics.median(lengths)), rate), "ms")


def tokens(talks: list[Streams], rate: int, target: bool) -> None:
    """Backchannels and all other events a minute."""
    n_long = sum(u.end_samples - u.start_samples for talk in talks for u in talk.utterances if is_long(u))
    minutes = sum(talk.n_samples for talk in talks) / rate / 60
    happened = Counter((e.kind, e.role) for talk in talks for e in talk.events if e.placed)
    missing = Counter((e.kind, e.role) for talk in talks for e in talk.events if not e.placed)
    n_backchannels = happened["backchannel", "user"] + happened["backchannel", "assistant"]
    per_minute = n_backchannels / (n_long / rate / 60)
    name = f"backchannels a minute of turns of {_LONG_TURN_WORDS}+ words"
    within(name, per_minute, "", (1.5, 5) if target else None)
    show("backchannels a minute of conversation", n_backchannels / minutes)
    for (kind, role), n in sorted(happened.items()):
        show(
            f"  {kind} by the {role}",
            n / minutes,
            f"a minute, {missing[kind, role]:,} of {n + missing[kind, role]:,} not placed",
        )


def fidelity(talks: list[Streams], recipe: Recipe) -> None:
    """Placed times against what was drawn for each, and against the distributions that were asked for."""
    rate, timing = recipe.sample_rate_hz, recipe.timing
    for role, wanted in (("assistant", timing.assistant_fto), ("user", timing.user_fto)):
        placed, drawn = [], []
        for talk in talks:
            for e in talk.events:
                if e.role == role and e.kind in ("gap", "overlap"):
                    sign = 1 if e.kind == "gap" else -1
                    placed.append(sign * samples_to_ms(e.end_samples - e.start_samples, rate))
                    drawn.append(samples_to_ms(talk.utterances[e.utterance].offset_samples, rate))
        show(f"W1 of placed to drawn FTO, {role}", wasserstein_distance(placed, drawn), "ms", most=5)
        spread = wanted.spread(20_000)
        distance, luck = wasserstein_distance(placed, spread), chance(spread, len(placed))
        note = f"ms ({len(placed):,} transfers; draws alone are {luck:.1f} ms away)"
        show(f"W1 of placed to asked-for FTO, {role}", distance, note)


def chance(spread: np.ndarray, n: int, rounds: int = 20) -> float:
    """Mean W1 distance of `n` draws to the distribution they are drawn from."""
    rng = np.random.default_rng(0)
    return float(np.mean([wasserstein_distance(rng.choice(spread, n), spread) for _ in range(rounds)]))


def within(name: str, value: float, unit: str, goal: tuple[float, float] | None) -> None:
    """Print a figure with the range it is to lie in."""
    if goal is None:
        show(name, value, unit)
        return
    low, high = goal
    show(f"{name} (to be {low:g} to {high:g})", value, unit, least=low if value < low else None, most=high)


def main() -> None:
    """Build and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="natural")
    parser.add_argument("--hours", type=float, default=12)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        source, out = Path(folder, "dialogues.jsonl"), Path(folder, "out")
        write_dialogues(source, options.hours)
        profile = f"timing={{profile: {options.profile}}}"
        recipe = recipe_for("fake", source, profile, "flatten.tasks=[two_stream]", "run.unit_dialogues=64")
        run_build(recipe, out)
        talks = read_streams(out, _COLUMNS)
    rate, target = recipe.sample_rate_hz, options.profile == "natural"
    show(f"conversations of profile {options.profile}", sum(talk.n_samples for talk in talks) / rate / 3600, "hours")
    floor(talks, rate, target)
    overlap(talks, rate, target)
    tokens(talks, rate, target)
    fidelity(talks, recipe)


if __name__ == "__main__":
    main()
