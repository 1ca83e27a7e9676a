"""The split of a group of dialogues."""

from datagen import seeds
from datagen.recipe import SplitsConfig


def split_of(group: str, splits: SplitsConfig) -> str:
    """Deal a group of near-duplicates into a split, by a hash of its id alone.

    A dialogue without near-duplicates is its own group, named by its id. A larger input moves it
    only if it contains a near-duplicate.

    >>> split_of("d1", SplitsConfig(validation=0, test=0))
    'train'
    """
    u = seeds.fraction("split", group)
    if u < splits.validation:
        return "validation"
    return "test" if u < splits.validation + splits.test else "train"
