"""Repetitions in an input: rejects of duplicates, and groups of near-duplicates that share a split.

The text of a dialogue is folded once, and its signature computed once, for both.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from datagen.pipeline.splits import split_of
from datagen.recipe import InputConfig, SplitsConfig
from datagen.records import Dialogue, Reject, reject
from datagen.sources.duplicates import (
    Clusters,
    NearDuplicates,
    Twins,
    essence_of,
    exact_key,
    most_of,
    signatures,
    texts_of,
)

_DIALOGUES_AT_ONCE = 512
_CHARACTERS_AT_ONCE = 1 << 19
"""Characters per batch of signatures, about 40 bytes each; a single record may be larger."""


class Grouping:
    """Collects the dialogues of an input, then names the group of each that has near-duplicates."""

    def __init__(self, threshold: float) -> None:
        """`threshold` as in `splits.keep_together`."""
        self._twins = Twins(threshold)
        self._ids: list[str] = []
        self._records = array("I")

    def add(
        self, dialogues: Sequence[Dialogue], signed: NDArray[np.uint16], users_turns: Sequence[Sequence[str]]
    ) -> None:
        """Add dialogues with their signatures and the folded turns of their users."""
        self._twins.add(signed, users_turns)
        self._ids += [dialogue.id for dialogue in dialogues]
        self._records.extend([dialogue.record for dialogue in dialogues])

    def clusters(self) -> Clusters:
        """Clusters of near-duplicates among all dialogues added."""
        return self._twins.clusters()

    def names(self, clusters: Clusters, splits: SplitsConfig) -> dict[int, str]:
        """The group of each dialogue that has near-duplicates, by record, in order.

        A group is named by its first dialogue. A group so large that it would dominate any split is
        named by its first dialogue that is dealt to train, and so belongs to train.
        """
        names = {}
        for members in clusters.members:
            ids = (self._ids[member] for member in members)
            name = self._ids[members[0]]
            if len(members) > most_of(clusters.n_dialogues):
                name = next((id_ for id_ in ids if split_of(id_, splits) == "train"), name)
            names.update(dict.fromkeys((self._records[member] for member in members), name))
        return dict(sorted(names.items()))


def mark_duplicates(
    records: Iterable[Dialogue | Reject], source: InputConfig, grouping: Grouping | None = None
) -> Iterator[Dialogue | Reject]:
    """Turn every dialogue that repeats an earlier one, exactly or nearly, into a reject.

    Args:
        records: Records of an input, in order.
        source: The recipe section that defines duplicates.
        grouping: Collects the remaining dialogues.
    """
    marker = _Marker(source, grouping)
    for batch in _batches(records):
        yield from marker.marked(batch)


class _Marker:
    def __init__(self, source: InputConfig, grouping: Grouping | None) -> None:
        self._first_with: dict[bytes, str] | None = {} if source.exact_duplicates else None
        self._near = NearDuplicates(source.near_duplicates) if source.near_duplicates else None
        self._grouping = grouping

    def marked(self, batch: list[Dialogue | Reject]) -> list[Dialogue | Reject]:
        """The batch with rejects for duplicates."""
        essences = [essence_of(record) if isinstance(record, Dialogue) else "" for record in batch]
        found = [self._exact(record, essence) for record, essence in zip(batch, essences, strict=True)]
        if self._near or self._grouping:
            self._compare(found, essences)
        return found

    def _exact(self, record: Dialogue | Reject, essence: str) -> Dialogue | Reject:
        if self._first_with is None or isinstance(record, Reject):
            return record
        earlier = self._first_with.setdefault(exact_key(essence), record.id)
        if earlier == record.id:
            return record
        return reject(record, "plan", "duplicate", f"same text as dialogue {earlier!r}")

    def _compare(self, found: list[Dialogue | Reject], essences: list[str]) -> None:
        """Turn near-duplicates into rejects, in place, and add the others to the groups."""
        dialogues = [(place, record) for place, record in enumerate(found) if isinstance(record, Dialogue)]
        texts = [texts_of(essences[place]) for place, _ in dialogues]
        signed = signatures([said for said, _ in texts])
        kept = list[int]()
        for row, (place, dialogue) in enumerate(dialogues):
            similar = self._near.seen(dialogue.id, signed[row]) if self._near else None
            if similar is None:
                kept.append(row)
            else:
                detail = f"nearly the same text as dialogue {similar!r}"
                found[place] = reject(dialogue, "plan", "near_duplicate", detail)
        if self._grouping:
            self._grouping.add([dialogues[row][1] for row in kept], signed[kept], [texts[row][1] for row in kept])


def _batches(records: Iterable[Dialogue | Reject]) -> Iterator[list[Dialogue | Reject]]:
    """Records in batches of bounded number and text length."""
    batch, n_characters = list[Dialogue | Reject](), 0
    for record in records:
        batch.append(record)
        n_characters += sum([len(turn.text) for turn in record.turns]) if isinstance(record, Dialogue) else 0
        if len(batch) == _DIALOGUES_AT_ONCE or n_characters > _CHARACTERS_AT_ONCE:
            yield batch
            batch, n_characters = [], 0
    if batch:
        yield batch
