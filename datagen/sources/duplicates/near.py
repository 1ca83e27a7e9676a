"""Earlier dialogues that share most of their text, found in a stream in bounded memory."""

import numpy as np
from numpy.typing import NDArray

from datagen.seeds import rng
from datagen.sources.duplicates.signatures import N_HASHES

_N_BANDED = 64
"""Number of values of a signature that are used to look it up."""


class NearDuplicates:
    """A bounded memory of dialogues that finds earlier ones that share most of their text.

    Signatures are looked up by bands (Leskovec et al., Mining of Massive Datasets, 3.4). Each band
    keeps, per bucket, only the last dialogue that fell in it, and signatures live in a ring: memory
    is `capacity` times 350 to 550 bytes, and the oldest dialogues are dropped so that it does not grow.

    >>> from datagen.sources.duplicates.signatures import signatures
    >>> near = NearDuplicates(threshold=0.6)
    >>> texts = "tellmealongstoryaboutadragon", "tellmealongstoryaboutdragons", "whataboutrain"
    >>> [near.seen(str(i), signature) for i, signature in enumerate(signatures(texts))]
    [None, '0', None]
    """

    def __init__(self, threshold: float = 0.8, capacity: int = 1 << 18) -> None:
        """Make an empty memory.

        Args:
            threshold: Share of common 5-grams (Jaccard), as estimated, from which two dialogues are
                near duplicates, above 0.1 and at most 1.
            capacity: Maximum number of remembered dialogues.
        """
        if not 0.1 < threshold <= 1 or capacity < 1:
            raise ValueError(f"threshold {threshold} must be in (0.1, 1] and capacity {capacity} positive")
        # b bands of r hashes meet with a chance of one half near a likeness of (1/b)^(1/r): 0.5,
        # 0.18, 0.02
        self._n_rows = 4 if threshold >= 0.6 else 2 if threshold >= 0.3 else 1
        self._n_bands = _N_BANDED // self._n_rows
        self._n_needed = int(np.ceil(threshold * N_HASHES))
        self._capacity = capacity
        self._n_seen = 0
        self._ids: list[str] = []
        self._signatures = np.zeros((capacity, N_HASHES), dtype=np.uint16)
        # slot + 1 of the last dialogue in each bucket; 0 is empty
        self._buckets = np.zeros((self._n_bands, capacity), dtype=np.uint32)
        self._multipliers = rng(0, "near-duplicates").integers(1, 2**63, self._n_rows, dtype=np.uint64) | np.uint64(1)

    def seen(self, id_: str, signature: NDArray[np.uint16]) -> str | None:
        """Look up a dialogue, and remember it if it is new.

        Args:
            id_: Of the dialogue.
            signature: [128], as of `signatures`.

        Returns:
            Id of the earlier dialogue it nearly repeats, or None.
        """
        bands = signature[:_N_BANDED].reshape(self._n_bands, self._n_rows).astype(np.uint64)
        mixed = (bands * self._multipliers).sum(axis=1)
        buckets = (mixed ^ (mixed >> np.uint64(32))) % np.uint64(self._capacity)
        slots = np.unique(self._buckets[np.arange(self._n_bands), buckets])
        slots = slots[slots > 0] - 1
        alike = (self._signatures[slots] == signature).sum(axis=1)
        if len(alike) and alike.max() >= self._n_needed:
            return self._ids[int(slots[alike.argmax()])]
        self._remember(id_, signature, buckets)
        return None

    def _remember(self, id_: str, signature: NDArray[np.uint16], buckets: NDArray[np.uint64]) -> None:
        slot = self._n_seen % self._capacity
        if slot == len(self._ids):
            self._ids.append(id_)
        self._ids[slot] = id_
        self._signatures[slot] = signature
        self._buckets[np.arange(self._n_bands), buckets] = slot + 1
        self._n_seen += 1
