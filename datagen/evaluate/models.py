"""What is asked of a model that is scored, and causal language models of transformers behind it."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError

TOKEN_IDS = "token_ids.npy"  # noqa: S105
"""Beside a checkpoint with a vocabulary of its own: which id each row of its embedding stands for, int64 [n_rows]."""

_CACHES = ("cache", "past_key_values")
"""What transformers calls a model's cache: the first name where it knows it, the second before."""


class Model(Protocol):
    """Hears tokens one after the other and says what it expects next."""

    def restart(self) -> None:
        """Forget what was heard."""
        ...

    def hear(self, ids: NDArray[np.integer[Any]], choices: NDArray[np.int64], n_last: int) -> NDArray[np.float32]:
        """Hear more tokens, and score what may come after the last ones of them.

        Args:
            ids: What comes next in the sequence; int [n].
            choices: The ids that may follow; [n_choices].
            n_last: After how many of the last tokens to score, 1 to n.

        Returns:
            Log-probabilities, up to a constant for each token; [n_last, n_choices].
        """
        ...


class CausalModel:
    """A causal language model of transformers, with its cache."""

    def __init__(self, model: Any, token_ids: NDArray[np.int64] | None = None) -> None:
        """Take the model.

        Args:
            model: Any `...ForCausalLM`, on the device where it is to run.
            token_ids: Which id each row of its embedding stands for, if not its number; see `TOKEN_IDS`.
        """
        self._model = model.eval()
        self._row_of: NDArray[np.int64] | None = None
        if token_ids is not None:
            self._row_of = np.full(int(token_ids.max()) + 2, -1, np.int64)  # the last for all that lie beyond
            self._row_of[token_ids] = np.arange(len(token_ids))
        self._cache: dict[str, Any] = {}

    def restart(self) -> None:
        """Drop the cache."""
        self._cache = {}

    def hear(self, ids: NDArray[np.integer[Any]], choices: NDArray[np.int64], n_last: int) -> NDArray[np.float32]:
        """Run the model on what is new."""
        import torch

        with torch.inference_mode():
            heard = np.maximum(self._rows(np.asarray(ids, np.int64)), 0)  # what it does not know is heard as its row 0
            found = self._model(
                input_ids=torch.from_numpy(heard)[None].to(self._model.device),
                use_cache=True,
                logits_to_keep=n_last,
                **self._cache,
            )
            name = next(name for name in _CACHES if name in found)
            self._cache = {name: found[name]}
            rows = self._rows(choices)
            scores: NDArray[np.float32] = found.logits[0, :, np.maximum(rows, 0)].float().cpu().numpy()
        scores[:, rows < 0] = -np.inf
        return scores

    def _rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the embedding; -1 for an id that the model does not know."""
        if self._row_of is None:
            return ids
        return self._row_of[np.minimum(ids, len(self._row_of) - 1)]


def load(directory: str, n_ids: int) -> CausalModel:
    """A checkpoint of transformers, with its `token_ids.npy` if it has one.

    Args:
        directory: Of the checkpoint.
        n_ids: Size of the vocabulary that it is to hear.

    Raises:
        DatagenError: If transformers is not installed, or the directory holds no model, or one of another vocabulary.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM
    except ImportError as error:
        raise DatagenError("to load a model needs transformers: pip install 'duplex-datagen[train]'") from error
    if not (Path(directory) / "config.json").is_file():
        raise DatagenError(f"{directory} holds no model: it has no config.json")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(directory, local_files_only=True, dtype="auto")
    except (OSError, ValueError) as error:
        raise DatagenError(f"cannot load the model of {directory}: {error}") from error
    names = Path(directory) / TOKEN_IDS
    token_ids = np.load(names, allow_pickle=False) if names.is_file() else None
    size = model.config.vocab_size
    if token_ids is None and size < n_ids:
        raise DatagenError(
            f"{directory} has {size:,} embeddings, the build {n_ids:,} ids: it was not trained on its like"
        )
    if token_ids is not None and (len(token_ids) != size or int(token_ids.max()) + 1 != n_ids):
        raise DatagenError(f"{names} is not of this model of {size:,} embeddings and a build of {n_ids:,} ids")
    return CausalModel(model.to(device), token_ids)
