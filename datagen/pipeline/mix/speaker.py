"""What happens to speech on its way to the microphone: distance, room, drift. Word times stay true."""

from collections.abc import Sequence

import numpy as np

from datagen.engines.base import Audio, RoomResponse
from datagen.pipeline.levels import Segments

_N_TAPS = 8
_STEP_SAMPLES = 64
"""A drifting gain changes in steps of so many samples: far below what is heard as a step at swells of seconds."""


def dull(audio: Audio, cutoff_hz: float, sample_rate_hz: int) -> Audio:
    """Low-pass float32 [n_samples] with 6 dB an octave above `cutoff_hz`, as air and a turned head do.

    The answer of one pole, cut after a few samples; what it delays is 1 / (2 pi cutoff), some tens of microseconds.

    >>> [round(float(x), 3) for x in dull(np.ones(50, np.float32), 3000, 24_000)[[0, -1]]]
    [0.545, 1.0]
    """
    pole = np.exp(-2 * np.pi * cutoff_hz / sample_rate_hz)
    taps = pole ** np.arange(_N_TAPS)
    filtered: Audio = np.convolve(audio, (taps / taps.sum()).astype(np.float32))[: len(audio)]
    return filtered


def in_room(audio: Audio, response: RoomResponse) -> Audio:
    """Convolve float32 [n_samples] with the response of a room: float32 [n_samples + len(response.audio) - 1].

    Its sample `response.onset_samples` is where the direct sound of sample 0 arrives.

    >>> in_room(np.array([1, 2], np.float32), Response(np.array([0, 1, 0.5], np.float32), 1, 0)).round(3).tolist()
    [0.0, 1.0, 2.5, 1.0]
    """
    from scipy.signal import oaconvolve

    wet: Audio = oaconvolve(audio, response.audio).astype(np.float32, copy=False)
    return wet


def arrived(segments: Segments, response: RoomResponse, n_samples: int) -> tuple[Segments, Sequence[Audio]]:
    """Segments as they arrive from within a room, cut to the conversation, and the part of each to measure.

    Args:
        segments: Dry speech.
        response: Of the room.
        n_samples: Samples of the conversation.

    Returns:
        Segments with their tails (they may overlap), direct sound where the dry speech was; and of each the stretch as
        long as its dry speech.
    """
    wet_segments: Segments = []
    heard = []
    for start, audio in segments:
        wet = in_room(audio, response)
        heard.append(wet[response.onset_samples : response.onset_samples + len(audio)])
        first = start - response.onset_samples
        wet_segments.append((max(first, 0), wet[max(-first, 0) : n_samples - first]))
    return wet_segments, heard


def drifting(audio: Audio, start_samples: int, range_db: float, period_samples: float, phase: float) -> Audio:
    """Swell and fall: float32 [n_samples] times a gain of +- range / 2 dB along a sine of conversation time.

    Args:
        audio: Speech.
        start_samples: Where it starts in the conversation.
        range_db: From the quietest to the loudest.
        period_samples: Length of one swell.
        phase: Where in a swell the conversation begins, in [0, 1).

    >>> loud = drifting(np.ones(128, np.float32), 0, 12, period_samples=1e9, phase=0.25)
    >>> [round(float(x), 2) for x in loud[[0, -1]]]
    [2.0, 2.0]
    """
    n_steps = -(-len(audio) // _STEP_SAMPLES)
    at = start_samples + _STEP_SAMPLES * np.arange(n_steps)
    gain_db = range_db / 2 * np.sin(2 * np.pi * (at / period_samples + phase))
    gain = (10 ** (gain_db / 20)).astype(np.float32)
    n_whole = len(audio) // _STEP_SAMPLES
    moved = np.empty_like(audio)
    whole = audio[: n_whole * _STEP_SAMPLES].reshape(n_whole, _STEP_SAMPLES)
    np.multiply(whole, gain[:n_whole, None], out=moved[: whole.size].reshape(whole.shape))
    moved[whole.size :] = audio[whole.size :] * gain[-1:]
    return moved
