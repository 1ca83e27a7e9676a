"""Duplicate dialogues: exact, near, or near enough to be kept in one split.

- `exact`: equal except for case, spaces and punctuation
- `signatures`: a few bytes that estimate how much text two dialogues share
- `near`: an earlier dialogue that shares most of its text, found in a stream
- `twins`: clusters of dialogues, found in a whole input
"""

from datagen.sources.duplicates.exact import essence_of, exact_key, texts_of
from datagen.sources.duplicates.near import NearDuplicates
from datagen.sources.duplicates.signatures import N_HASHES, signatures
from datagen.sources.duplicates.twins import Clusters, Twins, most_of

__all__ = [
    "N_HASHES",
    "Clusters",
    "NearDuplicates",
    "Twins",
    "essence_of",
    "exact_key",
    "most_of",
    "signatures",
    "texts_of",
]
