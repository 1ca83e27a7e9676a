"""A minimum of dialogues per split for small inputs: groups that the hash deals elsewhere are moved.

Large inputs need none: of 10,000 dialogues, a share of 1% gives each split about 100. So their
splits depend on the hash alone.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from datagen import seeds
from datagen.engines.normalizers import Normalizers
from datagen.pipeline.select import Select
from datagen.pipeline.splits import split_of
from datagen.pipeline.step import apply
from datagen.recipe import Recipe, SplitsConfig
from datagen.records import Dialogue
from datagen.run.budget import CpuBudget
from datagen.shards.plan import Plan, PlannedInput
from datagen.shards.store import Store

_MOST_RECORDS = 10_000
"""Larger inputs are not looked at, so planning them takes no longer."""


@dataclass(frozen=True)
class LeastSplits:
    """The groups to move, and the splits that stay too small nevertheless."""

    moved: dict[str, str] = field(default_factory=dict)
    """Split by group."""
    too_small: tuple[str, ...] = ()


def least_splits(recipe: Recipe, plan: Plan, store: Store) -> LeastSplits:
    """Find what must move so that each split with a share has `splits.min_dialogues`.

    Only dialogues that `select` keeps count; those that fail later are not known yet.

    Args:
        recipe: The recipe.
        plan: Its plan, with the groups of near-duplicates.
        store: Where the planned input is.
    """
    splits, sizes, counts = recipe.splits, Counter[str](), Counter[str]()
    if not splits.min_dialogues or plan.n_records > _MOST_RECORDS:
        return LeastSplits()
    select = CpuBudget(recipe.limits.stage_cpu_seconds).over(
        Select(recipe.select, Normalizers(recipe.script.normalizer))
    )
    planned = PlannedInput(plan, store)
    for record in (record for unit in range(plan.n_units) for record in planned.unit(unit)):
        if isinstance(record, Dialogue) and isinstance(apply("select", select, record), Dialogue):
            group = record.group or record.id
            sizes[group] += 1
            counts[split_of(group, splits)] += 1
        if all(counts[split] >= splits.min_dialogues for split in _with_share(splits)):
            return LeastSplits()
    return moves(sizes, splits)


def moves(sizes: Mapping[str, int], splits: SplitsConfig) -> LeastSplits:
    """Move groups, whole, from splits that can spare them: the smallest first, then in order of their hashes.

    If there are fewer groups than splits, all are in train: a test without training tells nothing.

    Args:
        sizes: Dialogues by group.
        splits: The recipe section.

    >>> moves({"tea": 1, "bus": 1, "dog": 3}, SplitsConfig())
    LeastSplits(moved={'tea': 'validation', 'bus': 'test'}, too_small=())
    >>> moves({"tea": 1, "key": 1}, SplitsConfig(test=0.5)).too_small
    ('validation', 'test')
    """
    names = _with_share(splits)
    if splits.min_dialogues and len(sizes) < len(names):
        all_moved = {group: "train" for group in sizes if split_of(group, splits) != "train"}
        return LeastSplits(all_moved, tuple(names if sum(sizes.values()) < splits.min_dialogues else names[1:]))
    least, split = splits.min_dialogues, {group: split_of(group, splits) for group in sizes}
    counts = Counter[str]()
    for group, size in sizes.items():
        counts[split[group]] += size
    moved = dict[str, str]()
    for wanted in names:
        for group in sorted(sizes, key=lambda group: (sizes[group], seeds.fraction("split", group), group)):
            spares = counts[split[group]] - sizes[group] >= least
            if counts[wanted] < least and split[group] != wanted and spares:
                counts[split[group]] -= sizes[group]
                counts[wanted] += sizes[group]
                split[group] = moved[group] = wanted
    return LeastSplits(moved, tuple(name for name in names if counts[name] < least))


def _with_share(splits: SplitsConfig) -> list[str]:
    shares = {"train": 1.0, "validation": splits.validation, "test": splits.test}
    return [name for name, share in shares.items() if share]
