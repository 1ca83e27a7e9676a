"""The timing report of a build: the battery beside human figures, what was asked for, events, and a voice check."""

from typing import Any

from datagen.measure.battery import Battery
from datagen.measure.compared import ComparedTiming
from datagen.measure.crosscheck import cross_check
from datagen.measure.detectors import Detector
from datagen.measure.durations import Durations
from datagen.measure.fit import measured
from datagen.measure.human import HUMAN
from datagen.measure.timelines import Measured, conversations
from datagen.recipe import stored
from datagen.shards.manifest import Manifest
from datagen.shards.store import Store

VERSION = 2
"""Of the shape of `as_json`."""
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


def measure(store: Store, manifest: Manifest) -> Measured:
    """Measure the stored timelines of a build, a file at a time."""
    found = Measured(Battery(manifest.clock.sample_rate_hz))
    for streams in conversations(store, manifest):
        found.add(streams)
    return found


def hear(store: Store, manifest: Manifest, detectors: dict[str, Detector], n_most: int) -> list[dict[str, Any]]:
    """Cross-check the first conversations of a build that have audio; nothing if it was built without."""
    recipe = manifest.recipe
    if not n_most or not recipe["mix"]["keep_audio"]:
        return []
    margin_ms = recipe["speak"]["trim_margin_ms"]
    return cross_check(conversations(store, manifest, with_audio=True), detectors, n_most, margin_ms)


def as_json(
    found: Measured,
    manifest: Manifest,
    voice: list[dict[str, Any]],
    compared: ComparedTiming | None = None,
) -> dict[str, Any]:
    """All of a report as plain values; docs/timing.md describes the shape.

    Args:
        found: What was measured.
        manifest: Of the build.
        voice: What `hear` found.
        compared: What to compare with; by default what the build's own recipe asks for.
    """
    battery, recipe = found.battery, stored(manifest.recipe)
    compared = compared or ComparedTiming.of_build(manifest)
    return {
        "version": VERSION,
        "recipe": recipe.name,
        "profile": recipe.timing.profile,
        "n_conversations": battery.n_conversations,
        "hours": battery.minutes / 60,
        "figures": {name: _figure(name, value) for name, value in battery.figures().items()},
        "parts_share": {part: n / battery.n_samples for part, n in battery.parts.items() if battery.n_samples},
        "durations": {name: _spread(durations) for name, durations in _all(battery).items()},
        "placement": found.placement.figures(recipe.timing),
        "events": _events(found),
        "reference": _compare(battery, compared),
        "voice": voice,
    }


def _figure(name: str, value: float | None) -> dict[str, Any]:
    human = HUMAN.get(name)
    return {
        "value": value,
        "human": human and {"low": human.low, "high": human.high, "source": human.source},
        "inside": human.holds(value) if human and value is not None else None,
    }


def _all(battery: Battery) -> dict[str, Durations]:
    return {"fto": battery.fto, **battery.durations, "overlap": battery.overlap}


def _spread(durations: Durations) -> dict[str, Any]:
    values = durations.quantiles(_SHARES) if durations.n else [None] * len(_SHARES)
    return {
        "n": durations.n,
        "mean_ms": durations.mean(),
        "quantiles_ms": {f"{share:g}": value for share, value in zip(_SHARES, values, strict=True)},
    }


def _events(found: Measured) -> list[dict[str, Any]]:
    names = sorted({(kind, role) for kind, role, _ in found.events})
    return [
        {
            "kind": kind,
            "role": role,
            "n": found.events[kind, role, True],
            "n_without_room": found.events[kind, role, False],
            "a_minute": found.events[kind, role, True] / found.battery.minutes,
        }
        for kind, role in names
    ]


def _compare(battery: Battery, reference: ComparedTiming) -> dict[str, Any]:
    ours = measured(battery)
    return {
        "name": reference.name,
        "human": reference.is_human,
        "w1_ms": {what: ours[what].w1(theirs) for what, theirs in reference.durations.items()},
    }
