"""Voices behind a server that speaks OpenAI's `POST /v1/audio/speech`: vLLM-Omni, SGLang-Omni, Kokoro-FastAPI, OpenAI.

A fault of the server must not change the content of a build. A failed call is therefore repeated with the same seed
until the server answers, refuses the text, or the attempts are used up. If the server can then still say a short
sentence in the same voice, the text was at fault: the take fails, and another seed is tried. Otherwise the build stops
(`OutageError`); the same command resumes it.
"""

import base64
import hashlib
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import urlsplit
from weakref import finalize

from pydantic import Field, ValidationError

from datagen.engines.base import TTS, Audio, BitExact, EngineInfo, Speech, Style, StylePart, Voice
from datagen.engines.remote.client import http_client, key_in, shown
from datagen.engines.remote.faults import BrokenReplyError, Fault, fault_of
from datagen.engines.remote.pace import CallClock, Pace, backoff
from datagen.engines.remote.probe import Probe
from datagen.engines.tts.manner import PACE, instruction
from datagen.engines.tts.speech_reply import audio_of
from datagen.engines.tts.word_times import spread
from datagen.engines.voices import Bank, RecordingLimits, load_bank
from datagen.engines.voices.recordings import ReferenceRecording
from datagen.errors import EngineError, OutageError, RecipeError
from datagen.recipe import explain
from datagen.recipe.distributions import ConfigPart

What = Literal["data_url", "base64", "path", "transcript", "name"]

_VERSION = 1
_USUAL = Style()
_BYTES_PER_SECOND = 48_000 * 2 * 4
"""Most that audio takes: 48 kHz, two channels, 32 bits."""
_PROBE = {"zh": "你好。"}
_PROBE_ATTEMPTS = 3
_MEDIA_TYPES = {"mp3": "mpeg", "opus": "ogg"}
"""Media types whose names differ from file endings."""


class SpeechServerOptions(ConfigPart):
    """Keys of a recipe under `engines.tts.options`."""

    base_url: str = Field("http://localhost:8000/v1", description="Address of the server with /v1, without a key")
    model: str = Field("", description="Name of the model on the server")
    voices: tuple[str, ...] = Field((), description="The server's own voices; or set a bank")
    bank: str = Field("", description="Voice bank whose recordings are sent: a directory, CSV or TSV")
    bank_limits: dict[str, Any] = Field({}, description="Limits of recordings, as `datagen voices --limit`")
    reference_fields: dict[str, What] = Field(
        {"ref_audio": "data_url", "ref_text": "transcript"},
        description="Fields of a call that carry a recording of the bank; these suit vLLM-Omni and SGLang-Omni",
    )
    languages: tuple[str, ...] = Field(("en",), min_length=1, description="ISO 639-1 codes of its languages")
    licence: str = Field("unknown", description="Of the server's voices")
    sample_rate_hz: int = Field(24_000, ge=8_000, le=48_000, description="Sample rate that the server sends")
    response_format: Literal["wav", "flac", "pcm", "mp3", "opus"] = "wav"
    concurrency: int = Field(8, ge=1, le=1024, description="Simultaneous calls per worker")
    requests_per_minute: float = Field(0, ge=0, description="Most calls per minute and worker; 0: no limit")
    attempts: int = Field(8, ge=1, le=100, description="Calls for one take, all with the same seed")
    backoff_seconds: float = Field(1, ge=0, description="First wait after a fault; each next one is twice as long")
    longest_wait_seconds: float = Field(60, ge=0, description="Longest wait, even if the server requests more")
    timeout_seconds: float = Field(60, gt=0, description="Longest call; one that takes longer has hung")
    give_up_seconds: float = Field(
        200, gt=0, description="No new attempt of a take after this time; at most a third of limits.dialogue_seconds"
    )
    max_seconds: float = Field(120, gt=0, description="Longest audio; more is a runaway")
    seed_field: str = Field("seed", description="Field of a call that carries the seed; empty: none")
    extra_body: dict[str, Any] = Field(
        {}, description="More fields of every call, such as {task_type: Base}; the manifest holds them, so no secrets"
    )
    api_key_env: str = Field("DATAGEN_SPEECH_API_KEY", description="Environment variable that holds the key, if any")
    styles: tuple[StylePart, ...] = Field(
        (),
        description="Parts of styles that the server follows: pace as the field `speed` of a call; emotion, whisper "
        "and laughter as words in `instructions`",
    )
    bit_exact: BitExact = Field("no", description="machine: you know that the server returns the same bytes for a seed")


class SpeechServer(TTS):
    """A voice engine that is a client; any number of threads may call it."""

    def __init__(self, **options: Any) -> None:
        """An engine with `SpeechServerOptions`; the first call of the server is the first `speak`.

        Raises:
            RecipeError: If an option is unknown or wrong.
            EngineError: If the bank cannot be used, or the key cannot be one.
            EngineMissingError: If the package `openai` is not installed.
        """
        try:
            self._options = o = SpeechServerOptions.model_validate(options)
        except ValidationError as error:
            raise RecipeError(f"engine speech_server: {explain(error, model=SpeechServerOptions)}") from error
        if bool(o.voices) == bool(o.bank):
            raise RecipeError("engine speech_server: set either voices, by their names on the server, or a bank")
        if _may_hold_a_key(o.base_url):
            raise RecipeError(
                "engine speech_server: base_url must contain no password and nothing after a ? or #, because the "
                "manifest stores it; put the key into the variable that api_key_env names"
            )
        limits = RecordingLimits.of(o.bank_limits)
        self._bank = load_bank(o.bank, limits, o.languages, o.licence) if o.bank else Bank({})
        self.skipped = tuple(f"{v.path}: {'; '.join(v.faults)}" for v in self._bank.skipped)
        """A line for each voice of the bank that cannot be used."""
        self.voices = o.voices or tuple(v for v, r in self._bank.items() if {*r.voice.languages} & {*o.languages})
        if not self.voices:
            raise RecipeError(f"engine speech_server: no voice of the bank speaks {' or '.join(o.languages)}")
        self.languages, self.sample_rate_hz, self.concurrency = o.languages, o.sample_rate_hz, o.concurrency
        self.give_up_seconds, self.styles = o.give_up_seconds, o.styles
        version = f"{_VERSION} {o.model}" + (f" bank {self._bank.digest}" if o.bank else "")
        self.info = EngineInfo("speech_server", version, o.licence, o.bit_exact)
        self._pace, self._probe = Pace(o.requests_per_minute), Probe(self._probed)
        self._sent: dict[str, dict[str, str]] = {}
        """Fields of recordings, each made once."""
        self._key = key_in(o.api_key_env)
        self._client = http_client(
            "the engine speech_server", "server", base_url=o.base_url, key=self._key, timeout_seconds=o.timeout_seconds
        )
        finalize(self, self._client.close)

    def about(self, voice: str) -> Voice:
        """A voice of the bank, in the languages of the engine, or one of the server's own."""
        known = super().about(voice)
        if voice not in self._bank:
            return replace(known, source=f"voice {voice} of the server")
        recorded = self._bank[voice].voice
        return replace(recorded, languages=tuple(name for name in recorded.languages if name in self.languages))

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        """Let the server speak `text`; word times are estimated.

        Raises:
            EngineError: If it cannot speak this text.
            OutageError: If it cannot speak any text in this voice.
        """
        return self.speak_styled(text, voice, seed, Style())

    def speak_styled(self, text: str, voice: str, seed: int, style: Style) -> Speech:
        """Let the server speak `text` in a manner.

        Raises:
            EngineError: As `speak`.
            OutageError: As `speak`.
        """
        self.about(voice)
        if not text.split():
            raise EngineError("nothing to speak")
        audio = self._spoken(text, voice, seed, self._options.attempts, style)
        if not isinstance(audio, Fault):
            return Speech(audio, spread(text, audio, self.sample_rate_hz))
        if not (ill := self._illness(audio, voice)):
            raise EngineError(f"the server cannot speak this: {audio.detail}")
        hint = "; are voice, model, seed_field and extra_body right?" if ill.whose == "item" else "."
        raise OutageError(
            f"the speech server at {self._options.base_url} does not work: {ill.detail}{hint} "
            "Finished work is kept: run the same command again once it works"
        )

    def _illness(self, fault: Fault, voice: str) -> Fault | None:
        """The fault that keeps the server from speaking, or None if the text alone is at fault."""
        if fault.whose == "server":
            return fault
        if fault.whose == "item":
            return self._probe.illness(voice)
        return self._probe.illness(voice, trusted_seconds=0)  # it may have stopped at this moment

    def _probed(self, voice: str) -> Fault | None:
        text = _PROBE.get(self.languages[0], "Hello.")
        spoken = self._spoken(text, voice, 0, min(_PROBE_ATTEMPTS, self._options.attempts))
        return spoken if isinstance(spoken, Fault) else None

    def _spoken(self, text: str, voice: str, seed: int, attempts: int, style: Style = _USUAL) -> Audio | Fault:
        """The server's audio after as many attempts as needed, or the last fault."""
        o = self._options
        give_up = time.monotonic() + o.give_up_seconds
        for attempt in range(1, attempts + 1):
            self._pace.wait()
            answer = self._answer(text, voice, seed, style)
            if not isinstance(answer, Fault):
                return answer
            wait = answer.wait_seconds
            if wait is None:
                wait = backoff(attempt, random.random(), o.backoff_seconds, o.longest_wait_seconds)
            wait = min(wait, o.longest_wait_seconds)
            if answer.whose != "call" or attempt == attempts or time.monotonic() + wait > give_up:
                break
            if answer.busy:
                self._pace.hold(wait)
            else:
                time.sleep(wait)
        return answer

    def _answer(self, text: str, voice: str, seed: int, style: Style) -> Audio | Fault:
        """One call."""
        import openai

        o = self._options
        more: dict[str, Any] = {o.seed_field: seed} if o.seed_field else {}
        more |= {"speed": PACE[style.pace]} if style.pace else {}
        more |= {"instructions": told} if (told := instruction(style)) else {}
        speech = self._client.audio.speech.with_streaming_response
        body = {
            "input": text,
            "model": o.model or openai.omit,
            "voice": openai.omit if voice in self._bank else voice,
            "response_format": o.response_format,
            "extra_body": {**o.extra_body, **self._reference(voice), **more},
        }
        try:
            with speech.create(**body) as response:
                data = self._body(response)
                kind = response.headers.get("content-type", "")
            return audio_of(data, kind, o.response_format == "pcm", o.sample_rate_hz, o.max_seconds)
        except Exception as error:
            if (fault := fault_of(error, CallClock())) is None:
                raise
        return replace(fault, detail=shown(fault.detail, self._key) + self._hint(fault))

    def _body(self, response: Any) -> bytes:
        """A whole answer that comes in time and is no longer than audio may be."""
        o, parts, n_bytes = self._options, list[bytes](), 0
        deadline = time.monotonic() + o.timeout_seconds
        for part in response.iter_bytes():
            parts.append(part)
            n_bytes += len(part)
            if n_bytes > o.max_seconds * _BYTES_PER_SECOND:
                raise BrokenReplyError(f"the answer has over {n_bytes >> 20} MiB: a runaway")
            if time.monotonic() > deadline:
                raise TimeoutError
        return b"".join(parts)

    def _hint(self, fault: Fault) -> str:
        hints = {
            "status_401": f"; is the environment variable {self._options.api_key_env} set on this machine?",
            "status_404": "; are base_url and model right?",
        }
        return hints.get(fault.reason, "")

    def _reference(self, voice: str) -> dict[str, str]:
        if voice in self._bank and voice not in self._sent:
            self._sent[voice] = _fields(self._bank[voice], self._options.reference_fields)
        return self._sent.get(voice, {})


def _fields(reference: ReferenceRecording, wanted: Mapping[str, What]) -> dict[str, str]:
    """Fields of a call that carry a recording; empty ones are left out.

    Args:
        reference: The recording.
        wanted: Content of each field.

    Raises:
        OutageError: If the recording cannot be read, or has changed since the bank was read. No dialogue is at fault,
            and finished ones hold the recording that the manifest names.
    """
    name = f"the recording {reference.path} of voice {reference.voice.name}"
    try:
        data = reference.path.read_bytes()
    except OSError as error:
        raise OutageError(f"{name} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != reference.voice.source_sha256:
        raise OutageError(f"{name} changed during the build; restore it, or start a new build")
    coded, kind = base64.b64encode(data).decode(), reference.path.suffix.lower()[1:]
    values: dict[What, str] = {
        "data_url": f"data:audio/{_MEDIA_TYPES.get(kind, kind)};base64,{coded}",
        "base64": coded,
        "path": str(reference.path.resolve()),
        "transcript": reference.transcript,
        "name": reference.voice.name,
    }
    return {field: values[content] for field, content in wanted.items() if values[content]}


def _may_hold_a_key(url: str) -> bool:
    """True if a URL has more than a host and a path, or cannot be parsed.

    >>> [_may_hold_a_key(f"http://{rest}") for rest in ("host:8000/v1", "me@host/v1", "host/v1?key=1", "host/#1", "[x")]
    [False, True, True, True, True]
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    return "@" in parts.netloc or bool(parts.query or parts.fragment)
