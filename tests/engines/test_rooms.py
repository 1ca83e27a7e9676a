"""Rooms reverberate about as long as asked, and are the same for every worker."""

import hashlib
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

from datagen.engines import load
from datagen.errors import EngineMissingError
from datagen.recipe.distributions import Constant
from datagen.recipe.mix_config import RoomConfig
from tests.conftest import RATE


def rooms(seed: int = 3, **changes):
    return load.rooms("pyroomacoustics", {"room": RoomConfig(**changes), "sample_rate_hz": RATE, "run_seed": seed})


def decay_ms(response: np.ndarray) -> float:
    """Reverberation time from the slope of Schroeder's integral between -5 and -25 dB."""
    left = np.cumsum(response[::-1].astype(float) ** 2)[::-1]
    level_db = 10 * np.log10(left / left[0] + 1e-12)
    begin, end = np.argmax(level_db < -5), np.argmax(level_db < -25)
    return 3 * 1000 * (end - begin) / RATE


@pytest.mark.parametrize("rt60_ms", [200, 400])
def test_reverberation_is_about_as_asked(rt60_ms):
    found = [rooms(rt60_ms=Constant(value=rt60_ms)).response(k) for k in range(3)]
    assert np.median([decay_ms(room.audio) for room in found]) == pytest.approx(rt60_ms, rel=0.35)
    assert {room.rt60_ms for room in found} == {rt60_ms}


def test_direct_sound_lies_at_its_onset():
    for k in range(4):
        room = rooms(rt60_ms=Constant(value=150), distance_m=Constant(value=0.5)).response(k)
        near = np.abs(room.audio[: room.onset_samples + 24])
        assert abs(int(np.argmax(near)) - room.onset_samples) <= 1
        assert np.sum(room.audio.astype(float) ** 2) == pytest.approx(1, abs=1e-3)


def test_a_room_depends_on_seed_and_number_alone():
    one, other = rooms(), rooms()
    other.response(1)
    assert np.array_equal(one.response(0).audio, other.response(0).audio)
    assert not np.array_equal(one.response(0).audio[:500], one.response(1).audio[:500])
    assert not np.array_equal(one.response(0).audio[:500], rooms(seed=4).response(0).audio[:500])


def test_another_process_computes_the_same_bytes():
    code = (
        "import hashlib; from datagen.engines.noise.rooms import ShoeBoxes; "
        "from datagen.recipe.mix_config import RoomConfig; "
        f"print(hashlib.sha256(ShoeBoxes(RoomConfig(), {RATE}, 3).response(2).audio.tobytes()).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == hashlib.sha256(rooms().response(2).audio.tobytes()).hexdigest()


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(EngineMissingError, match=r"pip install .*\[rooms\]"):
        rooms()
