"""The kept audio of a build encoded by another tokenizer: the same conversations with other codes, without new speech.

Ids, words, events and times are those of the source. A conversation is padded with silence to whole frames of the new
tokenizer. What was cut of an interrupted take is not in the audio, so it has no codes: rows hold what is heard.

Units are those of the source, and so is the planned input, which is copied: the output is a build like any other.
"""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError
from typing_extensions import override

from datagen import DATA_VERSION, __version__
from datagen.clock import hop_samples, plain_number, round_up
from datagen.engines import gpu, load
from datagen.engines.base import SpeechTokenizer
from datagen.errors import DatagenError, EngineError, RecipeError, ResumeError, StoreError
from datagen.pipeline.encode import channel_codes, to_flac
from datagen.recipe import FlattenConfig, LimitsConfig, PoolConfig, explain, refuse_secrets, sha256_of
from datagen.records import Reject, Spoken, Streams
from datagen.run.commit import commit_blocks, found_unit
from datagen.run.finish import finish
from datagen.run.job import Engine, Job, Watcher, WholeUnits, WorkerPool, settled
from datagen.run.reflatten import flattener, refuse_not_kept
from datagen.run.run_job import run_job
from datagen.shards.identity import Clock, EncodedFrom, Identity, Silence, differences
from datagen.shards.manifest import MANIFEST, FlattenedFrom, Manifest
from datagen.shards.plan import PLAN, Plan, groups_key, load_plan, part_key
from datagen.shards.schema import conversations_table, streams_of
from datagen.shards.store import Store, open_store
from datagen.shards.tables import about, fetched, footer_of, groups_of, verified
from datagen.shards.unit import File, Marker, unit_of
from datagen.shards.vocab import Vocabulary

_HEARD = {"alignment_takes": "heard", "half_duplex": "heard"}
_NO_CODES = np.zeros(0, np.uint16)


def reencode(
    source: str,
    out: str,
    tokenizer: str,
    options: dict[str, Any] | None = None,
    changes: dict[str, Any] | None = None,
    n_workers: int = 0,
    watcher: Watcher | None = None,
    engine: Engine = "local",
    address: str = "local",
    *,
    keep_audio: bool = False,
    gpus: float = 0,
) -> Manifest:
    """Encode the kept audio of a finished build with another speech tokenizer.

    Args:
        source: Output of a finished build with audio.
        out: Directory or URL of the new build.
        tokenizer: Name of the speech tokenizer, or `module:Class`.
        options: Its options.
        changes: New values of the recipe's `flatten` section.
        n_workers: Number of workers, as in `run_job`.
        watcher: Receives reports of progress.
        engine: `local` processes or `ray`.
        address: Address of the Ray cluster.
        keep_audio: If true, the new build has the audio too.
        gpus: GPUs per worker on Ray.

    Raises:
        StoreError: If the source is unfinished, damaged, of another data version, or has no audio.
        RecipeError: If a change is not valid, or the frames of the tokenizer are not whole samples.
        EngineError: If the tokenizer cannot be loaded.
        ResumeError: If `out` contains something else.
    """
    job = ReencodeJob(source, tokenizer, options or {}, changes or {}, keep_audio=keep_audio, gpus=gpus)
    return run_job(job, out, n_workers, watcher, engine, address)


class ReencodeJob(Job[Manifest, Identity]):
    """An encoding of kept audio."""

    limits = LimitsConfig()

    def __init__(
        self,
        source: str,
        tokenizer: str,
        options: dict[str, Any],
        changes: dict[str, Any],
        *,
        keep_audio: bool = False,
        gpus: float = 0,
    ) -> None:
        self._source, self._old = source, Manifest.load(open_store(source))
        self._engine: dict[str, Any] = {"name": tokenizer, "options": options}
        self._changes, self._keep_audio, self._gpus = changes, keep_audio, gpus
        refuse_secrets({"engines": {"speech_tokenizer": self._engine}}, "--option")

    @override
    def plan(self, store: Store) -> Plan:
        _refuse(self._old)
        if open_store(self._source).url == store.url:
            raise ResumeError(f"{store.url} is the build to encode; use another --out")
        wanted = self._identity()
        return settled(store, wanted, lambda: self._made(wanted, store))

    def _identity(self) -> Identity:
        """All values that decide the new build; loads the tokenizer."""
        old = self._old
        tokenizer = load.speech_tokenizer(self._engine["name"], self._engine["options"])
        recipe = self._recipe()
        rate = old.clock.sample_rate_hz
        vocabulary, silence = old.vocabulary, tuple(tokenizer.silence_codes)
        identity = replace(
            old.identity,
            datagen=__version__,
            recipe=recipe,
            recipe_sha256=sha256_of(recipe),
            engines={**old.engines, "speech_tokenizer": tokenizer.info},
            clock=Clock(rate, plain_number(tokenizer.frame_rate_hz), _hop(rate, tokenizer)),
            vocabulary=Vocabulary.of(
                vocabulary.n_text, vocabulary.special_offset, vocabulary.speech_offset, tokenizer.codebook_sizes
            ),
            silence=Silence.of(recipe["flatten"]["assistant_silence"], silence),
            encoded=EncodedFrom(old.digest, old.recipe_sha256, old.engines["speech_tokenizer"]),
        )
        flattener(identity)  # whether rows can be made at all
        return identity

    def _recipe(self) -> dict[str, Any]:
        old = self._old.recipe
        try:
            flatten = FlattenConfig.model_validate({**old["flatten"], **_HEARD, **self._changes})
        except ValidationError as error:
            raise RecipeError(explain(error, "flatten", FlattenConfig)) from error
        refuse_not_kept(flatten)
        return {
            **old,
            "engines": {**old["engines"], "speech_tokenizer": self._engine},
            "mix": {**old["mix"], "keep_audio": self._keep_audio},
            "flatten": flatten.model_dump(mode="json"),
        }

    def _made(self, wanted: Identity, store: Store) -> Plan:
        """The plan of the source for another identity; its planned input is copied."""
        old = _plan_of(self._old)
        for part, sha256 in enumerate(old.parts):
            _copy(self._old.store, store, part_key(part, sha256), sha256)
        for part, sha256 in enumerate(old.groups):
            if sha256:
                _copy(self._old.store, store, groups_key(part, sha256), sha256)
        return replace(old, identity=wanted, keep_audio=self._keep_audio, seal="")

    @override
    def release(self) -> None:
        gpu.give_back()

    @override
    def pools(self, out: str, n_workers: int, engine: Engine) -> list[WorkerPool]:
        return [WorkerPool(_Encoder, (self._source, out), PoolConfig(gpus=self._gpus))]

    @override
    def complete(self, store: Store) -> bool:
        return store.exists(MANIFEST)

    @override
    def finish(self, store: Store, plan: Plan) -> Manifest:
        if self.complete(store):
            return Manifest.load(store)
        return finish(store, plan, FlattenedFrom(self._source, self._old.digest))


def _refuse(old: Manifest) -> None:
    """Refuse a build whose audio cannot be encoded.

    Raises:
        DatagenError: If there is none, or the build is of another data version.
    """
    url = old.store.url
    if old.data_version != DATA_VERSION:
        raise StoreError(f"{url} has data version {old.data_version}, not {DATA_VERSION}; build it again")
    if old.conversations is not None:
        raise DatagenError(f"{url} holds no conversations: encode the build that it was flattened from")
    if not old.has_audio:
        raise StoreError(
            f"{url} keeps no audio, so there is nothing to encode; build it with --set mix.keep_audio=true. If it kept "
            "its takes, `datagen build --takes` needs no new speech"
        )


def _hop(sample_rate_hz: int, tokenizer: SpeechTokenizer) -> int:
    try:
        return hop_samples(sample_rate_hz, tokenizer.frame_rate_hz)
    except ValueError as error:
        raise RecipeError(f"speech tokenizer {tokenizer.info.name}: {error}") from error


def _plan_of(old: Manifest) -> Plan:
    plan = load_plan(old.store)
    if plan is None or not plan.parts:
        raise StoreError(f"{old.store.url} has no planned input; restore it from a copy, or build again")
    return plan


def _copy(source: Store, store: Store, key: str, sha256: str) -> None:
    store.create(key, verified(source, key, sha256))


class _Encoder(WholeUnits):
    """A worker whose units are conversations to encode."""

    doing = "encoding"

    def __init__(self, source: str, out: str) -> None:
        self._store = open_store(out)
        plan = load_plan(self._store)
        if plan is None:
            raise ResumeError(f"{out} lost its {PLAN}")
        identity, engine = plan.identity, plan.identity.recipe["engines"]["speech_tokenizer"]
        self._tokenizer = load.speech_tokenizer(engine["name"], engine["options"])
        if faults := differences(identity.engines["speech_tokenizer"], self._tokenizer.info, "speech_tokenizer"):
            raise EngineError(f"this machine has a different tokenizer from the one in the plan: {faults[0]}")
        self._clock, self._keep_audio = identity.clock, bool(plan.keep_audio)
        self._header, self._flatten = plan.header(), flattener(identity)
        old = Manifest.load(open_store(source))
        self._files: dict[int, File] = {unit_of(file.key) or 0: file for file in old.files("conversations")}
        self._origin = old.store

    def run(self, unit: int) -> Marker:
        """Encode, flatten and commit a unit."""
        if found := found_unit(self._store, unit, self._flatten, self._header):
            return found
        return commit_blocks(self._store, unit, self._blocks(self._files[unit]), self._flatten, self._header)

    def _blocks(self, file: File) -> Iterator[tuple[pa.Table, list[Reject]]]:
        """The conversations of a file, encoded a row group at a time, and its rejects."""
        with fetched(self._origin, file.key, file.sha256) as data:
            for table in groups_of(data, file.key):
                yield conversations_table([self._encoded(streams) for streams in streams_of(table)]), []
            said = about(footer_of(data, file.key))
            yield conversations_table([]), [Reject(**values) for values in said.get("rejects", ())]

    def _encoded(self, streams: Streams) -> Streams:
        audio = kept_audio(streams, self._clock.sample_rate_hz, self._clock.hop_samples)
        user, assistant = channel_codes(self._tokenizer, [*audio], self._clock.sample_rate_hz)
        return replace(
            streams,
            n_samples=audio.shape[1],
            user_codes=user,
            assistant_codes=assistant,
            utterances=tuple(map(_without_rest, streams.utterances)),
            voice_prompt=None,
            audio_flac=to_flac(audio, self._clock.sample_rate_hz) if self._keep_audio else None,
        )


def kept_audio(streams: Streams, sample_rate_hz: int, hop: int) -> NDArray[np.int16]:
    """The audio of a conversation, padded with silence to whole frames: int16 [2, n_frames * hop], row 0 the user.

    Args:
        streams: The conversation.
        sample_rate_hz: Its sample rate.
        hop: Samples per frame.

    Raises:
        StoreError: If it has no audio, or not that of its length and rate.
    """
    import soundfile

    if streams.audio_flac is None:
        raise StoreError(f"conversation {streams.dialogue_id!r} has no audio")
    audio, rate = soundfile.read(BytesIO(streams.audio_flac), dtype="int16", always_2d=True)
    if rate != sample_rate_hz or audio.shape != (streams.n_samples, 2):
        raise StoreError(
            f"conversation {streams.dialogue_id!r}: its audio is {list(audio.shape)} at {rate} Hz, not "
            f"{[streams.n_samples, 2]} at {sample_rate_hz} Hz"
        )
    padded = np.zeros((2, round_up(streams.n_samples, hop)), np.int16)
    padded[:, : streams.n_samples] = audio.T
    return padded


def _without_rest(spoken: Spoken) -> Spoken:
    return replace(spoken, rest_codes=_NO_CODES, rest_start_frames=None)
