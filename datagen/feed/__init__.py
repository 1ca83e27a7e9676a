"""Shards as training batches for torch: shuffled, packed, mixed, split over ranks, and resumable at any batch."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from datagen.errors import FeedError
from datagen.feed.batch import Arrays
from datagen.feed.curriculum import Stage
from datagen.feed.joined import JoinedShards
from datagen.feed.reader import FeedPlan, Reader, Share, merge_states
from datagen.feed.shard_files import IGNORED, Shards, ShardSource
from datagen.feed.state import checked, fits
from datagen.installed import pip_install
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store
from datagen.shards.vocab import Vocabulary

try:
    import torch
    from torch.utils.data import IterableDataset, get_worker_info
except ImportError as error:
    raise FeedError(f"datagen.feed needs torch: {pip_install('train')}") from error

__all__ = ["IGNORED", "Batch", "Feed", "Stage", "merge_states"]


class Batch(NamedTuple):
    """Sequences to train on, of one rank."""

    inputs: dict[str, Any]
    """For `model(**batch.inputs)`: `input_ids`, `labels` (-100 where not learned; not shifted) and `position_ids` (from
    0 in every row), each int64 [n_sequences, max_tokens]; of `parallel`, ids and labels are [n_sequences, n_streams,
    max_tokens], with -1 where there is nothing. Models of transformers see by the positions that attention
    must not cross rows, but only without a cache, so `use_cache=False` is there too; for flash attention: `flat`."""
    boundaries: torch.Tensor
    """`cu_seqlens` of the batch laid out flat: where rows begin, and the end; int32 [n + 1]."""
    tasks: tuple[str, ...]
    """Of each sequence."""
    rows: torch.Tensor
    """Origin of each row: sequence in the batch, file, row of the file; int64 [n_rows, 3]. `Feed.key` names the
    files."""

    def to(self, device: Any) -> "Batch":
        """The same with its inputs and boundaries on a device."""
        inputs = {k: v.to(device, non_blocking=True) if torch.is_tensor(v) else v for k, v in self.inputs.items()}
        return self._replace(inputs=inputs, boundaries=self.boundaries.to(device, non_blocking=True))

    def flat(self) -> "Batch":
        """The same as one sequence, [1, n_sequences x max_tokens].

        For flash attention: there transformers minds the positions in batches of one only.
        """
        inputs = {k: _end_to_end(v) if torch.is_tensor(v) else v for k, v in self.inputs.items()}
        return self._replace(inputs=inputs)


def _end_to_end(sequences: torch.Tensor) -> torch.Tensor:
    """[n, max_tokens] as [1, n x max_tokens], and [n, n_streams, max_tokens] as [1, n_streams, n x max_tokens]."""
    return sequences.movedim(0, -2).reshape(1, *sequences.shape[1:-1], -1)


class Feed(IterableDataset[Batch]):
    """The batches of one rank: for a `DataLoader` or `StatefulDataLoader` with `batch_size=None`, or to iterate over.

    The order is shuffled by the seed and the same for any number of ranks and workers. `state_dict` after a batch holds
    all that is needed to resume with the next one.
    """

    def __init__(
        self,
        out: str | Sequence[str],
        stages: Stage | Sequence[Stage],
        *,
        split: str = "train",
        seed: int = 0,
        shuffle: bool = True,
        epochs: int | None = None,
        lanes: int = 16,
        rank: int | None = None,
        n_ranks: int | None = None,
        n_embeddings: int | None = None,
        cache: str | None = None,
    ) -> None:
        """Open a finished build, or several with one vocabulary, such as a recorded and a synthetic one.

        Args:
            out: Its directory or URL; of several builds, all of them.
            stages: What to train on, in this order; only the last may be without end.
            split: `train`, `validation` or `test`.
            seed: Of the order.
            shuffle: False keeps the manifest's order, packing apart.
            epochs: End after that many passes over the rows; by default stages end by their `n_sequences`. With it,
                every rank reads all files, which suits validation.
            lanes: Files that are read side by side. Ranks whose number divides it read nothing in common; more lanes
                shuffle better and hold more memory (about 4 MB each for sequences of 8,192).
            rank: Which of the ranks; by default as `torch.distributed` says, else RANK of the environment, else 0.
            n_ranks: How many there are.
            cache: Directory of a local disk to keep decoded files in, 4 bytes per token; from then on they are
                neither fetched nor decoded. A damaged one is made again. Jobs may share it; delete it when you like.
            n_embeddings: Rows of the model's embedding, to refuse data whose ids go beyond it.

        Raises:
            StoreError: If a build is unfinished, damaged or not there.
            FeedError: If it does not hold what the stages need, has ids beyond the model's, or builds
                have different vocabularies.
        """
        manifests = [Manifest.load(open_store(url)) for url in ([out] if isinstance(out, str) else out)]
        self.vocabulary = _vocabulary(manifests)
        if n_embeddings is not None and self.vocabulary.size > n_embeddings:
            raise FeedError(
                f"{out} has {self.vocabulary.size:,} ids, but the model only {n_embeddings:,} embeddings: call "
                f"model.resize_token_embeddings({self.vocabulary.size})"
            )
        stages = [stages] if isinstance(stages, Stage) else list(stages)
        _check(stages, epochs, lanes)
        tasks = sorted({task for stage in stages for task in stage.tasks})
        sources = [ShardSource(manifest.store.url) for manifest in manifests]
        if "parallel" in tasks and len({manifest.row_codebooks for manifest in manifests}) > 1:
            raise FeedError("the rows of parallel have different numbers of codebooks: flatten one build again")
        shards = {task: _shards(manifests, task, split, sources, cache) for task in tasks}
        fill_id = self.vocabulary["<|text_silence|>"]
        self._plan = FeedPlan(stages, shards, seed, lanes, epochs, shuffle, fill_id)
        self._ranks = _ranks(rank, n_ranks)
        for stage in stages:
            stage.n_batches(self._ranks[1])  # refuses what ranks cannot share
        self._identity = {
            "digest": " ".join(manifest.digest for manifest in manifests),
            "split": split,
            "seed": seed,
            "shuffle": shuffle,
            "epochs": epochs,
            "lanes": lanes,
            "stages": [[s.name, dict(s.tasks), s.max_tokens, s.n_sequences] for s in stages],
        }
        self._state: dict[str, Any] | None = None
        self._reader: Reader | None = None

    def __iter__(self) -> Iterator[Batch]:
        """Batches from the beginning, or from behind the state that was loaded last."""
        info = get_worker_info()
        share = Share(*self._ranks, *((info.id, info.num_workers) if info else (0, 1)))
        state, self._state = self._state, None
        self._reader = reader = Reader(self._plan, share, state)
        return map(_batch, reader)

    def key(self, task: str, file: int) -> str:
        """Path below the output of a file that `Batch.rows` names; of several builds, with the output."""
        return self._plan.shards[task].key(file)

    def state_dict(self) -> dict[str, Any]:
        """The position of the last iteration: plain numbers and strings, a few hundred bytes per lane."""
        state = self._reader.state() if self._reader else self._state
        return {"of": self._identity, "at": state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume the next iteration behind a state, with any number of ranks if ranks x batch_size stays.

        Raises:
            FeedError: If the state is of another build, split, seed, or of other stages, or damaged; names the key.
        """
        checked(state)
        other = [key for key, value in self._identity.items() if state["of"].get(key) != value]
        if other:
            ours, theirs = self._identity[other[0]], state["of"].get(other[0])
            raise FeedError(f"this state is from another feed: {other[0]} was {theirs} there and is {ours} here")
        lanes = [(stage.name, set(stage.tasks), self._plan.lanes_of(stage)) for stage in self._plan.stages]
        fits(state["at"], lanes)
        self._reader, self._state = None, state["at"]


def _vocabulary(manifests: Sequence[Manifest]) -> Vocabulary:
    """The vocabulary of all builds."""
    if not manifests:
        raise FeedError("a feed needs at least one build")
    for other in manifests[1:]:
        if other.vocabulary != manifests[0].vocabulary:
            raise FeedError(
                f"{manifests[0].store.url} and {other.store.url} have different vocabularies, so no model reads both"
            )
    return manifests[0].vocabulary


def _shards(
    manifests: Sequence[Manifest], task: str, split: str, sources: Sequence[ShardSource], cache: str | None
) -> Shards:
    """The files of a task and split of all builds; a build among several may have none."""
    having = [pair for pair in zip(manifests, sources, strict=True) if split in pair[0].tables.get(task, {})]
    if len(manifests) == 1 or not having:
        return Shards(manifests[0], task, split, sources[0], cache)
    return JoinedShards([Shards(manifest, task, split, source, cache) for manifest, source in having])


def _batch(found: Arrays) -> Batch:
    inputs = {"input_ids": found.ids, "labels": found.labels, "position_ids": found.positions}
    tensors: dict[str, Any] = {name: torch.from_numpy(array) for name, array in inputs.items()}
    boundaries, rows = torch.from_numpy(found.boundaries), torch.from_numpy(found.rows)
    return Batch({**tensors, "use_cache": False}, boundaries, found.tasks, rows)


def _check(stages: Sequence[Stage], epochs: int | None, lanes: int) -> None:
    names = [stage.name for stage in stages]
    endless = [stage.name for stage in stages[:-1] if stage.n_sequences is None and epochs is None]
    if not stages or len(set(names)) < len(names):
        raise FeedError(f"a feed needs stages with distinct names; these are {names}")
    if endless:
        raise FeedError(f"stage {endless[0]} has no end, so no stage can follow it: set its n_sequences")
    if epochs is not None and len(stages) > 1:
        raise FeedError("with epochs there can be only one stage; to use several, set n_sequences instead")
    if lanes < 1 or (epochs is not None and epochs < 1):
        raise FeedError("lanes and epochs must be at least 1")


def _ranks(rank: int | None, n_ranks: int | None) -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        ours = torch.distributed.get_rank(), torch.distributed.get_world_size()
    else:  # started by torchrun, say, and not yet initialized
        ours = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    rank, n_ranks = ours[0] if rank is None else rank, ours[1] if n_ranks is None else n_ranks
    if not 0 <= rank < n_ranks:
        raise FeedError(f"rank {rank} of {n_ranks}: ranks count from 0")
    return rank, n_ranks
