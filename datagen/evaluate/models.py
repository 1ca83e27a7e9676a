"""The interface of a scored model, and causal language models of transformers behind it."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError
from datagen.installed import pip_install

TOKEN_IDS = "token_ids.npy"  # noqa: S105
"""File of a checkpoint with its own vocabulary: the id of each row of its embedding, int64 [n_rows]."""

_PIECE_TOKENS = 512
"""Tokens of a row read at once."""
_CACHES = ("cache", "past_key_values")
"""Names of a model's cache in new and old versions of transformers."""


class Model(Protocol):
    """Reads tokens one after the other and predicts the next one."""

    def restart(self) -> None:
        """Drop all that was read."""
        ...

    def hear(self, ids: NDArray[np.integer[Any]], choices: NDArray[np.int64], n_last: int) -> NDArray[np.float32]:
        """Read more tokens, and score the choices after the last ones.

        Args:
            ids: Next tokens of the sequence; int [n].
            choices: Ids that may follow; [n_choices].
            n_last: Number of last tokens after which to score, 1 to n.

        Returns:
            Log-probabilities up to a constant per token; [n_last, n_choices].
        """
        ...


def drawn(scores: NDArray[np.float32], chance: np.random.Generator) -> int:
    """Index of one of the choices, drawn by the scores after the last token (Gumbel-max)."""
    return int((scores[-1] + chance.gumbel(size=scores.shape[1])).argmax())


def sayable(model: Model, choices: NDArray[np.int64]) -> NDArray[np.int64]:
    """The choices that a model can say: those in its vocabulary, or all if it does not state one (`token_ids`)."""
    own = getattr(model, "token_ids", None)
    return choices if own is None else choices[np.isin(choices, own)]


class CausalModel:
    """A causal language model of transformers, with its cache."""

    def __init__(self, model: Any, token_ids: NDArray[np.int64] | None = None) -> None:
        """A model and the ids that it knows.

        Args:
            model: Any `...ForCausalLM`, on the device where it is to run.
            token_ids: Id of each row of its embedding, if not its index; see `TOKEN_IDS`.
        """
        self._model = model.eval()
        self.token_ids = token_ids
        self._row_of: NDArray[np.int64] | None = None
        if token_ids is not None:
            self._row_of = np.full(int(token_ids.max()) + 2, -1, np.int64)  # the last is for all ids beyond
            self._row_of[token_ids] = np.arange(len(token_ids))
        self._cache: dict[str, Any] = {}

    def restart(self) -> None:
        """Drop the cache."""
        self._cache = {}

    def hear(self, ids: NDArray[np.integer[Any]], choices: NDArray[np.int64], n_last: int) -> NDArray[np.float32]:
        """Run the model on the new tokens."""
        import torch

        with torch.inference_mode():
            heard = np.maximum(self._rows(np.asarray(ids, np.int64)), 0)  # unknown ids are read as row 0
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

    def nats(self, ids: NDArray[np.integer[Any]], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Negative log-probability of wanted tokens, each given all before it, among all ids that it can say.

        As `loss.token_nats` computes it from `hear`, but without moving the scores of all ids.

        Args:
            ids: A row, [n_tokens].
            wanted: True for the wanted ones of its tokens after the first, [n_tokens - 1].

        Returns:
            float64 [n_wanted]; infinite for ids that the model cannot say.
        """
        import torch

        rows = self._rows(np.asarray(ids, np.int64))
        inputs = torch.from_numpy(np.maximum(rows, 0)).to(self._model.device)
        found: list[NDArray[np.float64]] = [np.zeros(0)]
        cache: dict[str, Any] = {}
        with torch.inference_mode():
            for start in range(0, len(ids) - 1, _PIECE_TOKENS):
                stop = min(start + _PIECE_TOKENS, len(ids) - 1)
                at = torch.from_numpy(np.flatnonzero(wanted[start:stop])).to(inputs.device)
                output = self._model(input_ids=inputs[None, start:stop], use_cache=True, logits_to_keep=at, **cache)
                name = next(name for name in _CACHES if name in output)
                cache = {name: output[name]}
                targets = inputs[1:][start:stop][at]
                losses = torch.nn.functional.cross_entropy(output.logits[0].float(), targets, reduction="none")
                found.append(losses.double().cpu().numpy())
        return np.where(rows[1:][wanted] < 0, np.inf, np.concatenate(found))

    def _rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the embedding; -1 for an unknown id."""
        if self._row_of is None:
            return ids
        return self._row_of[np.minimum(ids, len(self._row_of) - 1)]


def load(directory: str, n_ids: int) -> CausalModel:
    """A checkpoint of transformers, with its `token_ids.npy` if it has one.

    Args:
        directory: The checkpoint.
        n_ids: Size of the vocabulary of the rows.

    Raises:
        DatagenError: If transformers is not installed, or the directory holds no model, or one of another vocabulary.
    """
    transformers = _transformers(directory)
    logging = transformers.utils.logging
    had_bar = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            directory, local_files_only=True, dtype="auto", trust_remote_code=False, weights_only=True
        )
    except Exception as error:  # files of a checkpoint can be broken in many ways
        raise _unloadable(directory, error) from error
    finally:
        if had_bar:
            logging.enable_progress_bar()
    return _fitting(model, directory, n_ids)


def _unloadable(directory: str, error: Exception) -> DatagenError:
    return DatagenError(
        f"cannot load the model in {directory}: {str(error) or type(error).__name__}; name the folder of a causal "
        "model of transformers, complete and undamaged"
    )


def untrained(directory: str, n_ids: int, seed: int = 0) -> CausalModel:
    """A model of the same form as a checkpoint, with random weights.

    Args:
        directory: The checkpoint.
        n_ids: Size of the vocabulary of the rows.
        seed: Of the weights.

    Raises:
        DatagenError: As `load`.
    """
    transformers = _transformers(directory)
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            config = transformers.AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
            model = transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        except Exception as error:  # as in `load`
            raise _unloadable(directory, error) from error
    return _fitting(model, directory, n_ids)


def _transformers(directory: str) -> Any:
    """The package, once a directory looks like a checkpoint."""
    try:
        import torch  # noqa: F401
        import transformers
    except ImportError as error:
        raise DatagenError(f"loading a model needs transformers: {pip_install('train')}") from error
    if not Path(directory).is_dir():
        state = "is not a folder" if Path(directory).exists() else "does not exist"
        raise DatagenError(
            f"{directory} {state}; name the folder of a checkpoint: train.py writes one after each stage, and models "
            "of a hub are downloaded by its own tools first"
        )
    if not (Path(directory) / "config.json").is_file():
        raise DatagenError(f"{directory} contains no model: it has no config.json; name the folder of a checkpoint")
    return transformers


def _fitting(model: Any, directory: str, n_ids: int) -> CausalModel:
    """A model with the ids of a checkpoint, if they fit the build."""
    import torch

    names = Path(directory) / TOKEN_IDS
    token_ids = _token_ids(names) if names.is_file() else None
    size = model.config.vocab_size
    if token_ids is None and size < n_ids:
        raise DatagenError(
            f"{directory} has {size:,} embeddings and the build {n_ids:,} ids: the model was not trained on such data"
        )
    if token_ids is not None and (len(token_ids) != size or int(token_ids.max()) + 1 != n_ids):
        raise DatagenError(f"{names} does not fit this model of {size:,} embeddings and this build of {n_ids:,} ids")
    return CausalModel(model.to("cuda" if torch.cuda.is_available() else "cpu"), token_ids)


def _token_ids(file: Path) -> NDArray[np.int64]:
    try:
        found = np.load(file, allow_pickle=False)
        if found.ndim != 1 or not len(found) or not np.issubdtype(found.dtype, np.integer) or found.min() < 0:
            raise ValueError(f"it holds {found.dtype} {found.shape}, no list of ids")
    except (OSError, ValueError, EOFError) as error:
        raise DatagenError(f"{file} is damaged: {error}; write the checkpoint again") from error
    return np.asarray(found, np.int64)
