"""Small builders shared by the tests. Engines here are the shipped fakes: they serve tests of logic only."""

import signal
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings

from datagen import interrupt
from datagen.engines.base import Voice
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.script.casting import Pools, voices_by_language
from datagen.recipe import Recipe, load
from datagen.records import BargeIn, Dialogue, LineTake, Script, Take, Takes, Turn, Utterance, Word
from tests import stores
from tests.flaky_s3 import FlakyS3, flaky

RATE = 24_000

settings.register_profile("datagen", deadline=None)  # a busy machine is no failure
settings.load_profile("datagen")


def known(*names: str, languages: tuple[str, ...] = ("en", "zh")) -> list[Voice]:
    """Voices that are speakers of their own."""
    return [Voice(name, name, languages, "none") for name in names]


def pools_of(recipe: Recipe, *names: str) -> Pools:
    """Those voices, dealt as the recipe wants it, whatever is spoken."""
    languages = ("en", "zh", "fr", "de")
    return voices_by_language(known(*names, languages=languages), recipe.splits, languages)


def make_recipe(*overrides: str) -> Recipe:
    """The fake recipe with changes."""
    return load("fake", overrides)


@pytest.fixture(autouse=True)
def signals_stay(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command run inside a test leaves its handlers of signals and what it remembers; no later test has them."""
    monkeypatch.setattr(interrupt, "_ended", 0)
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def recipe() -> Recipe:
    """The fake recipe."""
    return make_recipe()


@pytest.fixture
def work(recipe: Recipe) -> Pipeline:
    """The fake recipe with its engines."""
    return Pipeline(recipe)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A running S3 server."""
    with stores.s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty folder of the S3 server, with credentials in the environment."""
    for name, value in stores.s3_environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    return f"s3://{stores.BUCKET}/{stores.next_folder()}"


@pytest.fixture
def gs(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty folder of a server that passes for Google Cloud Storage."""
    for name, value in stores.gcs_environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    return f"gs://{stores.BUCKET}/{stores.next_folder()}"


@pytest.fixture(scope="session")
def azure_endpoint() -> Iterator[str]:
    """A running emulator of Azure, if there is one."""
    program = stores.azurite()
    if not program:
        pytest.skip("needs azurite: npm install azurite, then set AZURITE to its azurite-blob")
    with stores.azure_server(program) as endpoint:
        yield endpoint


@pytest.fixture
def az(azure_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty folder of the emulator."""
    for name, value in stores.azure_environment(azure_endpoint).items():
        monkeypatch.setenv(name, value)
    return f"az://{stores.BUCKET}/{stores.next_folder()}"


@pytest.fixture
def flaky_s3(s3: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyS3]:
    """A proxy before the S3 server that breaks what it is told to; waits between tries are short."""
    monkeypatch.setattr("datagen.shards.bucket._FIRST_WAIT_S", 0.001)
    with flaky(s3_endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


def dialogue(*texts: str, id: str = "d1", record: int = 0) -> Dialogue:
    """A dialogue of alternating turns, the user's first."""
    turns = tuple(Turn("assistant" if k % 2 else "user", text) for k, text in enumerate(texts))
    return Dialogue(id, turns, "test", "en", record)


def take(*word_lengths: int, gap: int = 100, level: float = 0.1) -> LineTake:
    """A take of tones: words of the given lengths in samples, `gap` apart."""
    words, at = [], 0
    for k, length in enumerate(word_lengths):
        words.append(Word(f"w{k}", at, at + length))
        at += length + gap
    audio = np.zeros(max(at - gap, 0), np.float32)
    for word in words:
        n = word.end_samples - word.start_samples
        audio[word.start_samples : word.end_samples] = level * np.sin(np.arange(n) * 0.1)
    return LineTake(audio, tuple(words), 0, 0)


def takes_of(turns: list[tuple[str, LineTake, int, BargeIn | None]], id: str = "d1") -> Takes:
    """Takes from (role, take, offset, barge-in) per utterance."""
    utterances = tuple(
        Utterance(role, spoken, spoken, f"{role}-voice", offset, barge_in)
        for role, t, offset, barge_in in turns
        for spoken in [" ".join(word.text for word in t.words)]
    )
    script = Script(Dialogue(id, (), "test", "en"), "train", utterances)
    return Takes(script, tuple(Take.of(u, t) for u, (_, t, _, _) in zip(utterances, turns, strict=True)))


def with_utterances(takes: Takes, *utterances: Utterance) -> Takes:
    """The same takes of other utterances."""
    script = replace(takes.script, utterances=utterances)
    return Takes(script, tuple(Take.of(u, t) for u, t in zip(utterances, takes.takes, strict=True)))
