"""Conversation → Streams: speech codes of both channels, and text ids of all words.

The inaudible rest of an interrupted take is encoded too: clean, at its speaker's level, from the
frame in which the fade-out begins. The tokenizer also receives the second of the take before it,
whose codes are dropped, so that the codes continue those of the channel.
"""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import accumulate, chain, pairwise

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ceil_div, hop_samples, ms_to_samples
from datagen.engines.audio import resample
from datagen.engines.base import SpeechTokenizer, TextTokenizer
from datagen.pipeline.levels import FULL_SCALE, amplitude
from datagen.pipeline.step import PipelineStage
from datagen.records import (
    CHANNEL,
    FLOOR,
    Conversation,
    Event,
    Placed,
    Role,
    Spoken,
    StoredCall,
    Streams,
    VoicePrompt,
    marked_call,
)
from datagen.text.phrases import joined, places, units

_CONTEXT_S = 1
"""Time of a take that the tokenizer receives before its rest."""
_FLAC_SAMPLES = 1 << 18
"""Samples per call of the encoder, which copies them."""
_NO_CODES = np.zeros(0, np.uint16)
_NO_IDS = np.zeros(0, np.int32)


class Encode(PipelineStage[Conversation, Streams]):
    """Turn audio and text into codes and ids. Asserts tokens = samples / hop on both channels."""

    def __init__(
        self,
        speech: SpeechTokenizer,
        text: TextTokenizer,
        sample_rate_hz: int,
        keep_audio: bool = False,
        fade_ms: float = 0,
    ) -> None:
        """Set both tokenizers, the sample rate, whether audio is kept as FLAC, and the fade-out time."""
        self._speech, self._text, self._rate, self._keep_audio = speech, text, sample_rate_hz, keep_audio
        self._hop = hop_samples(sample_rate_hz, speech.frame_rate_hz)
        self._fade = ms_to_samples(fade_ms, sample_rate_hz)

    def run(self, conversation: Conversation) -> Streams:
        """Encode a conversation by itself, so that its codes depend on nothing else."""
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
            utterances=tuple(self._spoken(conversation)),
            events=tuple(sorted(timeline.events + conversation.events, key=_time)),
            mixing=conversation.mixing,
            audio_flac=to_flac(conversation.audio, self._rate) if self._keep_audio else None,
            scripted_by=script.scripted_by,
            judged=script.dialogue.judged,
            written_by=script.dialogue.written_by,
            group=script.dialogue.group or script.dialogue.id,
            system=script.dialogue.system,
            cut=script.dialogue.cut,
            notices=script.dialogue.notices,
            recorded=script.dialogue.recorded,
            system_ids=self._ids(script.dialogue.system),
            voice_prompt=self._voice_prompt(conversation),
            tool_calls=tuple(self._called(conversation)),
        )

    def _ids(self, text: str) -> NDArray[np.int32]:
        return np.array(self._text.encode(text), np.int32) if text else _NO_IDS

    def _called(self, conversation: Conversation) -> Iterator[StoredCall]:
        """Calls of tools with their token ids; those of the call include its marks."""
        for call in conversation.timeline.calls:
            yield StoredCall(
                utterance=call.utterance,
                call=call.call,
                result=call.result,
                call_ids=self._ids(marked_call(call.call)),
                result_ids=self._ids(call.result),
                start_samples=call.start_samples,
                end_samples=call.end_samples,
                cancelled=call.cancelled,
            )

    def _voice_prompt(self, conversation: Conversation) -> VoicePrompt | None:
        """The voice prompt at the assistant's level, padded with silence to whole frames."""
        clip = conversation.timeline.takes.voice_prompt
        if clip is None:
            return None
        sound = np.rint(clip.audio * np.float32(amplitude(conversation.mixing.assistant_gain_db) * FULL_SCALE))
        audio = np.zeros(ceil_div(len(sound), self._hop) * self._hop, np.int16)
        audio[: len(sound)] = np.clip(sound, -FULL_SCALE - 1, FULL_SCALE)
        return VoicePrompt(clip.line.voice, clip.line.text, self._codes([audio])[0])

    def _codes(self, channels: Sequence[NDArray[np.int16]]) -> list[NDArray[np.uint16]]:
        return channel_codes(self._speech, channels, self._rate)

    def _spoken(self, conversation: Conversation) -> Iterator[Spoken]:
        rests = self._rests(conversation)
        for index, (placed, said, whole) in enumerate(token_texts(conversation.timeline.placed)):
            take, utterance = placed.take, placed.utterance
            ids = self._text.encode(whole)
            yield Spoken(
                role=utterance.role,
                voice=utterance.voice,
                text=utterance.text,
                spoken=utterance.spoken,
                said=placed.said,
                unsaid=placed.unsaid,
                text_ids=np.array(self._text.encode(said), np.int32),
                start_samples=placed.start_samples,
                end_samples=placed.end_samples,
                n_cut_samples=placed.n_cut_samples,
                attempt=take.attempt,
                words=placed.words,
                kind=utterance.kind,
                turn=utterance.turn,
                offset_samples=utterance.offset_samples,
                scores=take.scores,
                spoken_ids=np.array(ids, np.int32) if whole != said else _NO_IDS,
                rest_codes=rests.get(index, _NO_CODES),
                rest_start_frames=self._rest_start(placed) if index in rests else None,
                id_starts_samples=id_starts(placed, whole, ids, self._text.encode),
                style=utterance.style,
            )

    # -- the rest of an interrupted take ----------------------------------------------------------------

    def _rests(self, conversation: Conversation) -> dict[int, NDArray[np.uint16]]:
        """Codes of the rest of each take that holds the floor and was cut, by the index of its utterance."""
        mixing = conversation.mixing
        gains = {"user": amplitude(mixing.user_gain_db), "assistant": amplitude(mixing.assistant_gain_db)}
        audios, n_contexts = dict[int, NDArray[np.int16]](), dict[int, int]()
        for index, placed in enumerate(conversation.timeline.placed):
            if placed.utterance.kind in FLOOR and placed.n_cut_samples:
                audios[index], n_contexts[index] = self._rest(placed, gains[placed.utterance.role])
        codes = self._codes(list(audios.values())) if audios else []
        n_codebooks = self._speech.n_codebooks
        return {index: found[n_contexts[index] * n_codebooks :] for index, found in zip(audios, codes, strict=True)}

    def _rest_start(self, placed: Placed) -> int:
        """Frame in which the fade-out of an interrupted take begins; that in which it starts if it is all fade-out."""
        return max((placed.end_samples - self._fade) // self._hop, placed.start_samples // self._hop)

    def _rest(self, placed: Placed, gain: float) -> tuple[NDArray[np.int16], int]:
        """A take on the frames of the conversation, from some context on, and the number of frames of that context."""
        first = self._rest_start(placed)
        heard = max(first - int(_CONTEXT_S * self._speech.frame_rate_hz), placed.start_samples // self._hop)
        last = ceil_div(placed.start_samples + len(placed.take.audio), self._hop)
        audio = np.zeros((last - heard) * self._hop, np.int16)
        begin = heard * self._hop - placed.start_samples  # in the take; negative if it starts within the frame
        sound = np.rint(placed.take.audio[max(begin, 0) :] * np.float32(gain * FULL_SCALE))
        at = max(-begin, 0)
        audio[at : at + len(sound)] = np.clip(sound, -FULL_SCALE - 1, FULL_SCALE)
        return audio, first - heard


def channel_codes(
    speech: SpeechTokenizer, channels: Sequence[NDArray[np.int16]], sample_rate_hz: int
) -> list[NDArray[np.uint16]]:
    """Codes of channels, frame by frame: uint16 [n_frames * n_codebooks] each.

    Args:
        speech: The speech tokenizer.
        channels: int16 [n_samples] each, a whole number of frames.
        sample_rate_hz: Sample rate of the channels.

    Raises:
        ValueError: If the tokenizer does not return a code per frame and codebook.
    """
    hop = hop_samples(sample_rate_hz, speech.frame_rate_hz)
    codes = speech.encode_many([_at_rate(channel, sample_rate_hz, speech.sample_rate_hz) for channel in channels])
    for channel, found in zip(channels, codes, strict=True):
        n_frames = len(channel) // hop
        if found.size != n_frames * speech.n_codebooks:
            raise ValueError(f"{found.size} codes for {n_frames} frames of {speech.n_codebooks}")
    return [np.ascontiguousarray(found).reshape(-1) for found in codes]


def _at_rate(channel: NDArray[np.int16], from_hz: int, to_hz: int) -> NDArray[np.int16]:
    if from_hz == to_hz:
        return channel
    return np.clip(np.rint(resample(channel.astype(np.float32), from_hz, to_hz)), -32768, 32767).astype(np.int16)


def _time(event: Event) -> tuple[int, int]:
    """The order of events; those of equal times stay as the stages gave them."""
    return event.start_samples, event.end_samples


def token_texts(utterances: Sequence[Placed]) -> Iterator[tuple[Placed, str, str]]:
    """Each utterance with its audible text and its whole text.

    A text that continues a turn begins with a space, so that the ids of pieces join to those of the
    turn.
    """
    before: dict[Role, tuple[int, str, str]] = {}
    for placed in utterances:
        utterance, said, whole = placed.utterance, placed.said, placed.utterance.spoken
        if utterance.kind in FLOOR:
            turn, last_said, last_whole = before.get(utterance.role, (-1, "", ""))
            before[utterance.role] = utterance.turn, said, whole
            if turn == utterance.turn:
                said, whole = joined(last_said, said)[len(last_said) :], joined(last_whole, whole)[len(last_whole) :]
        yield placed, said, whole


def id_starts(placed: Placed, whole: str, ids: list[int], ids_of: Callable[[str], list[int]]) -> NDArray[np.int32]:
    """Start of the word of each id of a text, up to the last word that begins before the utterance ends.

    Chinese without a time per character has words of a character each, with a share of the time.

    Args:
        placed: The utterance.
        whole: Its whole text, perhaps with a space before it.
        ids: Ids of that text.
        ids_of: Encodes a text.

    Returns:
        Samples from the start of the utterance, int32 [n], at most one per id.
    """
    spoken, starts, ends = placed.utterance.spoken, list[int](), list[int]()
    before = len(whole) - len(spoken)
    for word, (first, last) in zip(placed.take.words, places(placed.take.words, spoken), strict=True):
        for unit in units(spoken[first:last]):
            share = (word.end_samples - word.start_samples) * unit.start // (last - first)
            starts.append(word.start_samples + share)
            ends.append(before + first + unit.end)
    upto = _ids_before(whole, ends, ids, ids_of)
    counts = np.array([last - first for first, last in pairwise([0, *upto])], np.int64)
    found = np.repeat(np.array(starts, np.int32), counts)
    return found[found < placed.end_samples - placed.start_samples]


def _ids_before(whole: str, ends: list[int], ids: list[int], ids_of: Callable[[str], list[int]]) -> list[int]:
    """Number of ids up to the end of each word: of words alone if their ids join to all, else of the text up to it."""
    alone = [ids_of(whole[first:last]) for first, last in pairwise([0, *ends])]
    if [*chain.from_iterable(alone)] == ids:
        return [*accumulate(map(len, alone))]
    upto = [min(len(ids_of(whole[:end])), len(ids)) for end in ends[:-1]]
    return [*accumulate([*upto, len(ids)][: len(ends)], max)]


def to_flac(audio: NDArray[np.int16], sample_rate_hz: int) -> bytes:
    """Encode int16 [2, n_samples] as a stereo FLAC file with the user on the left."""
    import soundfile

    file = BytesIO()
    with soundfile.SoundFile(file, "w", sample_rate_hz, 2, "PCM_16", None, "FLAC") as encoder:
        for begin in range(0, audio.shape[1], _FLAC_SAMPLES):
            encoder.write(audio[:, begin : begin + _FLAC_SAMPLES].T)
    return file.getvalue()
