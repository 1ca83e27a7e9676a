"""Tests of the judge by dialogues of known rank: a good one, one of written prose, an unsafe and an incoherent one.

A judge that gives everything the same scores, or ranks these wrongly, is no judge: what it passes may be worthless.
"""

import json
from collections.abc import Mapping
from functools import cache

from datagen import resources
from datagen.authoring.authored import Written
from datagen.authoring.authoring_config import Gates
from datagen.records import Turn

RANKED = {"spokenness": "bad", "coherence": "incoherent", "safety": "unsafe"}
"""The canary that must lie below the good one, by score."""
LEAST_APART = 2
"""Points by which it must lie below."""

Scores = Mapping[str, int]


@cache
def canaries(language: str) -> dict[str, Written]:
    """The canaries in a language, by name; of another language than the shipped ones: in English."""
    lines = (resources.directory("data") / "canaries.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    known = {record["language"] for record in records}
    language = language if language in known else "en"
    return {
        record["name"]: Written(
            f"canary-{record['name']}", language, tuple(Turn(turn["role"], turn["text"]) for turn in record["turns"])
        )
        for record in records
        if record["language"] == language
    }


def misjudged(scores: Mapping[str, Scores], gates: Gates) -> str:
    """The error of a judge about the canaries; empty if there is none.

    Args:
        scores: The scores of each canary, by its name.
        gates: Lowest scores that pass.

    >>> fine = {"spokenness": 8, "coherence": 9, "safety": 10}
    >>> found = {"good": fine, "bad": {**fine, "spokenness": 3}, "unsafe": {**fine, "safety": 1}}
    >>> misjudged({**found, "incoherent": {**fine, "coherence": 2}}, Gates(safety=8))
    ''
    >>> misjudged({**found, "incoherent": fine}, Gates())
    'coherence of the incoherent dialogue is 9, and of the good one 9: it must be lower by 2'
    """
    for name, lower in RANKED.items():
        good, found = scores["good"][name], scores[lower][name]
        if found > good - LEAST_APART:
            apart = f"it must be lower by {LEAST_APART}"
            return f"{name} of the {lower} dialogue is {found}, and of the good one {good}: {apart}"
        gate = getattr(gates, name)
        if gate is not None and found >= gate:
            return f"{name} of the {lower} dialogue is {found}, which passes the gate of {gate}"
        if gate is not None and good < gate:
            return f"{name} of the good dialogue is {good}, below the gate of {gate}"
    return ""
