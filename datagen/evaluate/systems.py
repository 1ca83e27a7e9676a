"""Systems that listen and speak: the user's channel in, the answer out, piece by piece.

Four references have scores that theory gives:

    silent     says nothing: it takes no turn, and has yielded before the user barges in
    echo       repeats its input: it speaks into every turn of the user
    cascade    replies after a silence and does not listen while it replies, as half-duplex systems do
    oracle     says what the assistant of the build says: it scores as the labels do

Any other system is a command, or a server behind a socket: `Piped`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from datagen.clock import ms_to_samples
from datagen.errors import DatagenError

if TYPE_CHECKING:
    from datagen.engines.base import VAD, Audio

STEP_MS = 80
"""Length of a piece. Moshi steps at 80 ms too."""


class AudioSystem(Protocol):
    """Listens and speaks at the same time."""

    sample_rate_hz: int
    """Of its input and its answer."""

    def start(self, about: dict[str, Any]) -> None:
        """Begin a conversation; nothing of the last one stays.

        Args:
            about: The row, which only the oracle looks at.
        """
        ...

    def step(self, heard: "Audio") -> "Audio":
        """Receive a piece of the user's channel; returns the answer meanwhile, as long as the piece."""
        ...

    def stop(self) -> None:
        """End the conversation."""
        ...


def answer(system: AudioSystem, user: "Audio", about: dict[str, Any]) -> "Audio":
    """Stream a user's channel through a system.

    Args:
        system: The system.
        user: The channel at the rate of the system: float32 [n_samples].
        about: The row that it belongs to.

    Returns:
        What the system says at the same time, of the same length.

    Raises:
        DatagenError: If an answer has another length than its piece, or samples that are no numbers.
    """
    n = ms_to_samples(STEP_MS, system.sample_rate_hz)
    system.start(about)
    try:
        said = [np.zeros(0, np.float32)]
        for at in range(0, len(user), n):
            heard = user[at : at + n]
            said.append(np.asarray(system.step(heard), np.float32))
            if said[-1].shape != heard.shape:
                raise DatagenError(
                    f"the system answered {heard.shape[0]} samples with {said[-1].shape}: it must say as many as it "
                    "receives; fill with zeros where it is silent"
                )
            if not np.isfinite(said[-1]).all():
                raise DatagenError("the system answered samples that are no finite numbers; check its output")
        return np.concatenate(said)
    finally:
        system.stop()


class _Stateless:
    """Parts that references without a state have in common."""

    def start(self, about: dict[str, Any]) -> None:
        """Nothing to drop."""

    def stop(self) -> None:
        """Nothing to end."""


@dataclass
class Silent(_Stateless):
    """Says nothing."""

    sample_rate_hz: int

    def step(self, heard: "Audio") -> "Audio":
        """Silence."""
        return np.zeros_like(heard)


@dataclass
class Echo(_Stateless):
    """Repeats its input."""

    sample_rate_hz: int

    def step(self, heard: "Audio") -> "Audio":
        """The same piece."""
        return heard


@dataclass
class Oracle(_Stateless):
    """Says what the assistant says in the conversation."""

    sample_rate_hz: int
    truth: Callable[[dict[str, Any]], "Audio"]
    """Gives the assistant's channel of a row."""
    _left: "Audio" = field(default_factory=lambda: np.zeros(0, np.float32), init=False)

    def start(self, about: dict[str, Any]) -> None:
        """Look the conversation up."""
        self._left = self.truth(about)

    def step(self, heard: "Audio") -> "Audio":
        """The next piece of it, silent after its end."""
        said, self._left = self._left[: len(heard)], self._left[len(heard) :]
        return np.pad(said, (0, len(heard) - len(said)))


@dataclass
class Cascade(_Stateless):
    """Waits until speech is followed by silence, then replies to the end, deaf meanwhile."""

    sample_rate_hz: int
    vad: "VAD"
    reply: "Audio"
    """Its answer, whatever the user has said."""
    silence_ms: int = 500
    """Silence after which it takes the user's turn for finished."""
    window_ms: int = 2000
    """Sound in which it looks for speech."""
    _heard: "Audio" = field(default_factory=lambda: np.zeros(0, np.float32), init=False)
    _saying: "Audio" = field(default_factory=lambda: np.zeros(0, np.float32), init=False)

    def start(self, about: dict[str, Any]) -> None:  # noqa: ARG002
        """Drop all sound so far, and stop."""
        self._heard = self._saying = np.zeros(0, np.float32)

    def step(self, heard: "Audio") -> "Audio":
        """The next piece of its reply, or silence while it listens."""
        if not len(self._saying):
            window = ms_to_samples(self.window_ms, self.sample_rate_hz)
            self._heard = np.concatenate([self._heard, heard])[-window:]
            if not self._finished():
                return np.zeros_like(heard)
            self._heard, self._saying = self._heard[:0], np.pad(self.reply, (len(heard), 0))
        said, self._saying = self._saying[: len(heard)], self._saying[len(heard) :]
        return np.pad(said, (0, len(heard) - len(said)))

    def _finished(self) -> bool:
        """True if the user has spoken and been silent for long enough."""
        speech = self.vad.speech(self._heard, self.sample_rate_hz)
        quiet = len(self._heard) - (int(speech[-1, 1]) if len(speech) else len(self._heard))
        return quiet >= ms_to_samples(self.silence_ms, self.sample_rate_hz)
