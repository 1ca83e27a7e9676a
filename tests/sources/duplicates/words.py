"""Sentences of words that are no words, so that two have little in common but what a test gives them."""

import random

WORDS = [f"{a}{b}{c}" for a in "bcdfghjklm" for b in "aeiou" for c in ("nt", "rk", "st")]


def sentence(chance: random.Random, n_words: int = 40) -> str:
    """Words at random, without spaces, as text is compared."""
    return "".join(chance.choice(WORDS) for _ in range(n_words))


def likeness(one: str, other: str) -> float:
    """Jaccard similarity of character 5-grams, counted."""
    a, b = ({text[k : k + 5] for k in range(len(text) - 4)} for text in (one, other))
    return len(a & b) / len(a | b)
