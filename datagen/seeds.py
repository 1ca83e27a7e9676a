"""Keyed chance: every random draw of a build comes from a generator named by what it is for.

Because the key says which run, dialogue, stage and draw it serves, neither workers, batch sizes, retries
nor order can change a byte, and a new draw shifts no other.
"""

import hashlib

import numpy as np

Key = str | int


def digest(*keys: Key) -> int:
    """Hash keys to a 128-bit integer, stable over machines, processes and Python versions.

    Each key is framed by its type and length, so ("ab", "c") and ("a", "bc"), or 1 and "1", differ.

    >>> digest("a", 1) == digest("a", 1), digest("ab", "c") == digest("a", "bc"), digest(1) == digest("1")
    (True, False, False)
    """
    hasher = hashlib.blake2b(digest_size=16)
    for key in keys:
        data = str(key).encode("utf-8", "surrogatepass")
        hasher.update(f"{'i' if isinstance(key, int) else 's'}{len(data)}:".encode())
        hasher.update(data)
    return int.from_bytes(hasher.digest(), "little")


def rng(run_seed: int, *keys: Key) -> np.random.Generator:
    """A Philox generator for one purpose.

    Args:
        run_seed: The seed of the recipe.
        *keys: What the draw is for, such as dialogue id, stage and turn.

    Returns:
        A generator that depends on the arguments alone.

    >>> bool(rng(1, "d1", "place").random() == rng(1, "d1", "place").random())
    True
    """
    return np.random.Generator(np.random.Philox(key=digest(run_seed, *keys)))


def seed32(run_seed: int, *keys: Key) -> int:
    """A 32-bit seed for an engine that takes an integer, keyed like `rng`.

    >>> 0 <= seed32(1, "d1", "speak", 0) < 2**32
    True
    """
    return digest(run_seed, *keys) & 0xFFFFFFFF


def fraction(*keys: Key) -> float:
    """A number in [0, 1) that depends on the keys alone; used to deal ids into splits.

    >>> 0 <= fraction("split", "dialogue-1") < 1
    True
    """
    return (digest(*keys) >> 75) / 2**53
