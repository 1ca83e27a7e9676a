"""Conversation → Streams: speech codes of both channels, text ids of what was said."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import resample
from datagen.engines.base import SpeechTokenizer, TextTokenizer
from datagen.phrases import joined
from datagen.records import CHANNEL, FLOOR, Conversation, Reject, Role, Spoken, Streams, Timeline


class Encode:
    """Turn audio and text into codes and ids. Asserts tokens = samples / hop on both channels."""

    def __init__(
        self, speech: SpeechTokenizer, text: TextTokenizer, sample_rate_hz: int, keep_audio: bool = False
    ) -> None:
        """Take both tokenizers, the rate of the audio, and whether to keep it as FLAC."""
        self._speech, self._text, self._rate, self._keep_audio = speech, text, sample_rate_hz, keep_audio
        self._hop = sample_rate_hz // speech.frame_rate_hz

    def __call__(self, batch: Sequence[Conversation]) -> list[Streams | Reject]:
        """Encode each conversation on its own, so that its codes depend on nothing else."""
        return [self._streams(conversation) for conversation in batch]

    def _streams(self, conversation: Conversation) -> Streams:
        timeline = conversation.timeline
        script = timeline.takes.script
        user, assistant = self._codes([conversation.audio[CHANNEL[role]] for role in ("user", "assistant")])
        return Streams(
            dialogue_id=script.dialogue.id,
            record=script.dialogue.record,
            source=script.dialogue.source,
            language=script.dialogue.language,
            split=script.split,
            n_samples=timeline.n_samples,
            user_codes=user,
            assistant_codes=assistant,
            utterances=self._spoken(conversation),
            events=timeline.events + conversation.events,
            mixing=conversation.mixing,
            audio_flac=to_flac(conversation.audio, self._rate) if self._keep_audio else None,
            scripted_by=script.scripted_by,
            judged=script.dialogue.judged,
            written_by=script.dialogue.written_by,
            group=script.dialogue.group or script.dialogue.id,
        )

    def _codes(self, channels: Sequence[NDArray[np.int16]]) -> list[NDArray[np.uint16]]:
        codes = self._speech.encode_batch([self._at_its_rate(channel) for channel in channels])
        for channel, found in zip(channels, codes, strict=True):
            n_frames = len(channel) // self._hop
            if len(found) != n_frames:
                raise ValueError(f"{len(found)} codes for {n_frames} frames")
        return codes

    def _at_its_rate(self, channel: NDArray[np.int16]) -> NDArray[np.int16]:
        if self._speech.sample_rate_hz == self._rate:
            return channel
        wide = resample(channel.astype(np.float32), self._rate, self._speech.sample_rate_hz)
        return np.clip(np.rint(wide), -32768, 32767).astype(np.int16)

    def _spoken(self, conversation: Conversation) -> tuple[Spoken, ...]:
        timeline = conversation.timeline
        texts = token_texts(timeline)
        return tuple(
            Spoken(
                role=utterance.role,
                voice=utterance.voice,
                text=utterance.text,
                spoken=utterance.spoken,
                said=placed.said,
                unsaid=placed.unsaid,
                text_ids=np.array(self._text.encode(text), np.int32),
                start_samples=placed.start_samples,
                end_samples=placed.end_samples,
                n_cut_samples=placed.n_cut_samples,
                attempt=take.attempt,
                words=placed.words,
                kind=utterance.kind,
                turn=utterance.turn,
                offset_samples=utterance.offset_samples,
                scores=take.scores,
            )
            for utterance, take, placed, text in zip(
                timeline.takes.script.utterances, timeline.takes.takes, timeline.placed, texts, strict=True
            )
        )


def token_texts(timeline: Timeline) -> list[str]:
    """What is said in each utterance, with a space before it where it goes on a turn, so that ids join to its text."""
    texts, before = [], dict[Role, tuple[int, str]]()
    for utterance, placed in zip(timeline.takes.script.utterances, timeline.placed, strict=True):
        text = placed.said
        if utterance.kind in FLOOR:
            turn, said = before.get(utterance.role, (-1, ""))
            if turn == utterance.turn:
                text = joined(said, text)[len(said) :]
            before[utterance.role] = utterance.turn, placed.said
        texts.append(text)
    return texts


def to_flac(audio: NDArray[np.int16], sample_rate_hz: int) -> bytes:
    """int16 [2, n_samples] as a stereo FLAC file, left the user."""
    import soundfile

    file = BytesIO()
    soundfile.write(file, audio.T, sample_rate_hz, format="FLAC", subtype="PCM_16")
    return file.getvalue()
