"""Small banks, made of tones that come and go like words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


def hum(seconds: float = 4.0, pitch_hz: float = 150.0, rate_hz: int = 16_000, level: float = 0.2, noise: float = 0.0):
    """Half a second of tone, a quarter of a pause, and so on, with noise under all of it."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    tone = level * np.sin(2 * np.pi * pitch_hz * time_s) * (time_s % 0.75 < 0.5)
    return (tone + noise * np.random.default_rng(1).normal(size=len(tone))).astype(np.float32)


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write a recording into the bank `tmp_path / "bank"`; give the bank if nothing is named."""

    def write(name: str = "", audio: np.ndarray | None = None, rate_hz: int = 16_000, **about: float) -> Path:
        bank = tmp_path / "bank"
        file = bank / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name:
            pitch_hz = 100 + 10 * len(list(bank.rglob("*.*")))  # no two files are alike
            made = hum(rate_hz=rate_hz, **{"pitch_hz": pitch_hz, **about}) if audio is None else audio
            soundfile.write(file, made, rate_hz)
        return bank

    return write
