"""Fake voices that misbehave, named in recipes as `tests.run.engines:NAME`."""

import contextlib
import ctypes
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from weakref import WeakSet

from datagen.engines.base import EngineInfo, Speech, Voice
from datagen.engines.conformance import SAMPLES
from datagen.engines.fakes import ToneVoice
from datagen.errors import EngineError
from datagen.run.supervise import in_worker


class Counted(ToneVoice):
    """Knows how many of its kind there are in this process; as real models do, it holds itself."""

    alive: ClassVar[WeakSet["Counted"]] = WeakSet()

    def __init__(self) -> None:
        super().__init__()
        self.alive.add(self)
        self.itself = self


class Gated(ToneVoice):
    """Stops at the word `gate`, until a file opens it."""

    def __init__(self, gate: str) -> None:
        super().__init__()
        self._gate = Path(gate)

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        while "gate" in text and not self._gate.exists():
            time.sleep(0.005)
        return super().speak(text, voice, seed)


class Paired(ToneVoice):
    """Two voices a speaker."""

    def about(self, voice: str) -> Voice:
        return replace(super().about(voice), speaker=f"speaker-{int(voice.removeprefix('tone-')) // 2}")


class Ticketed(ToneVoice):
    """Needs one of the files in a folder for each text with the word `ticket`, and uses it up; `all` is for all."""

    def __init__(self, tickets: str) -> None:
        super().__init__()
        self._tickets = Path(tickets)

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        while "ticket" in text and not (self._taken() or (self._tickets / "all").exists()):
            time.sleep(0.005)
        return super().speak(text, voice, seed)

    def _taken(self) -> bool:
        for ticket in self._tickets.glob("t*"):
            with contextlib.suppress(FileNotFoundError):
                ticket.unlink()
                return True
        return False


class Fickle(ToneVoice):
    """Speaks at another speed every time one is made: no two attempts at a unit agree."""

    n_made = 0

    def __init__(self) -> None:
        Fickle.n_made += 1
        super().__init__(ms_per_letter=30 + 5 * (Fickle.n_made % 10))


class Deadly(ToneVoice):
    """Takes its process down at the word `die`."""

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        if "die" in text.split():
            print("the last words", file=sys.stderr, flush=True)
            os._exit(9)
        return super().speak(text, voice, seed)


class Broken(ToneVoice):
    """Fails as nobody foresaw, and in other words every time one is made."""

    n_made = 0

    def __init__(self) -> None:
        Broken.n_made += 1
        super().__init__()

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        if text == SAMPLES["en"]:  # as it is loaded, all is well
            return super().speak(text, voice, seed)
        raise ValueError(f"broken {self.n_made}")


class Hanging(ToneVoice):
    """Hangs at the word `hang`, in C and with the interpreter's lock held."""

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        if "hang" in text.split():
            ctypes.PyDLL(None).sleep(3600)
        return super().speak(text, voice, seed)


class Stillborn(ToneVoice):
    """Takes a worker's process down while it is made; the driver may make it."""

    def __init__(self) -> None:
        if in_worker():
            print("cannot load", file=sys.stderr, flush=True)
            os._exit(7)
        super().__init__()


class Sleepy(ToneVoice):
    """Never gets made in a worker's process."""

    def __init__(self) -> None:
        if in_worker():
            ctypes.PyDLL(None).sleep(3600)
        super().__init__()


class Picky(ToneVoice):
    """Refuses the word `broken`."""

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        if "broken" in text.replace(",", " ").split():
            raise EngineError("it is broken")
        return super().speak(text, voice, seed)


class Newer(ToneVoice):
    """Has another version in a worker than in the driver, as on a node that was set up later."""

    def __init__(self) -> None:
        super().__init__()
        if in_worker():
            self.info = replace(self.info, version="99")


class Counting(ToneVoice):
    """Remembers what it was asked to speak. Another version makes it another engine."""

    asked: ClassVar[list[tuple[str, str, int]]] = []

    def __init__(self, version: str = "1", **options: int) -> None:
        super().__init__(**options)
        self.info = EngineInfo("counting", version, "none", "all")

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        if text != SAMPLES["en"]:  # which every voice of one's own is asked before a build
            Counting.asked.append((voice, text, seed))
        return super().speak(text, voice, seed)


class Clumsy(ToneVoice):
    """Cannot be made."""

    def __init__(self) -> None:
        super().__init__()
        self.voices = 1 + "voices"
