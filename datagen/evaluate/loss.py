"""Cross-entropy on held-out rows, by task and stream, in nats per token.

OmniFlatten reports one figure of the test set (arXiv 2410.17799). Streams differ by far in how hard they are
to predict, and in length, so each has its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.evaluate.cells import Part, ratio
from datagen.evaluate.models import Model, sayable
from datagen.evaluate.scored_rows import (
    TASKS,
    Layout,
    Mask,
    NothingToScoreError,
    group_of,
    interleaved,
    need_split,
    split_rows,
    with_other_users,
)
from datagen.evaluate.tables import Column, Table
from datagen.shards.manifest import Manifest
from datagen.shards.schema import arrays_of
from datagen.shards.tables import from_parquet
from datagen.shards.vocab import Vocabulary

LOSS_TASKS = ("asr", "tts", "four_stream", *TASKS)
_MOST_SCORES = 2**24
"""Scores held at once: tokens read at once, times ids of the vocabulary."""
_STREAMS = ("text", "speech")

Held = tuple[str, NDArray[np.int32], Mask]
"""The dialogue of a row, its ids, and True for those that are learned."""


def cross_entropy(
    manifest: Manifest,
    models: Mapping[str, Model],
    split: str = "test",
    n_rows: int | None = None,
    shuffled: Mapping[str, Model] | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> Table:
    """Cross-entropy of the learned tokens of each task.

    Args:
        manifest: Of a build.
        models: By name of their row.
        split: Name of the split.
        n_rows: Most rows of each task.
        shuffled: Models that read the user's channel of another conversation, in full-duplex rows.
        tell: Called with 1 after each row.

    Raises:
        NothingToScoreError: If the build has no rows of a known task in the split.
    """
    cells: dict[str, dict[str, Any]] = {name: {} for name in (*models, *(shuffled or ()))}
    columns, unknown = [], 0
    for task in (task for task in LOSS_TASKS if split in manifest.tables.get(task, {})):
        for name, model, is_shuffled in _systems(models, shuffled or {}):
            if is_shuffled and task not in TASKS:
                continue
            parts: dict[str, list[tuple[str, Part]]] = {stream: [] for stream in _STREAMS}
            for group, ids, learned in held_rows(manifest, task, split, n_rows, is_shuffled):
                for stream, (nats, n, n_unknown) in _sums(model, ids, learned, manifest.vocabulary).items():
                    parts[stream].append((group, (nats, n)))
                    unknown += n_unknown
                tell(1)
            for stream, found in parts.items():
                if any(n for _, (_, n) in found):
                    cells[name][f"{task} {stream}"] = ratio(found)
        columns += [Column(f"{task} {s}", "number", "tokens") for s in _STREAMS if _has(cells, f"{task} {s}")]
    if not columns:
        have = ", ".join(manifest.tasks)
        raise NothingToScoreError(
            f"{manifest.store.url} has no {split} rows to score; it has {have}; choose another --split, or add "
            "dialogues"
        )
    notes = ["Nats per learned token, all true tokens before it given."]
    if unknown:
        notes.append(f"{unknown:,} tokens that a model has no id for are left out.")
    return Table.of("loss", f"cross-entropy of {split} rows", columns, cells, notes)


def _systems(models: Mapping[str, Model], shuffled: Mapping[str, Model]) -> Iterator[tuple[str, Model, bool]]:
    yield from ((name, model, False) for name, model in models.items())
    yield from ((name, model, True) for name, model in shuffled.items())


def _has(cells: Mapping[str, Mapping[str, Any]], column: str) -> bool:
    return any(column in row for row in cells.values())


def held_rows(
    manifest: Manifest, task: str, split: str, n_rows: int | None = None, shuffled: bool = False
) -> Iterable[Held]:
    """Rows of a task with the mask of what is learned; shuffled: with users of other dialogues.

    Raises:
        DatagenError: If there are none.
    """
    if task in TASKS:
        layout = Layout.of(manifest, task)
        found = (
            list(split_rows(manifest, task, split, n_rows)) if shuffled else split_rows(manifest, task, split, n_rows)
        )
        yield from (_full_duplex(row, layout) for row in (with_other_users(found, layout) if shuffled else found))  # type: ignore[arg-type]
        return
    need_split(manifest, task, split)
    n_left = n_rows
    for file in manifest.files(task, split):
        table = from_parquet(manifest.store.read(file.key), file.key, ["row_id", "input_ids", "loss_mask"])
        ids, masks = (arrays_of(table.column(name)) for name in ("input_ids", "loss_mask"))
        for row_id, row, mask in zip(table.column("row_id").to_pylist(), ids, masks, strict=True):
            if n_left == 0:
                return
            n_left = None if n_left is None else n_left - 1
            yield group_of({"row_id": row_id}), row, np.asarray(mask, np.bool_)


def _full_duplex(row: dict[str, Any], layout: Layout) -> Held:
    read, is_given = interleaved(row["input_ids"], row.get("given", ()))
    learned = np.zeros(len(read), np.bool_)
    learned[~is_given] = np.arange(len(row["input_ids"])) % layout.width >= layout.chunk.user.stop
    return group_of(row), read, learned


def _sums(
    model: Model, ids: NDArray[np.int32], learned: Mask, vocabulary: Vocabulary
) -> dict[str, tuple[float, int, int]]:
    """Sum of nats, number of tokens, and number of unknown ones, by stream."""
    targets = learned[1:]  # nothing precedes the first token
    own = getattr(model, "nats", None)
    nats = own(ids, targets) if own else token_nats(model, ids, vocabulary.size)[targets]
    is_text, known = is_of_text(ids[1:], vocabulary)[targets], np.isfinite(nats)
    return {
        stream: (float(nats[of & known].sum()), int((of & known).sum()), int((of & ~known).sum()))
        for stream, of in (("text", is_text), ("speech", ~is_text))
    }


def is_of_text(ids: NDArray[np.integer[Any]], v: Vocabulary) -> Mask:
    """True for ids of text streams, their end and their silence.

    >>> v = Vocabulary(10, 20, 40, 4)
    >>> is_of_text(np.array([3, v["<|eot|>"], v["<|eos|>"], 41]), v).tolist()
    [True, True, False, False]
    """
    marks = [v["<|sot|>"], v["<|eot|>"], v["<|text_silence|>"]]
    return np.asarray((ids < v.n_text) | np.isin(ids, marks), np.bool_)


def token_nats(model: Model, ids: NDArray[np.integer[Any]], n_ids: int) -> NDArray[np.float64]:
    """Negative log-probability of each token but the first, among all ids that a model can say.

    Args:
        model: The model.
        ids: A row, [n_tokens].
        n_ids: Size of the vocabulary.

    Returns:
        float64 [n_tokens - 1]; infinite for ids that the model cannot say.
    """
    choices: NDArray[np.int64] = sayable(model, np.arange(n_ids))
    place = np.full(n_ids, -1, np.int64)
    place[choices] = np.arange(len(choices))
    n_piece = max(min(_MOST_SCORES // len(choices), 512), 1)
    model.restart()
    found = []
    for start in range(0, len(ids) - 1, n_piece):
        piece = ids[start : min(start + n_piece, len(ids) - 1)]
        scores = model.hear(piece, choices, len(piece)).astype(np.float64)
        found.append(_nats(scores, place[ids[start + 1 : start + 1 + len(piece)]]))
    return np.concatenate([np.zeros(0), *found])


def _nats(scores: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Negative log-softmax at the targets; infinite at target -1.

    >>> _nats(np.zeros((2, 4)), np.array([1, -1])).round(4).tolist()
    [1.3863, inf]
    """
    top = scores.max(axis=1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(scores - top).sum(axis=1))
    own: NDArray[np.float64] = scores[np.arange(len(scores)), np.maximum(targets, 0)]
    nats: NDArray[np.float64] = np.where(targets < 0, np.inf, total - own)
    return nats
