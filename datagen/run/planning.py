"""The plan of a build, frozen before speech is synthesized: the units of the input, and the identity.

Planning reads every input once and stores the records in `input/`, one row group per unit, or per
block of a unit that has several, so that a worker finds its dialogues without reading the rest.
Duplicates are found here, so units are independent. `plan.json` is written last: without it, no
unit has begun. What is read has the hashes of the identity, or there is no plan.

Near-duplicates share a split. They are known only after all records have been read and written, so
their groups are in separate small files, one for each file of `input/` that needs one. Two more
decisions need the whole input, and so are in the plan: groups that move so that no split of a small
input is empty, and whether audio is kept.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from datagen import DATA_VERSION, __version__, sources
from datagen.errors import SourceError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import InputConfig, Recipe, SplitsConfig
from datagen.records import Dialogue, InputFile, Reject
from datagen.run.job import settled
from datagen.run.kept_audio import KeptAudio
from datagen.run.least_splits import least_splits
from datagen.run.repeats import Grouping, mark_duplicates
from datagen.shards.identity import Identity
from datagen.shards.plan import UNITS_PER_PART, Plan, groups_key, part_key, records_per_unit
from datagen.shards.schema import GROUPS, INPUT, input_table
from datagen.shards.store import Store
from datagen.sources.duplicates import most_of

_UNITS_AT_ONCE = 4
"""Units in memory during planning: few, so that even the largest records fit."""


def identity(build: Pipeline) -> Identity:
    """All values that decide the content of a build."""
    return Identity(
        datagen=__version__,
        data_version=DATA_VERSION,
        recipe=build.recipe.identity(),
        recipe_sha256=build.recipe.sha256(),
        inputs=tuple(_inputs(build)),
        **vars(build.describe()),
    )


def _inputs(build: Pipeline) -> list[InputFile]:
    source = build.recipe.input
    return sources.fingerprint(source.paths) if source.recordings is None else build.catalogue.inputs


def plan_build(build: Pipeline, store: Store) -> Plan:
    """Plan a build, or load the plan of the build to resume.

    Raises:
        ResumeError: If the output belongs to another build; names the differing values.
        SourceError: If an input cannot be read, contains no records, or changes while it is planned.
    """
    if not build.recipe.input.paths and build.recipe.input.recordings is None:
        raise SourceError("no input: use --input PATH, or set input.paths in the recipe")
    wanted = identity(build)
    if build.recipe.input.recordings is not None:
        return settled(store, wanted, lambda: _make_recorded_plan(build, wanted, store))
    return settled(store, wanted, lambda: _make_plan(build.recipe, wanted, store))


def remarks(plan: Plan) -> list[str]:
    """Remarks for the user before speech is synthesized, on splits that are too small or unbalanced."""
    return [*_on_small_splits(plan), *_on_twins(plan)]


def _on_small_splits(plan: Plan) -> list[str]:
    if not plan.too_small:
        return []
    least = plan.identity.recipe["splits"]["min_dialogues"]
    if least == 1:
        without, n_splits = " and no ".join(plan.too_small), len(plan.too_small) + 1
        fewer = " Two do for train and test alone, with --set splits.validation=0." if n_splits > 2 else ""
        return [
            f"all dialogues are in train, and there is no {without}: fewer than {n_splits} can be spoken and are no "
            f"near-duplicates of one another. Give {n_splits} or more of these for {n_splits} splits.{fewer}"
        ]
    return [
        f"too few dialogues for {' and '.join(plan.too_small)}: fewer than splits.min_dialogues ({least}), because the "
        "input has too few dialogues that can be spoken and are no near-duplicates of one another. Add dialogues, or "
        "set the share of a split that you do not need to 0, as in --set splits.validation=0"
    ]


def _on_twins(plan: Plan) -> list[str]:
    largest, n_dialogues = plan.twins.get("largest", 0), plan.twins.get("n_dialogues", 0)
    if largest <= most_of(n_dialogues):
        return []
    if plan.identity.recipe["input"].get("recordings"):
        return [
            f"{largest} of {n_dialogues} conversations are connected by speakers and share a split, train wherever "
            "possible; validation and test are dealt from the others"
        ]
    threshold = plan.identity.recipe["splits"]["keep_together"]
    return [
        f"{largest} of {n_dialogues} dialogues are near-duplicates of one another and share a split, train wherever "
        f"possible; validation and test are dealt from the others. splits.keep_together ({threshold}) says how alike "
        "dialogues must be; null lets near-duplicates of training data into validation and test"
    ]


def _make_recorded_plan(build: Pipeline, wanted: Identity, store: Store) -> Plan:
    from datagen.run.recorded_plan import SpeakerGroups

    recipe, groups = build.recipe, SpeakerGroups(build.catalogue, build.recipe.sample_rate_hz)
    kept_audio = KeptAudio(recipe.mix, recipe.sample_rate_hz)
    records = kept_audio.counted(islice(groups.records(), recipe.input.limit))
    shas, sizes = write_parts(records, recipe.run.unit_dialogues, store)
    if not sizes:
        raise SourceError(f"input.recordings: {build.catalogue.config.path} holds no recordings")
    names = tuple(write_groups(groups.names(recipe.splits), sizes, store))
    plan = Plan(wanted, sum(sizes), records_per_unit(wanted.recipe), tuple(shas), names, groups.counts())
    return replace(plan, keep_audio=kept_audio.decided, moved=groups.moved(recipe.splits))


def write_parts(records: Iterator[Dialogue | Reject], unit_dialogues: int, store: Store) -> tuple[list[str], list[int]]:
    """Write planned input; returns SHA-256 and number of records of each file."""
    shas, sizes = list[str](), list[int]()
    for part, (n_in_part, data) in enumerate(_parts(records, unit_dialogues)):
        shas.append(hashlib.sha256(data).hexdigest())
        store.create(part_key(part, shas[-1]), data)
        sizes.append(n_in_part)
    return shas, sizes


def _make_plan(recipe: Recipe, wanted: Identity, store: Store) -> Plan:
    grouping = Grouping(recipe.splits.keep_together) if recipe.splits.keep_together else None
    kept_audio = KeptAudio(recipe.mix, recipe.sample_rate_hz)
    records = kept_audio.counted(mark_duplicates(_read(recipe.input, wanted.inputs), recipe.input, grouping))
    shas, sizes = write_parts(records, recipe.run.unit_dialogues, store)
    plan = Plan(wanted, sum(sizes), records_per_unit(wanted.recipe), tuple(shas), keep_audio=kept_audio.decided)
    if grouping is not None:
        plan = _grouped(plan, grouping, recipe.splits, sizes, store)
    return replace(plan, **vars(least_splits(recipe, plan, store)))


def _grouped(plan: Plan, grouping: Grouping, splits: SplitsConfig, sizes: Sequence[int], store: Store) -> Plan:
    """The plan with its groups of near-duplicates, which are written."""
    clusters = grouping.clusters()
    counts = {"n_dialogues": clusters.n_dialogues, "n_alike": len(clusters)}
    twins = {**counts, "n_groups": len(clusters.members), "largest": clusters.largest}
    groups = tuple(write_groups(grouping.names(clusters, splits), sizes, store))
    return replace(plan, groups=groups, twins=twins)


def write_groups(names: dict[int, str], sizes: Sequence[int], store: Store) -> Iterator[str]:
    """Write the groups of each part that has any; yields the SHA-256 of each file, empty for none."""
    records, begin = list(names), 0
    for part, size in enumerate(sizes):
        first, last = bisect_left(records, begin), bisect_left(records, begin + size)
        begin += size
        if first == last:
            yield ""
            continue
        table = pa.table({"record": records[first:last], "group": [names[k] for k in records[first:last]]}, GROUPS)
        file = BytesIO()
        pq.write_table(table, file, compression="zstd", write_statistics=False)
        sha256 = hashlib.sha256(file.getvalue()).hexdigest()
        store.create(groups_key(part, sha256), file.getvalue())
        yield sha256


def _read(source: InputConfig, identity: Sequence[InputFile]) -> Iterator[Dialogue | Reject]:
    return sources.read(
        source.paths,
        source.shape,
        split=source.hf_split,
        limit=source.limit,
        max_record_bytes=source.max_record_bytes,
        identity=identity,
        mapping=source.mapping,
        roles=source.roles,
        keep_calls=source.tool_calls == "keep",
    )


def _parts(records: Iterator[Dialogue | Reject], unit_dialogues: int) -> Iterator[tuple[int, bytes]]:
    """Pack records into files, one row group per unit; yields the records and the bytes of each file."""
    while True:
        file, n_records = BytesIO(), 0
        with pq.ParquetWriter(file, INPUT, compression="zstd", use_dictionary=False, write_statistics=False) as writer:
            for _ in range(UNITS_PER_PART // _UNITS_AT_ONCE):
                if not (batch := list(islice(records, _UNITS_AT_ONCE * unit_dialogues))):
                    break
                writer.write_table(input_table(batch), row_group_size=unit_dialogues)
                n_records += len(batch)
        if not n_records:
            return
        yield n_records, file.getvalue()
