"""Small builders shared by the tests. Engines here are the shipped fakes: they serve tests of logic only."""

import numpy as np
import pytest
from hypothesis import settings

from datagen.build import Build
from datagen.recipe import Recipe, load
from datagen.records import BargeIn, Dialogue, Script, Take, Takes, Turn, Utterance, Word

RATE = 24_000

settings.register_profile("datagen", deadline=None)  # a busy machine is no failure
settings.load_profile("datagen")


def make_recipe(*overrides: str) -> Recipe:
    """The fake recipe with changes."""
    return load("fake", overrides)


@pytest.fixture
def recipe() -> Recipe:
    """The fake recipe."""
    return make_recipe()


@pytest.fixture
def work(recipe: Recipe) -> Build:
    """The fake recipe with its engines."""
    return Build(recipe)


def dialogue(*texts: str, id: str = "d1", record: int = 0) -> Dialogue:
    """A dialogue of alternating turns, the user's first."""
    turns = tuple(Turn("assistant" if k % 2 else "user", text) for k, text in enumerate(texts))
    return Dialogue(id, turns, "test", "en", record)


def take(*word_lengths: int, gap: int = 100, level: float = 0.1) -> Take:
    """A take of tones: words of the given lengths in samples, `gap` apart."""
    words, at = [], 0
    for k, length in enumerate(word_lengths):
        words.append(Word(f"w{k}", at, at + length))
        at += length + gap
    audio = np.zeros(max(at - gap, 0), np.float32)
    for word in words:
        n = word.end_samples - word.start_samples
        audio[word.start_samples : word.end_samples] = level * np.sin(np.arange(n) * 0.1)
    return Take(audio, tuple(words), 0, 0)


def takes_of(turns: list[tuple[str, Take, int, BargeIn | None]], id: str = "d1") -> Takes:
    """Takes from (role, take, offset, barge-in) per utterance."""
    utterances = tuple(
        Utterance(role, spoken, spoken, f"{role}-voice", offset, barge_in)
        for role, t, offset, barge_in in turns
        for spoken in [" ".join(word.text for word in t.words)]
    )
    script = Script(Dialogue(id, (), "test", "en"), "train", utterances)
    return Takes(script, tuple(t for _, t, _, _ in turns))
