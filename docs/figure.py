"""Draws the picture of a conversation in the README: `python docs/figure.py OUT DIALOGUE FILE [SECONDS]`."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import datagen.inspect

INK, USER, ASSISTANT, MARK = "#333333", "#c8553d", "#2a6f97", "#e9a23b"


def main(out: str, dialogue: str, file: str, seconds: float) -> None:
    """Two lanes of sound, words above them, barge-ins marked."""
    talk = datagen.inspect.open(out).conversation(dialogue)
    streams, rate = talk.streams, talk.sample_rate_hz
    barge_ins = [event for event in streams.events if event.kind == "barge_in" and event.placed]
    audio = talk.audio.samples / 32768
    figure, lanes = plt.subplots(2, 1, figsize=(13, 4.2), sharex=True, gridspec_kw={"hspace": 0.08})
    for channel, (lane, name, colour) in enumerate(zip(lanes, ("user", "assistant"), (USER, ASSISTANT), strict=True)):
        sound = audio[: int(seconds * rate), channel]
        step = rate // 100
        peaks = np.abs(sound[: len(sound) // step * step]).reshape(-1, step).max(axis=1)
        at = np.arange(len(peaks)) * step / rate
        lane.fill_between(at, -peaks, peaks, color=colour, linewidth=0)
        lane.set(ylim=(-0.75, 0.75), yticks=[], xlim=(0, seconds))
        lane.set_ylabel(name, color=colour, fontsize=12)
        for side in ("top", "right", "left"):
            lane.spines[side].set_visible(False)
        for utterance in streams.utterances:
            if utterance.role == name:
                _words(lane, utterance, rate, seconds, colour)
        for event in barge_ins:
            lane.axvspan(event.start_samples / rate, event.end_samples / rate, color=MARK, alpha=0.35, linewidth=0)
    for event in barge_ins:
        if event.start_samples / rate < seconds:
            lanes[0].text(event.start_samples / rate, 0.78, "barge-in", color=INK, fontsize=10, va="bottom")
    lanes[1].set_xlabel("seconds; every tick a chunk of 400 ms")
    lanes[1].set_xticks(np.arange(0, seconds, 0.4), minor=True)
    lanes[1].set_xticks(np.arange(0, seconds + 0.1, 2))
    figure.savefig(file, dpi=110, bbox_inches="tight", facecolor="white")


def _words(lane: plt.Axes, utterance: object, rate: int, seconds: float, colour: str) -> None:
    for index, word in enumerate(utterance.words):
        start = word.start_samples / rate
        if start < seconds - 0.3:
            height = (0.40, 0.51, 0.62)[index % 3]
            lane.text(start, height, word.text, fontsize=7.5, color=INK, va="bottom", clip_on=True)
            lane.plot([start, start], [-0.3, height], color=colour, alpha=0.35, linewidth=0.6)
    if utterance.unsaid:
        end = utterance.end_samples / rate
        lane.text(
            end + 0.1,
            -0.6,
            f"unsaid: {utterance.unsaid[:60]} ...",
            fontsize=8,
            style="italic",
            color="#888888",
            clip_on=True,
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]) if len(sys.argv) > 4 else 16.0)
