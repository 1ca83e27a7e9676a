"""Draw the picture of a conversation for the README: `python docs/figure.py OUT DIALOGUE FILE [SECONDS [FROM]]`."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import datagen.inspect

INK, USER, ASSISTANT, MARK, PALE = "#333333", "#c8553d", "#2a6f97", "#e9a23b", "#888888"
NAMED = {
    "barge_in": "barge-in",
    "backchannel": "listener response",
    "hesitation": "hesitation",
    "false_start": "false start",
    "aside": "word to somebody else",
    "correction": "correction",
    "waiting": "waiting",
}
"""Events of the user that are named above the lanes; only barge-ins are marked as a stretch."""
SHORT_S = 1.6
"""Seconds that a name takes; a name that begins within them moves one line up."""


def main(out: str, dialogue: str, file: str, seconds: float, first: float) -> None:
    """Draw two lanes of sound with words, marked barge-ins and named events."""
    talk = datagen.inspect.open(out).conversation(dialogue)
    streams, rate, last = talk.streams, talk.sample_rate_hz, first + seconds
    audio = talk.audio.samples / 32768
    figure, lanes = plt.subplots(2, 1, figsize=(13, 4.2), sharex=True, gridspec_kw={"hspace": 0.08})
    for channel, (lane, name, colour) in enumerate(zip(lanes, ("user", "assistant"), (USER, ASSISTANT), strict=True)):
        step = rate // 100
        sound = audio[int(first * rate) : int(last * rate), channel]
        peaks = np.abs(sound[: len(sound) // step * step]).reshape(-1, step).max(axis=1)
        at = first + np.arange(len(peaks)) * step / rate
        lane.fill_between(at, -peaks, peaks, color=colour, linewidth=0)
        lane.set(ylim=(-0.75, 0.75), yticks=[], xlim=(first, last))
        lane.set_ylabel(name, color=colour, fontsize=12)
        for side in ("top", "right", "left"):
            lane.spines[side].set_visible(False)
        for utterance in streams.utterances:
            if utterance.role == name:
                _words(lane, utterance, rate, (first, last), colour)
        for event in streams.events:
            if event.kind == "barge_in" and event.placed:
                span = event.start_samples / rate, event.end_samples / rate
                lane.axvspan(*span, color=MARK, alpha=0.35, linewidth=0)
    _names(lanes[0], streams.events, rate, (first, last))
    lanes[1].set_xlabel("seconds; every tick a chunk of 400 ms")
    lanes[1].set_xticks(np.arange(np.ceil(first / 0.4) * 0.4, last, 0.4), minor=True)
    lanes[1].set_xticks(np.arange(np.ceil(first / 2) * 2, last + 0.1, 2))
    figure.savefig(file, dpi=110, bbox_inches="tight", facecolor="white")


def _names(lane: plt.Axes, events: object, rate: int, span: tuple[float, float]) -> None:
    """Names of events above the upper lane, in two lines."""
    free = [span[0], span[0]]
    for event in events:
        start = event.start_samples / rate
        if event.placed and event.role == "user" and event.kind in NAMED and span[0] <= start < span[1] - SHORT_S:
            row = min(range(2), key=lambda k: (free[k] > start, k))
            free[row] = start + SHORT_S
            lane.text(start, 0.78 + 0.15 * row, NAMED[event.kind], color=INK, fontsize=9, va="bottom")


def _words(lane: plt.Axes, utterance: object, rate: int, span: tuple[float, float], colour: str) -> None:
    first, last = span
    for index, word in enumerate(utterance.words):
        start = word.start_samples / rate
        if first <= start < last - 0.3:
            height = (0.40, 0.51, 0.62)[index % 3]
            lane.text(start, height, word.text, fontsize=7.5, color=INK, va="bottom", clip_on=True)
            lane.plot([start, start], [-0.3, height], color=colour, alpha=0.35, linewidth=0.6)
    end = utterance.end_samples / rate
    if utterance.unsaid and utterance.kind in ("turn", "resumption") and first <= end < last:
        unsaid = f"unsaid: {utterance.unsaid[:60]} ..."
        lane.text(end + 0.1, -0.6, unsaid, fontsize=8, style="italic", color=PALE, clip_on=True)


if __name__ == "__main__":
    numbers = [float(number) for number in sys.argv[4:]]
    main(*sys.argv[1:4], *[*numbers, *(16.0, 0.0)[len(numbers) :]])
