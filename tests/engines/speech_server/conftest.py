"""A server for each test, and an engine that calls it without waiting long."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from datagen.engines import load
from tests.speech_server import Script, SpeechHost

pytest.importorskip("openai")
FAST = {"backoff_seconds": 0.001, "timeout_seconds": 10, "voices": ["tone-1", "tone-2"]}


@pytest.fixture
def host() -> Iterator[SpeechHost]:
    """A server that makes tones."""
    served = SpeechHost()
    yield served
    served.close()


@pytest.fixture
def engine(host: SpeechHost) -> Iterator[Callable[..., Any]]:
    """Make an engine that calls it."""
    made = []

    def make(**options: Any) -> Any:
        made.append(load.tts("speech_server", {"base_url": host.url, **FAST, **options}))
        return made[-1]

    yield make
    for each in made:
        each._client.close()


def at_first(*faults: str) -> Script:
    """The first calls fail so, one after the other."""
    return lambda number, body: faults[number] if number < len(faults) else ""
