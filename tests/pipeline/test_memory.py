"""A long conversation needs a bounded amount of memory per minute of sound, whatever is mixed into it."""

import subprocess
import sys

import pytest

_MB_PER_MINUTE = 33
"""docs/scale.md states 25, rounded up from a measured 23."""

_PROGRAM = """
import resource, sys
from datagen.pipeline.pipeline import Pipeline
from datagen.records import Dialogue, Streams, Turn
from tests.conftest import make_recipe

chances = "room bursts echo distance drift line".split()
steps = Pipeline(make_recipe(
    "mix.keep_audio=true", "mix.noise_probability=1", "mix.noise=[{name: generated}]",
    "mix.bursts.sources=[{name: bursts}]", "mix.line.codecs={opus: 1}",
    "select.max_turns=10000", "select.max_words=100000", "select.max_repeated_share=1",
    *(f"mix.{name}.probability=1" for name in chances),
)).steps()
stages = [step.make() for step in steps]

def peak_and_minutes(n_turns):
    said = "The apples are red, and they grow on the trees near the river, where we met them all last year."
    roles = ("user", "assistant")
    item = Dialogue("d", tuple(Turn(roles[k % 2], said) for k in range(n_turns)), language="en")
    for stage in stages:
        item = stage(item)
    assert isinstance(item, Streams) and item.audio_flac, item
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, item.n_samples / 24_000 / 60

(least, short), (most, long) = peak_and_minutes(8), peak_and_minutes(100)
print((most - least) / (long - short), long)
"""


@pytest.mark.slow
def test_a_minute_of_sound_needs_a_bounded_amount_of_memory():
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    mb_per_minute, n_minutes = map(float, done.stdout.split())
    assert n_minutes > 5
    assert mb_per_minute < _MB_PER_MINUTE
