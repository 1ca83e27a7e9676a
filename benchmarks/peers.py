"""CPU time of placing and mixing the same utterances by lhotse, pydub, plain numpy and datagen, in turn in one run.

    python benchmarks/peers.py          # needs the extra lhotse; pydub and numpy are always installed

benchmarks/peers.md explains what each does, and has the figures.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import recipe_for, show
from lhotse import CutSet, Recording, SupervisionSegment
from lhotse.cut import MonoCut
from lhotse.workflows.meeting_simulation import SpeakerIndependentMeetingSimulator
from numpy.typing import NDArray
from pydub import AudioSegment
from stages import read_dialogues, run_stage, stages_of
from threadpoolctl import threadpool_limits

from datagen.pipeline.pipeline import Pipeline
from datagen.records import Takes, Timeline

_QUIET = ("mix.noise=[]",)
_AMPLITUDE = 30.0
"""Of the noise that plain numpy adds, in units of int16."""


@dataclass(frozen=True)
class Talk:
    """A placed conversation: the sound and begin of each utterance, by channel."""

    channels: tuple[list[tuple[int, NDArray[np.int16]]], list[tuple[int, NDArray[np.int16]]]]
    n_samples: int


def talk_of(timeline: Timeline) -> Talk:
    """The sounds that a timeline places, as peers take them."""
    channels: tuple[list[tuple[int, NDArray[np.int16]]], ...] = ([], [])
    for placed in timeline.placed:
        audio = placed.take.audio[: placed.end_samples - placed.start_samples]
        sound = np.clip(audio * 32767, -32768, 32767).astype(np.int16)
        channels[placed.utterance.role == "assistant"].append((placed.start_samples, sound))
    return Talk(channels, timeline.n_samples)  # type: ignore[arg-type]


def by_numpy(talks: Sequence[Talk], noisy: bool = False) -> int:
    """Added up in int16, at given places; with white noise on the user's channel, in float32."""
    total, rng = 0, np.random.default_rng(0)
    for talk in talks:
        out = np.zeros((2, talk.n_samples), np.int16)
        for channel, sounds in zip(out, talk.channels, strict=True):
            for begin, sound in sounds:
                channel[begin : begin + len(sound)] += sound
        if noisy:
            noise = rng.standard_normal(talk.n_samples, dtype=np.float32) * np.float32(_AMPLITUDE)
            out[0] = np.clip(out[0] + noise, -32768, 32767)
        total += out.shape[1]
    return total


def by_pydub(talks: Sequence[Talk], rate: int) -> int:
    """Overlaid on silence, at given places."""
    total = 0
    for talk in talks:
        made = []
        for sounds in talk.channels:
            channel = AudioSegment(bytes(2 * talk.n_samples), sample_width=2, frame_rate=rate, channels=1)
            for begin, sound in sounds:
                segment = AudioSegment(sound.tobytes(), sample_width=2, frame_rate=rate, channels=1)
                channel = channel.overlay(segment, position=begin * 1000 // rate)
            made.append(channel)
        total += int(AudioSegment.from_mono_audiosegments(*made).frame_count())
    return total


def cuts_of(talks: Sequence[Talk], rate: int, folder: Path) -> CutSet:
    """All utterances for lhotse, in WAV files; every conversation has two speakers of its own."""
    import soundfile

    cuts = []
    for number, talk in enumerate(talks):
        for role, sounds in enumerate(talk.channels):
            for index, (_, sound) in enumerate(sounds):
                name = f"{number}-{role}-{index}"
                soundfile.write(folder / f"{name}.wav", sound, rate)
                recording = Recording.from_file(folder / f"{name}.wav")
                speech = SupervisionSegment(name, name, 0, recording.duration, speaker=f"{number}-{role}")
                cuts.append(MonoCut(name, 0, recording.duration, 0, [speech], recording=recording))
    return CutSet.from_cuts(cuts)


def by_lhotse(cuts: CutSet, n: int) -> int:
    """Placed and mixed to one channel by the simulator of EEND, which draws pauses by itself."""
    simulator = SpeakerIndependentMeetingSimulator()
    meetings = simulator.simulate(cuts, num_meetings=n, num_speakers_per_meeting=2, max_duration_per_speaker=60.0)
    return sum(meeting.load_audio().shape[1] for meeting in meetings)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=16, help="conversations")
    parser.add_argument("--rounds", type=int, default=5, help="runs of which the median is shown")
    parser.add_argument("--recipe", default="fake", help="recipe whose voice speaks; time of the voice is not measured")
    options = parser.parse_args()
    with TemporaryDirectory() as name, threadpool_limits(1):
        folder = Path(name)
        dialogues = read_dialogues(folder, 0.7)[: options.dialogues]
        build, quiet = Pipeline(recipe_for(options.recipe)), Pipeline(recipe_for(options.recipe, None, *_QUIET))
        stages, silent, rate = stages_of(build), stages_of(quiet), build.recipe.sample_rate_hz
        takes: list[object] = list(dialogues)
        for stage in ("select", "script", "speak"):
            takes = run_stage(stages[stage], takes)
        takes = [made for made in takes if isinstance(made, Takes)]
        talks = [talk_of(made) for made in run_stage(stages["place"], takes) if isinstance(made, Timeline)]
        cuts = cuts_of(talks, rate, folder)

        def ours(stages: dict[str, object]) -> int:
            mixed = run_stage(stages["mix"], run_stage(stages["place"], takes))
            return sum(talk.audio.shape[1] for talk in mixed)  # type: ignore[attr-defined]

        ways: dict[str, Callable[[], int]] = {
            "datagen, place and mix with noise": lambda: ours(stages),
            "datagen, place and mix without noise": lambda: ours(silent),
            "numpy, given places": lambda: by_numpy(talks),
            "numpy, given places, white noise": lambda: by_numpy(talks, noisy=True),
            "pydub, given places": lambda: by_pydub(talks, rate),
            "lhotse, SpeakerIndependentMeetingSimulator": lambda: by_lhotse(cuts, len(talks)),
        }
        report(ways, options.rounds, rate)


def report(ways: dict[str, Callable[[], int]], rounds: int, rate: int) -> None:
    """Print speeds, and each as a share of ours with noise."""
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            begin = time.process_time()
            n_samples = run()
            if number:  # the first loads and compiles
                speeds[name].append(n_samples / rate / max(time.process_time() - begin, 1e-9))
    own = statistics.median(next(iter(speeds.values())))
    for name, found in speeds.items():
        show(name, statistics.median(found), "x realtime")
        show("  against datagen with noise", statistics.median(found) / own)


if __name__ == "__main__":
    main()
