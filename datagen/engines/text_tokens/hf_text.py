"""Any text tokenizer of Hugging Face, by directory or by name."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datagen.engines.base import EngineInfo, TextTokenizer
from datagen.errors import EngineError, EngineMissingError
from datagen.installed import pip_install

_MARKER = re.compile(r"<.+>|\[.+\]", re.DOTALL)
"""Form of added tokens that are no text, though their file does not call them special, such as <think>."""


class HfTokenizer(TextTokenizer):
    """The text tokenizer engine `hf`. Nothing is added to a text: neither its beginning nor its end is marked.

    A character that a vocabulary cannot spell becomes its unknown token, as whenever the tokenizer is used.
    """

    def __init__(self, path: str, revision: str = "main", n_embeddings: int = 0) -> None:
        """Load a tokenizer. Code that comes with it is never run.

        Args:
            path: A directory with a tokenizer, read without a network; or the name of one on the hub.
            revision: Of the hub: a branch, a tag or, to get the same one for ever, a commit.
            n_embeddings: Rows to which the model pads its embedding; 0: the `vocab_size` of its `config.json`.

        Raises:
            EngineMissingError: If transformers is not installed, or there is no such tokenizer.
            EngineError: If it has no fast form, or more ids than the embedding has rows.
        """
        try:
            from transformers import AutoTokenizer
        except ImportError as error:
            raise EngineMissingError(f"text tokenizer hf needs: {pip_install('text')}") from error
        self._path = path
        where = {"revision": revision, "local_files_only": Path(path).is_dir()}
        try:
            tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, **where)
            rows = _rows(path, where)
        except Exception as error:  # transformers, the hub and the network each have exceptions of their own
            raise EngineMissingError(f"text tokenizer hf: no tokenizer {path!r}: {error}") from error
        if not tokenizer.is_fast:
            raise EngineError(f"text tokenizer hf: {path} is not a fast tokenizer; save one as tokenizer.json")
        self._whole = tokenizer.backend_tokenizer
        text = self._whole.to_str()  # vocabulary and rules, always in one order
        spec, sha256 = json.loads(text), hashlib.sha256(text.encode()).hexdigest()
        self._markers = _markers(spec)
        self._plain = _without(spec, self._markers, sha256)
        self.vocabulary_size = self.special_offset = max(self._whole.get_vocab().values()) + 1
        self.n_embeddings = n_embeddings or max(rows, self.special_offset)
        if self.n_embeddings < self.special_offset:
            raise EngineError(
                f"text tokenizer hf: n_embeddings is {n_embeddings}, but {path} has {self.special_offset} ids"
            )
        self.info = EngineInfo(f"hf:{_name(path)}", sha256[:12], "unknown: see the model card", "all")

    def encode(self, text: str) -> list[int]:
        """Ids of `text`; unpaired surrogates become a question mark, as in UTF-8.

        Raises:
            EngineError: If it comes out with a special id all the same.
        """
        ids = self._plain.encode(text.encode("utf-8", "replace").decode("utf-8"), add_special_tokens=False).ids
        found = self._markers.keys() & set(ids)
        if found:
            raise EngineError(f"text tokenizer hf: {self._path} makes {self._markers[min(found)]} of plain text")
        return list(ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, as far as the tokenizer keeps it: one without case gives lower case back."""
        return str(self._whole.decode(list(ids), skip_special_tokens=False))


def _markers(spec: dict[str, Any]) -> dict[int, str]:
    """Tokens that no text may yield, by id: special ones and those that look it, but the unknown token."""
    unknown = spec["model"].get("unk_token")
    if spec["model"]["type"] == "Unigram" and spec["model"]["unk_id"] is not None:
        unknown = spec["model"]["vocab"][spec["model"]["unk_id"]][0]
    added = {token["id"]: token for token in spec["added_tokens"] if token["content"] != unknown}
    return {k: t["content"] for k, t in added.items() if t["special"] or _MARKER.fullmatch(t["content"])}


def _without(spec: dict[str, Any], markers: dict[int, str], sha256: str) -> Any:
    """The tokenizer with names for its special tokens that no text holds, so that literal ones are spelled out.

    It is not enough to split special tokens: a vocabulary of whole pieces (Unigram) finds </s> among its pieces.
    Names change and places do not, so every id stays what it is. The new ones hold the tokenizer's own `sha256`.
    """
    from tokenizers import Tokenizer

    unknown = [t["content"] for t in spec["added_tokens"] if t["id"] not in markers and t["special"]]
    names = {content: f"\0{sha256}{content}" for content in (*markers.values(), *unknown)}
    model, vocab = dict(spec["model"]), spec["model"]["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {names.get(piece, piece): k for piece, k in vocab.items()}
    else:
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocab]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    added = [{**token, "content": names.get(token["content"], token["content"])} for token in spec["added_tokens"]]
    spec = {**spec, "model": model, "added_tokens": added, "truncation": None, "padding": None}
    try:
        return Tokenizer.from_str(json.dumps(spec))
    except Exception as error:  # the library raises nothing more precise
        raise EngineError(f"text tokenizer hf: its special tokens are parts of its text: {error}") from error


def _rows(path: str, where: dict[str, Any]) -> int:
    """Rows of the embedding of the model that lies with a tokenizer; 0 if none does."""
    from transformers.utils.hub import cached_file

    file = cached_file(path, "config.json", _raise_exceptions_for_missing_entries=False, **where)
    if file is None:
        return 0
    config = json.loads(Path(file).read_text("utf-8"))
    return int(config.get("vocab_size") or config.get("text_config", {}).get("vocab_size") or 0)


def _name(path: str) -> str:
    """A tokenizer as manifests name it: not by where it lies on somebody's disk."""
    return Path(path).resolve().name if Path(path).is_dir() else path
