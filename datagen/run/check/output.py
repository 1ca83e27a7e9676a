"""The check of a whole output, one unit at a time."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from datagen import DATA_VERSION, __version__
from datagen.errors import StoreError
from datagen.run.check.faults import EnoughError, Faults
from datagen.run.check.index_check import IndexCheck
from datagen.run.check.names import Names, foreign
from datagen.run.check.planned import check_by_name, input_keys
from datagen.run.check.scope import Scope, scope_of
from datagen.run.check.sums import Sums
from datagen.run.check.takes_check import check_kept
from datagen.run.check.unit_check import UnitCheck
from datagen.run.finish import beside, manifest_of, reproducible
from datagen.run.kept import kept_faults
from datagen.shards import digest
from datagen.shards.card import CARD, FIGURES, CardFigures
from datagen.shards.manifest import MANIFEST, FlattenedFrom, IndexPart, Manifest
from datagen.shards.plan import PLAN
from datagen.shards.store import Store

_BESIDE = (PLAN, "recipe.yaml", CARD)
_SUMS = ("n_conversations", "n_rejects", "rejects", "hours", "digest", "tables", "reproducible")
"""Values of a manifest that need every unit."""
_REPORT = "report.html"
"""The page that `datagen report` adds."""


@dataclass
class Report:
    """The result of a check."""

    digest: str = ""
    n_files: int = 0
    """Data files."""
    n_rows: int = 0
    faults: list[str] = field(default_factory=list)
    """One line per fault, with its place; empty if there is none."""


def check(store: Store, conversations: Store | None = None, tell: Callable[[int], object] = lambda _: None) -> Report:
    """Check a finished output, one unit at a time.

    Args:
        store: The output.
        conversations: The output with the conversations, if this one was flattened from it.
        tell: Called with 1 after each unit.

    Raises:
        StoreError: If there is no manifest, it is damaged, or it is of another data version.
    """
    manifest = Manifest.load(store)
    if manifest.data_version != DATA_VERSION:
        raise StoreError(
            f"{store.url} has data version {manifest.data_version}, but this datagen checks version {DATA_VERSION}; "
            f"check it with the datagen that made it ({manifest.datagen}). All other commands read it"
        )
    source = Manifest.load(conversations) if conversations else None
    report, faults = Report(), Faults()
    try:
        _check(manifest, source, report, faults, tell)
    except EnoughError:
        faults.lines.append("... and more; stopped counting")
    report.faults = faults.lines
    return report


def _check(
    manifest: Manifest, source: Manifest | None, report: Report, faults: Faults, tell: Callable[[int], object]
) -> None:
    scope = scope_of(manifest, source, faults)
    plan = scope.plan
    sums, names = Sums(plan.n_records), Names(plan.n_units)
    names.add(MANIFEST, _REPORT, FIGURES, *_BESIDE)
    names.add(*(key for files in input_keys(plan) for key, _ in files))
    units, index = UnitCheck(scope, sums, names, faults), IndexCheck(manifest, names, faults)
    for number, files in index.units(plan.n_units):
        units.check(number, files)
        report.n_files, report.n_rows = units.n_files, units.n_rows
        tell(1)
    report.digest = digest.to_text(sums.tally.digest)
    if not scope.is_flattened:
        sums.check_records(faults)
    if scope.splits and not scope.splits.share_voices:
        sums.check_speakers(faults)
    with faults.caught():
        faults.add(*kept_faults(manifest))
    wanted = _wanted(scope, sums, index.parts)
    _check_manifest(scope, wanted, sums, faults)
    _check_beside(scope, wanted, sums, faults)
    check_kept(manifest.store, names, faults)
    if not plan.seal:
        check_by_name(manifest.store, faults)
    faults.add(*foreign(manifest.store, names, () if plan.seal else ("input/",)))


def _wanted(scope: Scope, sums: Sums, index: list[IndexPart]) -> Manifest:
    """The manifest that all other files give."""
    manifest, origin, tally = scope.manifest, None, sums.tally
    promised = None
    url = manifest.origin.url if manifest.origin else ""
    if not scope.is_flattened:
        tally = replace(tally, n_records=scope.plan.n_records)
        if scope.identity.encoded:
            origin = FlattenedFrom(url, scope.identity.encoded.digest)
    elif scope.source:
        origin = FlattenedFrom(url, scope.source.digest)
        promised = scope.source.reproducible
    else:
        origin = FlattenedFrom(url, scope.identity.conversations or "")
        promised = reproducible(scope.identity.engines, manifest.reproducible.processors)
    wanted = manifest_of(scope.plan, tally, index, origin, promised, manifest.store)
    n_conversations = sums.tally.n_kept
    return replace(wanted, n_conversations=n_conversations, n_rejects=sums.tally.n_records - n_conversations)


def _check_manifest(scope: Scope, wanted: Manifest, sums: Sums, faults: Faults) -> None:
    """Compare every value of the manifest; sums only if all units could be counted."""
    said = json.loads(scope.manifest.store.read(MANIFEST))
    known = {name: vars(scope.manifest)[name] for name in _SUMS} if not sums.is_complete else {}
    found = json.loads(replace(wanted, beside=scope.manifest.beside, **known).to_json())
    faults.compare(MANIFEST, _without_seal(said), _without_seal(found), "the other files")


def _without_seal(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if name != "seal"}


def _check_beside(scope: Scope, wanted: Manifest, sums: Sums, faults: Faults) -> None:
    """Compare plan, recipe and card with their hashes; recipe and card with what this datagen would write.

    `datagen card` replaces the card that the manifest was written for, so one with figures has no hash.
    """
    store, said = scope.manifest.store, scope.manifest.beside
    faults.add(
        *(f"{MANIFEST}: beside has {key}, which is no file of the format" for key in sorted({*said} - {*_BESIDE}))
    )
    figures = None
    with faults.caught():
        figures = CardFigures.load(store)
    if figures and figures.digest != scope.manifest.digest:
        faults.add(f"{FIGURES}: it is of another build; delete it, and run `datagen card` again")
    try:
        made = beside(wanted, b"", figures) if sums.is_complete and scope.identity.datagen == __version__ else {}
    except ValidationError:  # reported with the plan
        made = {}
    for key in _BESIDE:
        with faults.caught():
            data = store.read(key)
            if hashlib.sha256(data).hexdigest() != said.get(key) and not (key == CARD and figures):
                faults.add(f"{key}: its bytes are not those the manifest was written for")
            elif key != PLAN and made and made[key] != data:
                faults.add(f"{key}: it is not what plan and sums give")
