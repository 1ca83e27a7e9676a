"""Timing of a profile: floor transfers, overlaps, backchannels, placed against drawn times.

Measured on the stored timeline of a build on the fake engines (utterances have the lengths of tones
of 60 ms per letter, about 165 words per minute). Of `natural`, the user and the gaps are compared
with human figures (`datagen.measure.compared_timing`), the assistant's answers with what it can know
(docs/timing.md).
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

from datagen.clock import samples_to_ms
from datagen.measure.compared_timing import HUMAN
from datagen.recipe import Recipe
from datagen.records import FLOOR, TRANSFERS, Spoken, Streams

_COLUMNS = ("dialogue_id", "language", "split", "n_samples", "user_codes", "assistant_codes", "utterances", "events")
_LONG_TURN_WORDS = 10
"""Turns from which a listener's token is to be expected."""
_LEAST_EARLY, _MOST_EARLY = 5, 25
"""Percent of answers that begin before the user's end."""
_EARLIEST_MS = -300
_TOLERANCE = 0.15
"""By how much a figure may miss a human range that a source gives as a single value or for one language each."""
Span = tuple[int, int]


def transfers(streams: Streams) -> Iterator[tuple[str, int]]:
    """Floor transfers: the new speaker and the offset in samples; barge-ins and silences too."""
    floor = [u for u in streams.utterances if u.kind in FLOOR]
    for before, after in pairwise(floor):
        if before.role != after.role:
            yield after.role, after.start_samples - before.end_samples


def heard(streams: Streams, role: str) -> list[Span]:
    """Spans in which a speaker is heard, in order."""
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
    """True if an utterance holds the floor long enough for a backchannel."""
    return u.kind == "turn" and len(u.said.split()) >= _LONG_TURN_WORDS


def floor(talks: list[Streams], rate: int, target: bool) -> None:
    """Transitions to the user, answers of the assistant, and gaps."""
    offsets = [(role, samples_to_ms(offset, rate)) for talk in talks for role, offset in transfers(talk)]
    user, assistant = (np.array([ms for role, ms in offsets if role == name]) for name in ("user", "assistant"))
    gaps = np.array([ms for _, ms in offsets if ms > 0])
    goal = human if target else nothing
    within("user: median FTO", float(np.median(user)), "ms", goal("user_fto_median_ms"))
    within("user: under 200 ms", 100 * float((user < 200).mean()), "%", goal("user_fto_below_200_share"))
    within("user: overlaps", 100 * float((user < 0).mean()), "%", goal("user_overlap_of_transfers_share"))
    within("gaps, median", float(np.median(gaps)), "ms", goal("gap_median_ms"))
    early = 100 * float((assistant < 0).mean())
    within("assistant: begins before the user's end", early, "%", (_LEAST_EARLY, _MOST_EARLY) if target else None)
    earliest = (_EARLIEST_MS, 0) if target else None
    within("assistant: earliest answer", float(assistant.min()), "ms", earliest)
    show("assistant: median FTO", float(np.median(assistant)), "ms")
    show("all: median FTO", float(np.median(np.r_[user, assistant])), "ms")
    show("all: overlaps", 100 * float((np.r_[user, assistant] < 0).mean()), "%")


def human(name: str) -> tuple[float, float]:
    """The range of a human figure, a little widened; shares in percent."""
    range_, scale = HUMAN[name], 100 if name.endswith("_share") else 1
    return scale * range_.low * (1 - _TOLERANCE), scale * range_.high * (1 + _TOLERANCE)


def nothing(name: str) -> None:
    """No range: only `natural` is held against people."""


def overlap(talks: list[Streams], rate: int, target: bool) -> None:
    """Overlap by all three denominators, and its lengths. The assistant's share of the human one is given up."""
    lengths, n_heard, n_signal = list[int](), 0, 0
    for talk in talks:
        user, assistant = heard(talk, "user"), heard(talk, "assistant")
        both = overlaps(user, assistant)
        lengths += both
        n_heard += length(user) + length(assistant) - sum(both)
        n_signal += talk.n_samples
    within("overlap, of the time anyone speaks", 100 * sum(lengths) / n_heard, "%", (0, 16) if target else None)
    within("overlap, of the signal", 100 * sum(lengths) / n_signal, "%", (0, 10) if target else None)
    short = 100 * sum(n < rate for n in lengths) / max(len(lengths), 1)
    within("overlaps under 1 s", short, "%", (50, 100) if target else None)
    if lengths:
        show("overlaps, median", samples_to_ms(int(statistics.median(lengths)), rate), "ms")


def tokens(talks: list[Streams], rate: int, target: bool) -> None:
    """Backchannels and all other events a minute."""
    longs = [u for talk in talks for u in talk.utterances if u.role == "assistant" and is_long(u)]
    n_long = sum(u.end_samples - u.start_samples for u in longs)
    minutes = sum(talk.n_samples for talk in talks) / rate / 60
    happened = Counter((e.kind, e.role) for talk in talks for e in talk.events if e.placed)
    missing = Counter((e.kind, e.role) for talk in talks for e in talk.events if not e.placed)
    per_minute = happened["backchannel", "user"] / (n_long / rate / 60)
    name = f"user: backchannels a minute of turns of {_LONG_TURN_WORDS}+ words"
    within(name, per_minute, "", (1.5, 5) if target else None)
    show("user: backchannels a minute of conversation", happened["backchannel", "user"] / minutes)
    if target:
        show("assistant: backchannels", happened["backchannel", "assistant"], most=0)
    for kind, role in sorted(happened.keys() | missing.keys()):
        n, n_missing = happened[kind, role], missing[kind, role]
        note = f"a minute, {n_missing:,} of {n + n_missing:,} not placed"
        show(f"  {kind} by the {role}", n / minutes, note)


def fidelity(talks: list[Streams], recipe: Recipe) -> None:
    """Placed times against the drawn ones, and against the distributions of the recipe.

    Gaps are placed as drawn. An early start is not where the speaker could not know enough yet, so
    that many of those are placed later.
    """
    rate, timing = recipe.sample_rate_hz, recipe.timing
    for role, wanted in (("assistant", timing.assistant_fto), ("user", timing.user_fto)):
        offsets = np.array([pair for talk in talks for pair in placed_and_drawn(talk, role, rate)])
        gaps, early = offsets[offsets[:, 1] >= 0], offsets[offsets[:, 1] < 0]
        show(f"W1 of placed to drawn gaps, {role}", wasserstein_distance(*gaps.T), "ms", most=5)
        if len(early):
            late = 100 * float((early[:, 0] > early[:, 1] + 1).mean())
            show(f"early starts that are placed later than drawn, {role}", late, f"% of {len(early):,}")
        placed, spread = offsets[:, 0], wanted.spread(20_000)
        distance, luck = wasserstein_distance(placed, spread), chance(spread, len(placed))
        note = f"ms ({len(placed):,} transfers; draws alone are {luck:.1f} ms away)"
        show(f"W1 of placed to asked-for FTO, {role}", distance, note)


def placed_and_drawn(talk: Streams, role: str, rate: int) -> Iterator[tuple[float, float]]:
    """Offsets in milliseconds of a speaker's floor transfers, barge-ins and long silences left out."""
    for e in talk.events:
        if e.role == role and e.placed and e.kind in TRANSFERS:
            sign = 1 if e.kind == "gap" else -1
            drawn = samples_to_ms(talk.utterances[e.utterance].offset_samples, rate)
            yield sign * samples_to_ms(e.end_samples - e.start_samples, rate), drawn


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
