"""Dialogue of a recording → Timeline: the stage that takes the place of select, script, speak and place."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ceil_div
from datagen.pipeline.recorded.checks import Measures, faults, measure
from datagen.pipeline.recorded.derive import DerivedUtterance, Lexicon, derive
from datagen.pipeline.recorded.piece import Piece
from datagen.pipeline.recorded.sound import RecordingReader
from datagen.pipeline.recorded.speech import ROLES, FindSpeech, Listeners
from datagen.pipeline.recorded.transcript import SpokenWords
from datagen.pipeline.splits import split_of
from datagen.pipeline.step import PipelineStage
from datagen.recipe import RecordingsConfig, SplitsConfig
from datagen.records import (
    CHANNEL,
    Dialogue,
    Placed,
    Recorded,
    Reject,
    Role,
    Script,
    Take,
    Takes,
    Timeline,
    Utterance,
    Word,
    WordSource,
    reject,
)
from datagen.sources.recordings.catalogue import voice_name
from datagen.sources.recordings.sound_files import BadSoundError

_STAGE = "read"


class ReadRecording(PipelineStage[Dialogue, Timeline]):
    """Read the sound of a conversation, find its words, and derive its utterances and events."""

    def __init__(
        self,
        config: RecordingsConfig,
        splits: SplitsConfig,
        listeners: Listeners,
        lexicons: Mapping[str, Lexicon],
        sample_rate_hz: int,
        hop_samples: int,
    ) -> None:
        """Set the recipe's sections, the engines, the known words by language, and the clock."""
        self._config, self._splits, self._lexicons = config, splits, lexicons
        self._rate, self._hop = sample_rate_hz, hop_samples
        self._reader = RecordingReader(Path(config.path).expanduser(), sample_rate_hz)
        self._speech = FindSpeech(config.derive, listeners, sample_rate_hz)

    def run(self, dialogue: Dialogue) -> Timeline | Reject:
        """Read a conversation."""
        if dialogue.recorded is None:
            return reject(dialogue, _STAGE, "no_recording", "the record is no recording")
        recorded = replace(dialogue.recorded, n_samples=self._whole_frames(dialogue.recorded))
        try:
            channels, clipped = self._reader.read(recorded)
        except BadSoundError as error:
            return reject(dialogue, _STAGE, "broken_sound", str(error))
        words = SpokenWords(dialogue.language)
        pieces, source = self._speech.pieces(channels, dialogue.transcript, words, dialogue.language)
        pieces = {role: _inside(own, recorded.n_samples) for role, own in pieces.items()}
        roles = ROLES if recorded.has_assistant else ROLES[:1]
        measures = measure(channels, pieces, self._rate)
        for reason, detail in faults(measures, clipped, self._config.limits, roles):
            return reject(dialogue, _STAGE, reason, detail)
        found = derive(pieces, self._config.derive, self._lexicons.get(dialogue.language, Lexicon()), self._rate)
        known = replace(
            dialogue,
            recorded=_measured(dialogue.recorded, measures, source),
            notices=(*dialogue.notices, *words.notices),
        )
        takes = tuple(_take(u, recorded, channels) for u in found.utterances)
        split = dialogue.split or split_of(dialogue.group or dialogue.id, self._splits)
        script = Script(known, split, tuple(t.utterance for t in takes), "recorded")
        placed = tuple(_placed(take, u.piece) for take, u in zip(takes, found.utterances, strict=True))
        return Timeline(Takes(script, takes), placed, found.events, recorded.n_samples, channels)

    def _whole_frames(self, recorded: Recorded) -> int:
        """Samples of the conversation: of two people without the last fraction of a frame, else padded to a whole one.

        A conversation ends in silence, and an utterance of a corpus may end with its last sound.
        """
        n, hop = recorded.n_samples, self._hop
        return n // hop * hop if recorded.has_assistant else ceil_div(n, hop) * hop


def _inside(pieces: Sequence[Piece], n_samples: int) -> list[Piece]:
    """Pieces cut to the conversation, whose last fraction of a frame is left out."""
    found = []
    for piece in pieces:
        if piece.start < n_samples:
            words = tuple(
                Word(w.text, min(w.start_samples, n_samples), min(w.end_samples, n_samples)) for w in piece.words
            )
            found.append(replace(piece, end=min(piece.end, n_samples), words=words))
    return found


def _measured(recorded: Recorded, measures: Measures, source: WordSource) -> Recorded:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 2)

    if not recorded.has_assistant:
        return replace(recorded, words_by=source)
    return replace(
        recorded,
        overlap_share=round(measures.overlap_share, 4),
        user_cross_talk_db=rounded(measures.cross_talk_db["user"]),
        assistant_cross_talk_db=rounded(measures.cross_talk_db["assistant"]),
        words_by=source,
    )


def _take(u: DerivedUtterance, recorded: Recorded, channels: NDArray[np.float32]) -> Take:
    piece = u.piece
    speakers: dict[Role, str] = {"user": recorded.user.speaker, "assistant": recorded.assistant.speaker}
    utterance = Utterance(
        piece.role,
        piece.written,
        piece.text,
        voice_name(recorded.corpus, speakers[piece.role]),
        u.offset,
        kind=u.kind,
        turn=u.turn,
    )
    words = tuple(Word(w.text, w.start_samples - piece.start, w.end_samples - piece.start) for w in piece.words)
    return Take(channels[CHANNEL[piece.role], piece.start : piece.end], words, 0, 0, utterance=utterance)


def _placed(take: Take, piece: Piece) -> Placed:
    return Placed(take, piece.start, piece.end, piece.words, piece.text, "", 0)
