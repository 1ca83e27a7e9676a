"""The plan of a build of recordings: its conversations, and the groups of those that share speakers."""

from collections.abc import Iterator

from datagen.pipeline.splits import split_of
from datagen.recipe import SplitsConfig
from datagen.records import Dialogue, Reject
from datagen.sources.duplicates import most_of
from datagen.sources.recordings.catalogue import Catalogue, CataloguedRecording
from datagen.sources.recordings.connected import groups_of
from datagen.sources.recordings.talks import conversations


class SpeakerGroups:
    """Passes the conversations of a corpus on, then names the group of each."""

    def __init__(self, catalogue: Catalogue, sample_rate_hz: int) -> None:
        """Find the groups of recordings that share speakers."""
        self._catalogue, self._rate = catalogue, sample_rate_hz
        usable = (each for each in catalogue.recordings if isinstance(each, CataloguedRecording))
        self._groups = groups_of((each.name, tuple(side.speaker for side in each.sides)) for each in usable)
        self._members: dict[int, list[tuple[int, str]]] = {}
        """Record and id of each conversation, by group."""

    def records(self) -> Iterator[Dialogue | Reject]:
        """All conversations and rejects, in order."""
        for record in conversations(self._catalogue, self._rate):
            if isinstance(record, Dialogue) and record.recorded is not None:
                group = self._groups[record.recorded.recording]
                self._members.setdefault(group, []).append((record.record, record.id))
            yield record

    def names(self, splits: SplitsConfig) -> dict[int, str]:
        """The group of each conversation by record, in order.

        A group is named by its first conversation; one so large that it would dominate any split by
        its first conversation that is dealt to train.
        """
        found, n_all = dict[int, str](), sum(map(len, self._members.values()))
        for members in self._members.values():
            name = members[0][1]
            if len(members) > most_of(n_all):
                name = next((id for _, id in members if split_of(id, splits) == "train"), name)
            found.update((record, name) for record, _ in members)
        return dict(sorted(found.items()))

    def counts(self) -> dict[str, int]:
        """Counts for a plan, as of near-duplicates."""
        sizes = [len(members) for members in self._members.values()]
        return {
            "n_dialogues": sum(sizes),
            "n_alike": sum(size for size in sizes if size > 1),
            "n_groups": sum(size > 1 for size in sizes),
            "largest": max(sizes, default=0),
        }
