"""One conversation of a build: sound, timeline and rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datagen import clock
from datagen.errors import DatagenError
from datagen.inspect.html import inert, render
from datagen.inspect.rows import OpenedBuild, StoredRow
from datagen.inspect.sound import Channel, Sound
from datagen.inspect.timeline import lines_of
from datagen.intervals import true_runs
from datagen.records import Streams
from datagen.shards.chunks import speaks
from datagen.shards.schema import CONVERSATIONS, HEAVY, plain, streams_of
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet
from datagen.shards.unit import File, unit_of

if TYPE_CHECKING:
    import pandas

    from datagen.engines.base import SpeechTokenizer

NO_AUDIO = " because the build kept no audio (mix.keep_audio)"
_TOKENS = ("words", "text_ids", "spoken_ids", "rest_codes", "rest_start_frames", "id_starts_samples")
"""Columns of utterances that are not shown in a table."""
_LIGHT = [name for name in CONVERSATIONS.names if name not in HEAVY]


class OpenedConversations(OpenedBuild, Protocol):
    """The part of an opened build that its conversations use."""

    @property
    def url(self) -> str:
        """Its directory or URL."""
        ...

    @property
    def store(self) -> Store:
        """The store of its files."""
        ...

    @property
    def tasks(self) -> list[str]:
        """Tasks that have rows."""
        ...

    @property
    def speech_tokenizer(self) -> "SpeechTokenizer":
        """The speech tokenizer that made the codes."""
        ...

    def rows_of(self, talk: "StoredConversation", task: str) -> list[StoredRow]:
        """Rows of a task made from a conversation."""
        ...


@dataclass(eq=False)
class ConversationFile:
    """The conversations of a data file. Their audio is read once, at its first use."""

    output: OpenedConversations
    file: File

    def find(self, dialogue_id: str) -> int | None:
        """Place of a dialogue's conversation in the file; reads the ids alone."""
        ids = self.ids()
        return ids.index(dialogue_id) if dialogue_id in ids else None

    def ids(self) -> list[str]:
        """Ids of the dialogues of its conversations, in order."""
        found: list[str] = self._read(["dialogue_id"]).column("dialogue_id").to_pylist()
        return found

    def __iter__(self) -> Iterator["StoredConversation"]:
        return (StoredConversation(streams, self, index) for index, streams in enumerate(streams_of(self._light)))

    def __getitem__(self, index: int) -> "StoredConversation":
        (streams,) = streams_of(self._light.slice(index, 1))
        return StoredConversation(streams, self, index)

    @cached_property
    def _light(self) -> Any:
        return self._read(_LIGHT)

    @cached_property
    def audio(self) -> list[bytes | None]:
        """The kept audio of each conversation as FLAC."""
        found: list[bytes | None] = self._read(["audio_flac"]).column("audio_flac").to_pylist()
        return found

    def _read(self, columns: list[str]) -> Any:
        return from_parquet(self.output.store.open(self.file.key), self.file.key, columns)


@dataclass(frozen=True, eq=False, repr=False)
class StoredConversation:
    """A conversation of a build, with rich display in a notebook.

    Example:
        >>> talk = output.conversation("concert-parking")  # doctest: +SKIP
        >>> talk.audio.write("talk.mp3"); talk.utterances[["role", "start_ms", "said"]]  # doctest: +SKIP
    """

    streams: Streams
    """As stored: codes, utterances, events, mixing."""
    _file: ConversationFile
    _index: int

    @property
    def output(self) -> OpenedConversations:
        """The build it is part of."""
        return self._file.output

    @property
    def dialogue_id(self) -> str:
        """Id of its dialogue."""
        return self.streams.dialogue_id

    @property
    def system(self) -> str:
        """The system prompt, which nobody says; empty without one."""
        return self.streams.system

    @property
    def split(self) -> str:
        """Split it was dealt to."""
        return self.streams.split

    @property
    def sample_rate_hz(self) -> int:
        """Samples per second of all its times."""
        return self.output.sample_rate_hz

    @property
    def unit(self) -> int:
        """Unit of the build it was made in."""
        return unit_of(self._file.file.key) or 0

    @property
    def seconds(self) -> float:
        """Length."""
        return self.streams.n_samples / self.sample_rate_hz

    @property
    def has_audio(self) -> bool:
        """True if its sound was kept."""
        return self.output.manifest.has_audio

    @property
    def audio(self) -> Sound:
        """The sound of both channels as mixed.

        Raises:
            DatagenError: If the build kept none.
        """
        return Sound.of_flac(self.flac, f"{self.output.url}: audio of {self.dialogue_id!r}")

    @property
    def flac(self) -> bytes:
        """The sound of both channels as the stored FLAC file, left the user.

        Raises:
            DatagenError: If the build kept none.
        """
        flac = self._file.audio[self._index] if self.has_audio else None
        if flac is None:
            raise DatagenError(
                f"{self.output.url} kept no audio: build with --set mix.keep_audio=true, "
                "or use the audio decoded from the tokens (--decoded, `.decoded`)"
            )
        return flac

    @cached_property
    def decoded(self) -> Sound:
        """The sound of both channels decoded from their tokens, as a model receives it.

        Raises:
            DatagenError: If another version of the speech tokenizer is installed.
        """
        channels = [decoded(self, role, slice(None)) for role in ("user", "assistant")]
        return Sound.of_floats(np.stack(channels, axis=1), self.output.speech_tokenizer.sample_rate_hz)

    @property
    def utterances(self) -> "pandas.DataFrame":
        """One line per utterance, in the stored order, with the scores of its take; times from the start."""
        lines = [plain(u, skipped=_TOKENS) for u in self.streams.utterances]
        scores = [line.pop("scores") or {} for line in lines]
        return self._frame([{**line, **measured} for line, measured in zip(lines, scores, strict=True)])

    @property
    def events(self) -> "pandas.DataFrame":
        """One line per event, placed or not."""
        return self._frame([plain(event) for event in self.streams.events])

    @property
    def words(self) -> "pandas.DataFrame":
        """One line per audible word, with the index of its utterance in `utterances`."""
        lines = [
            {"utterance": index, "role": u.role, "kind": u.kind, **line}
            for index, u in enumerate(self.streams.utterances)
            for line in map(plain, u.words)
        ]
        return self._frame(lines, ["utterance", "role", "kind", "text"])

    def rows(self, task: str) -> list[StoredRow]:
        """The rows of a task made from this conversation, in order.

        Raises:
            DatagenError: If the build has no rows of the task.
        """
        return self.output.rows_of(self, task)

    def _frame(self, lines: list[dict[str, Any]], columns: list[str] | None = None) -> "pandas.DataFrame":
        """Lines with times in samples as a data frame that has them in milliseconds too."""
        import pandas

        names = columns or (list(lines[0]) if lines else [])
        frame = pandas.DataFrame(lines, columns=list(dict.fromkeys([*names, "start_samples", "end_samples"])))
        for name in ("end", "start"):
            at = frame[f"{name}_samples"].astype("int64")
            frame.insert(2, f"{name}_ms", (at * 1000 / self.sample_rate_hz).round().astype("int64"))
        return frame

    def __repr__(self) -> str:
        n = len(self.streams.utterances)
        return f"Conversation({self.dialogue_id!r}, {inert(self.split)}, {self.seconds:.1f} s, {n} utterances)"

    def _repr_html_(self) -> str:
        sound = self.audio if self.has_audio else None
        lines = lines_of(self.streams, self.sample_rate_hz, sound)
        return render("conversation", talk=self, lines=lines, sound=sound)


def decoded(talk: StoredConversation, role: str, frames: slice) -> NDArray[np.float32]:
    """Decoded frames of a channel, in its voice; digital silence where a model reads a silence token, not a code."""
    manifest, tokenizer = talk.output.manifest, talk.output.speech_tokenizer
    hop_samples = clock.hop_samples(tokenizer.sample_rate_hz, tokenizer.frame_rate_hz)
    channels = {"user": talk.streams.user_codes, "assistant": talk.streams.assistant_codes}
    codes = manifest.vocabulary.for_decoder(channels[role])[frames]
    voice = next((u.voice for u in talk.streams.utterances if u.role == role), "")
    if getattr(manifest.silence, role) != "special":
        return tokenizer.decode_as(codes, voice)
    audio = np.zeros(len(codes) * hop_samples, np.float32)
    for start, stop in true_runs(speaks(talk.streams, role, manifest.clock.hop_samples)[frames]):
        audio[start * hop_samples : stop * hop_samples] = tokenizer.decode_as(codes[start:stop], voice)
    return audio


def listen(talk: StoredConversation, to: str, channel: Channel = "both", decoded: bool = False) -> str:
    """Write the sound of a conversation in the format of the file's ending; returns a line about it.

    Where the build kept no audio, the sound is decoded from the tokens.

    Raises:
        DatagenError: If the tokens cannot be decoded here, or the file cannot be written.
    """
    from_tokens = decoded or not talk.has_audio
    sound = (talk.decoded if from_tokens else talk.audio).channel(channel)
    sound.write(to)
    which = "left the user, right the assistant" if channel == "both" else f"the {channel}"
    how = f", decoded from tokens{'' if decoded else NO_AUDIO}" if from_tokens else ""
    return f"{to}: {sound.seconds:.1f} s, {which}{how}"
