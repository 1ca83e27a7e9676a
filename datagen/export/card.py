"""Figures for the card of a finished build: events, timing and audit, measured and stored beside it."""

from collections import Counter
from dataclasses import replace
from typing import Any

from datagen.audit.audit import audit, cells
from datagen.errors import StoreError
from datagen.measure.timing_report import as_json, measure, number, words
from datagen.shards.card import CARD, FIGURES, CardFigure, CardFigures, CardFinding, card, refuse_licence
from datagen.shards.manifest import Manifest
from datagen.shards.store import Store


def write_card(store: Store, licence: str = "", title: str = "") -> CardFigures:
    """Measure a finished build, and write `card.json` and a card with the figures.

    The same build gives the same bytes. A licence or title that an earlier card has is kept unless
    another is given.

    Args:
        store: The output.
        licence: Licence of the data, as the Hub writes it, such as cc-by-4.0.
        title: Name of the data set for people.

    Raises:
        StoreError: If the build is unfinished or damaged, or the licence is no identifier.
    """
    refuse_licence(licence)
    manifest = Manifest.load(store)
    try:
        known = CardFigures.load(store)
    except StoreError:  # measured anew
        known = None
    licence, title = licence or (known.licence if known else ""), title or (known.title if known else "")
    figures = replace(_measured(store, manifest), licence=licence, title=title)
    store.replace(FIGURES, figures.to_json())
    store.replace(CARD, card(manifest, figures).encode())
    return figures


def _measured(store: Store, manifest: Manifest) -> CardFigures:
    """Events, timing and audit; nothing for an output without conversations, such as a flattened one."""
    if not manifest.tables.get("conversations"):
        return CardFigures(digest=manifest.digest)
    report = as_json(measure(store, manifest), manifest, [])
    events: Counter[str] = Counter()
    for event in report["events"]:
        events[event["kind"]] += event["n"]
    findings = [cells(finding) for finding in audit(manifest)]
    return CardFigures(
        digest=manifest.digest,
        events=dict(sorted(events.items())),
        timing=tuple(_figure(name, figure) for name, figure in report["figures"].items()),
        audit=tuple(
            CardFinding(name=name, verdict=verdict, score=score, limit=limit, meaning=meaning)
            for name, verdict, score, _, limit, _, meaning in findings
        ),
    )


def _figure(name: str, figure: dict[str, Any]) -> CardFigure:
    """A timing figure as text, with the human range."""
    human = figure["human"]
    bounds = f"{number(name, human['low'])} to {number(name, human['high'])}" if human else ""
    return CardFigure(name=words(name), value=number(name, figure["value"]), human=bounds)
