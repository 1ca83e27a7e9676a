"""The plan of a build of recordings: its conversations, and the groups of those that share speakers."""

from collections.abc import Iterator
from functools import cached_property

from datagen.errors import SourceError
from datagen.pipeline.splits import split_of
from datagen.recipe import SplitsConfig
from datagen.records import Dialogue, Recorded, Reject
from datagen.sources.duplicates import most_of
from datagen.sources.recordings.catalogue import Catalogue, CataloguedRecording
from datagen.sources.recordings.connected import groups_of
from datagen.sources.recordings.single_speakers import SpeechCorpus
from datagen.sources.recordings.talks import conversations

_MOST_SHOWN = 10


class SpeakerGroups:
    """Passes the conversations of a corpus on, then names the group of each."""

    def __init__(self, corpus: Catalogue | SpeechCorpus, sample_rate_hz: int) -> None:
        """Find the groups of recordings that share speakers; in a corpus of single speakers each is a group."""
        self._corpus, self._rate = corpus, sample_rate_hz
        recordings = () if isinstance(corpus, SpeechCorpus) else corpus.recordings
        usable = (each for each in recordings if isinstance(each, CataloguedRecording))
        self._groups = groups_of((each.name, tuple(side.speaker for side in each.sides)) for each in usable)
        self._members: dict[int | str, list[tuple[int, str]]] = {}
        """Record and id of each conversation, by group."""

    def records(self) -> Iterator[Dialogue | Reject]:
        """All conversations and rejects, in order."""
        corpus = self._corpus
        is_single = isinstance(corpus, SpeechCorpus)
        for record in corpus.conversations(self._rate) if is_single else conversations(corpus, self._rate):
            if isinstance(record, Dialogue) and record.recorded is not None:
                self._members.setdefault(self._group(record.recorded), []).append((record.record, record.id))
            yield record

    def _group(self, recorded: Recorded) -> int | str:
        return self._groups[recorded.recording] if recorded.has_assistant else recorded.user.speaker

    def names(self, splits: SplitsConfig) -> dict[int, str]:
        """The group of each conversation by record, in order.

        A group is named by its first conversation; one so large that it would dominate any split by
        its first conversation that is dealt to train.
        """
        found = dict[int, str]()
        for members in self._members.values():
            name = self._name(members, splits)
            found.update((record, name) for record, _ in members)
        return dict(sorted(found.items()))

    def _name(self, members: list[tuple[int, str]], splits: SplitsConfig) -> str:
        name = members[0][1]
        if len(members) > most_of(self._n_conversations):
            name = next((id for _, id in members if split_of(id, splits) == "train"), name)
        return name

    @cached_property
    def _n_conversations(self) -> int:
        """Number of all conversations, once they are read."""
        return sum(map(len, self._members.values()))

    def moved(self, splits: SplitsConfig) -> dict[str, str]:
        """Split by group where that of the corpus is not the one that is dealt.

        A split that the corpus has a part for gets that part only; the others are dealt.

        Raises:
            SourceError: If a speaker is in parts of different splits.
        """
        corpus = self._corpus
        if not isinstance(corpus, SpeechCorpus) or not corpus.config.official_splits:
            return {}
        if torn := [(speaker, parts) for speaker, parts in corpus.splits.items() if len(parts) > 1]:
            lines = (f"{speaker} in {' and '.join(sorted(parts.values()))}" for speaker, parts in torn[:_MOST_SHOWN])
            raise SourceError(
                f"{len(torn)} speakers are in parts of several splits: {'; '.join(lines)}; leave a part out with "
                "input.recordings.parts, or deal the splits with input.recordings.official_splits=false"
            )
        own = {split for parts in corpus.splits.values() for split in parts}
        shares = {split: 0 for split in ("validation", "test") if split in own}
        others, found = splits.model_copy(update=shares), dict[str, str]()
        for speaker, members in self._members.items():
            name = self._name(members, splits)
            official = next(iter(corpus.splits[str(speaker)]))
            split = official if official in shares else split_of(name, others)
            if split != split_of(name, splits):
                found[name] = split
        return found

    def counts(self) -> dict[str, int]:
        """Counts for a plan, as of near-duplicates."""
        sizes = [len(members) for members in self._members.values()]
        return {
            "n_dialogues": sum(sizes),
            "n_alike": sum(size for size in sizes if size > 1),
            "n_groups": sum(size > 1 for size in sizes),
            "largest": max(sizes, default=0),
        }
