"""Groups of recordings that share speakers, directly or through others: they share a split."""

from collections.abc import Iterable


def groups_of(speakers: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, int]:
    """The group of each recording; recordings that share a speaker have the same.

    Args:
        speakers: Name of each recording, and its speakers.

    Returns:
        Number of the group by recording, in order of their first recordings.

    >>> groups_of([("r1", ("ann", "bob")), ("r2", ("cy", "di")), ("r3", ("bob", "eve"))])
    {'r1': 0, 'r2': 1, 'r3': 0}
    """
    above: dict[str, str] = {}
    recordings: dict[str, str] = {}
    for name, (first, *others) in speakers:
        recordings[name] = first
        for other in others:
            one, two = sorted((_root(above, first), _root(above, other)))
            above[two] = one
        above.setdefault(first, first)
    numbers: dict[str, int] = {}
    return {name: numbers.setdefault(_root(above, first), len(numbers)) for name, first in recordings.items()}


def _root(above: dict[str, str], name: str) -> str:
    """The representative of a speaker's group; the path to it becomes shorter."""
    while above.setdefault(name, name) != name:
        above[name] = above[above[name]]
        name = above[name]
    return name
