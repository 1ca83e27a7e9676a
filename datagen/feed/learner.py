"""The loss of packed batches: in parts, over several ranks, and with logits of the learned tokens alone.

A step has the same gradient, rounding apart, for any number of ranks and any number of parts, because
its loss is the mean over the learned tokens of all of them.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from datagen.errors import FeedError
from datagen.feed import IGNORED, Batch
from datagen.feed.ranks import ranks, total

try:
    import torch
    from torch.nn.functional import cross_entropy
    from torch.utils.checkpoint import checkpoint
except ImportError as error:
    raise FeedError("datagen.feed needs torch: pip install 'duplex-datagen[train]'") from error

_INPUTS = ("input_ids", "labels", "position_ids")
_LOGITS = 1024
"""Tokens whose logits are held at once with checkpoints."""


class Learner(torch.nn.Module):
    """A causal language model of transformers with its loss in one forward pass, as `DistributedDataParallel` needs."""

    def __init__(self, model: Any, rows: torch.Tensor | None = None, bf16: bool = False, checkpoints: bool = False):
        """Wrap a model.

        Args:
            model: Any `...ForCausalLM`.
            rows: Row of its embedding of each id, int64 [n_ids]; None if it is the id.
            bf16: True to compute in bfloat16, whatever the weights are.
            checkpoints: True to compute activations and logits twice, which saves memory.
        """
        super().__init__()
        self.model, self.bf16, self._checkpoints = model, bf16, checkpoints
        if checkpoints:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        self.rows: torch.Tensor | None
        self.register_buffer("rows", rows, persistent=False)

    def forward(self, ids: torch.Tensor, labels: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Sum of the cross-entropy of the learned tokens, each [n_sequences, max_tokens]."""
        labels = labels[:, 1:]
        learned = labels != IGNORED
        targets = labels[learned]
        if self.rows is not None:
            ids, targets = self.rows[ids], self.rows[targets]
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.bf16):
            hidden = self.model.base_model(input_ids=ids, position_ids=positions, use_cache=False)[0]
            return self._summed(hidden[:, :-1][learned], targets)

    def _summed(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        def part(hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return cross_entropy(self.model.get_output_embeddings()(hidden).float(), targets, reduction="sum")

        if not self._checkpoints:
            return part(hidden, targets)
        pairs = zip(torch.split(hidden, _LOGITS), torch.split(targets, _LOGITS), strict=True)
        sums: list[Any] = [checkpoint(part, *pair, use_reentrant=False) for pair in pairs]
        return torch.stack(sums).sum()


def reads_flat(model: Any) -> bool:
    """True if the attention of a model keeps rows apart in a single long sequence only."""
    return str(model.config._attn_implementation).startswith("flash")


def parts_of(batch: Batch, device: Any, at_once: int, flat: bool = False) -> Iterator[list[torch.Tensor]]:
    """Ids, labels and positions of a few sequences at once.

    Args:
        batch: The sequences.
        device: Device of the parts.
        at_once: Sequences per part.
        flat: True for one long sequence per part, [1, n x max_tokens], as flash attention needs it.
    """
    inputs = [batch.inputs[name].to(device) for name in _INPUTS]
    for part in zip(*(each.split(at_once) for each in inputs), strict=True):
        yield [each.reshape(1, -1) if flat else each for each in part]


def learn(learner: torch.nn.Module, batch: Batch, device: Any, at_once: int, flat: bool = False) -> torch.Tensor:
    """Add the gradient of the mean loss of a step, over the learned tokens of all ranks; returns that loss.

    Args:
        learner: A `Learner`, with several ranks within `DistributedDataParallel`.
        batch: The sequences of this rank.
        device: Device of the model.
        at_once: Sequences per forward pass.
        flat: As of `parts_of`.
    """
    parts = list(parts_of(batch, device, at_once, flat))
    n = total(torch.stack([(labels[:, 1:] != IGNORED).sum() for _, labels, _ in parts]).sum()).clamp(min=1)
    loss = torch.zeros((), device=device)
    for k, part in enumerate(parts):
        waits: Any = k + 1 < len(parts) and ranks()[1] > 1
        with learner.no_sync() if waits else contextlib.nullcontext():  # type: ignore[operator]
            own = learner(*part)
            (own * ranks()[1] / n).backward()  # the gradient of several ranks is their mean
        loss += own.detach()
    return total(loss) / n
