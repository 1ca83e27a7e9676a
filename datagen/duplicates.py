"""Dialogues that were there before: the same but for case, spaces and punctuation, or nearly the same."""

import hashlib
import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

from datagen.records import Dialogue
from datagen.seeds import rng

_IGNORED = re.compile(r"[\s!\"#%&'()*,\-./:;?@\[\\\]_{}¡§«¶·»¿\u2010-\u2027\u2030-\u205e\u3001-\u3011\u3014-\u301f]+")
_IGNORED_ASCII = bytes(code for code in range(128) if _IGNORED.fullmatch(chr(code)))

_N_HASHES = 64
_SHINGLE = 5
"""Characters hashed together."""


def exact_key(dialogue: Dialogue) -> bytes:
    """Hash what a dialogue says and who says it; equal for exact duplicates.

    Args:
        dialogue: Any dialogue; its id, source and language do not count.

    Returns:
        16 bytes.

    >>> from datagen.records import Turn
    >>> a, b = (Dialogue(id, (Turn("user", text),)) for id, text in (("a", "Hello, World!"), ("b", "hello  world")))
    >>> exact_key(a) == exact_key(b)
    True
    """
    said = "\0".join([f"{turn.role}\1{turn.text}" for turn in dialogue.turns])
    return hashlib.blake2b(_essence(said).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class NearDuplicates:
    """Remembers dialogues in bounded memory and finds earlier ones that share most of their text.

    MinHash signatures (Broder 1997) of character 5-grams, looked up by bands (Leskovec et al., Mining of
    Massive Datasets, 3.4). Each band keeps, per bucket, only the last dialogue that fell in it, and signatures live
    in a ring: memory is `capacity` times 350 to 550 bytes, and old dialogues are forgotten rather than memory grown.

    >>> from datagen.records import Turn
    >>> near = NearDuplicates(threshold=0.6)
    >>> texts = "Tell me a long story about a dragon.", "Tell me a long story about dragons!", "What about rain?"
    >>> [near.seen(Dialogue(str(i), (Turn("user", text),))) for i, text in enumerate(texts)]
    [None, '0', None]
    """

    def __init__(self, threshold: float = 0.8, capacity: int = 1 << 18) -> None:
        """Make an empty memory.

        Args:
            threshold: Share of common 5-grams (Jaccard), as estimated, from which two dialogues are near duplicates,
                above 0.1 and at most 1.
            capacity: Dialogues remembered.
        """
        if not 0.1 < threshold <= 1 or capacity < 1:
            raise ValueError(f"threshold {threshold} must be in (0.1, 1] and capacity {capacity} positive")
        # b bands of r hashes meet with a chance of one half near a likeness of (1/b)^(1/r): 0.5, 0.18, 0.02
        self._n_rows = 4 if threshold >= 0.6 else 2 if threshold >= 0.3 else 1
        self._n_bands = _N_HASHES // self._n_rows
        self._n_needed = int(np.ceil(threshold * _N_HASHES))
        self._capacity = capacity
        self._n_seen = 0
        self._ids: list[str] = []
        self._signatures = np.zeros((capacity, _N_HASHES), dtype=np.uint32)
        # slot + 1 of the last dialogue in each bucket; 0 is empty
        self._buckets = np.zeros((self._n_bands, capacity), dtype=np.uint32)
        random = rng(0, "near-duplicates")
        self._multipliers = random.integers(1, 2**63, _N_HASHES, dtype=np.uint64) | np.uint64(1)
        self._powers = random.integers(1, 2**63, _SHINGLE, dtype=np.uint64) | np.uint64(1)

    def seen(self, dialogue: Dialogue) -> str | None:
        """Look a dialogue up, and remember it if it is new.

        Args:
            dialogue: Any dialogue.

        Returns:
            Id of the earlier dialogue it nearly repeats, or None.
        """
        signature = self._signature(dialogue)
        bands = signature.reshape(self._n_bands, self._n_rows).astype(np.uint64)
        mixed = (bands * self._multipliers[: self._n_rows]).sum(axis=1)
        buckets = (mixed ^ (mixed >> np.uint64(32))) % np.uint64(self._capacity)
        slots = np.unique(self._buckets[np.arange(self._n_bands), buckets])
        slots = slots[slots > 0] - 1
        alike = (self._signatures[slots] == signature).sum(axis=1)
        if len(alike) and alike.max() >= self._n_needed:
            return self._ids[int(slots[alike.argmax()])]
        self._remember(dialogue.id, signature, buckets)
        return None

    def _remember(self, id_: str, signature: NDArray[np.uint32], buckets: NDArray[np.uint64]) -> None:
        slot = self._n_seen % self._capacity
        if slot == len(self._ids):
            self._ids.append(id_)
        self._ids[slot] = id_
        self._signatures[slot] = signature
        self._buckets[np.arange(self._n_bands), buckets] = slot + 1
        self._n_seen += 1

    def _signature(self, dialogue: Dialogue) -> NDArray[np.uint32]:
        """Least hash of all shingles under each of 64 hash functions: uint32 [64]."""
        said = "\0".join(_essence(turn.text) for turn in dialogue.turns).ljust(_SHINGLE, "\0")
        characters = np.frombuffer(said.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
        windows = np.lib.stride_tricks.sliding_window_view(characters, _SHINGLE)
        shingles = (windows * self._powers).sum(axis=1)
        shingles ^= shingles >> np.uint64(29)
        # the high half of a product with an odd number is a universal hash (Dietzfelbinger et al. 1997)
        hashes = (shingles[:, None] * self._multipliers) >> np.uint64(32)
        least: NDArray[np.uint32] = hashes.min(axis=0).astype(np.uint32)
        return least


def _essence(text: str) -> str:
    """Drop what is not heard; symbols and marks stay, for 2+2 is not 2-2 and vowels may be marks."""
    if text.isascii():
        return text.encode().lower().translate(None, _IGNORED_ASCII).decode()
    return _IGNORED.sub("", unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))
