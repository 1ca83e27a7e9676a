"""Voices behind a server that speaks OpenAI's `POST /v1/audio/speech`: vLLM-Omni, SGLang-Omni, Kokoro-FastAPI, OpenAI.

A fault of the server must not change what a build contains. So a call that fails is made again with the same seed,
until the server has answered, refuses the text, or the attempts are used up. Then, if the server can still say a short
sentence in the same voice, it was the text: the take is bad, and tried with another seed. If it can't, the build stops
(`OutageError`); the same command, run again, goes on where it was.
"""

import os
import random
import time
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit
from weakref import finalize

from pydantic import Field, ValidationError

from datagen.engines.base import TTS, Audio, BitExact, EngineInfo, Speech, Voice
from datagen.engines.remote.pace import Pace
from datagen.engines.remote.probe import Probe
from datagen.engines.remote.replies import asked_wait, audio_of
from datagen.engines.remote.sent import What, as_fields
from datagen.engines.tts.word_times import spread
from datagen.engines.voices import Bank, RecordingLimits, load_bank
from datagen.errors import EngineError, EngineMissingError, OutageError, RecipeError
from datagen.recipe import explain
from datagen.recipe.distributions import ConfigPart

_VERSION = 1
_NO_KEY = "none"
_TOLD = 200
_BYTES_A_SECOND = 48_000 * 2 * 4
"""The most that audio takes: 48 kHz, two channels, 32 bits."""
_PROBE = {"zh": "你好。"}
_PROBE_ATTEMPTS = 3
_BUSY = {408, 409, 425, 429, 503}
"""Answers of a server that has too much to do: all calls are held back, not just the one."""
_TEXTS_FAULT = {400, 413, 422}


class SpeechServerOptions(ConfigPart):
    """What a recipe may say under `engines.tts.options`."""

    base_url: str = Field("http://localhost:8000/v1", description="Of the server, with its /v1 and without a key")
    model: str = Field("", description="What the server calls its model")
    voices: tuple[str, ...] = Field((), description="The server's own voices; or give a bank")
    bank: str = Field("", description="Voice bank whose recordings are sent along: a directory, CSV or TSV")
    bank_limits: dict[str, Any] = Field({}, description="What a recording must be like, as `datagen voices --limit`")
    reference_fields: dict[str, What] = Field(
        {"ref_audio": "data_url", "ref_text": "transcript"},
        description="Fields of a call that carry a recording of the bank; these suit vLLM-Omni and SGLang-Omni",
    )
    languages: tuple[str, ...] = Field(("en",), min_length=1, description="ISO 639-1 codes of what it speaks")
    licence: str = Field("unknown", description="Of the server's voices")
    sample_rate_hz: int = Field(24_000, ge=8_000, le=48_000, description="What the server sends")
    response_format: Literal["wav", "flac", "pcm", "mp3", "opus"] = "wav"
    concurrency: int = Field(8, ge=1, le=1024, description="Calls under way at once, a worker")
    requests_per_minute: float = Field(0, ge=0, description="Most calls a minute, a worker; 0: no limit")
    attempts: int = Field(8, ge=1, le=100, description="Calls for one take, all with the same seed")
    backoff_seconds: float = Field(1, ge=0, description="First wait after a fault; each next one is twice as long")
    longest_wait_seconds: float = Field(60, ge=0, description="Longest wait, also where the server asks for more")
    timeout_seconds: float = Field(60, gt=0, description="Longest call; what takes longer has hung")
    give_up_seconds: float = Field(
        200,
        gt=0,
        description="No new attempt of a take after so long; at most a third of limits.dialogue_seconds",
    )
    max_seconds: float = Field(120, gt=0, description="Longest audio; more is a runaway")
    seed_field: str = Field("seed", description="Field of a call that carries the seed; empty: none")
    extra_body: dict[str, Any] = Field(
        {}, description="More fields of every call, such as {task_type: Base}; the manifest holds them, so no secrets"
    )
    api_key_env: str = Field("DATAGEN_SPEECH_API_KEY", description="Environment variable that holds the key, if any")
    bit_exact: BitExact = Field("no", description="machine: you know that the server gives the same bytes for a seed")


class _Fault(Exception):
    """A call that failed.

    Attributes:
        whose: "call": try again; "text": it would fail again; "server": so would any other.
        wait_seconds: What the server asks for.
        busy: Whether other calls should wait too.
    """

    def __init__(
        self,
        said: str,
        whose: Literal["call", "text", "server"] = "call",
        wait_seconds: float | None = None,
        busy: bool = False,
    ) -> None:
        super().__init__(said)
        self.whose, self.wait_seconds, self.busy = whose, wait_seconds, busy


class SpeechServer(TTS):
    """A voice engine that is a client; any number of threads may call it."""

    def __init__(self, **options: Any) -> None:
        """Take `SpeechServerOptions`; the server is not called before there is something to say.

        Raises:
            RecipeError: If an option is unknown or wrong.
            EngineError: If the bank cannot be used, or the key is none.
            EngineMissingError: If the package `openai` is not there.
        """
        try:
            self._options = o = SpeechServerOptions.model_validate(options)
        except ValidationError as error:
            raise RecipeError(f"engine speech_server: {explain(error)}") from error
        if bool(o.voices) == bool(o.bank):
            raise RecipeError("engine speech_server: give either voices, as the server names them, or a bank")
        if _may_hold_a_key(o.base_url):
            raise RecipeError(
                "engine speech_server: base_url must hold no password and nothing behind a ? or #, for the manifest "
                "holds it; put the key where api_key_env says"
            )
        self._bank = (
            load_bank(o.bank, RecordingLimits.of(o.bank_limits), o.languages, o.licence) if o.bank else Bank({})
        )
        self.voices = o.voices or tuple(v for v, r in self._bank.items() if {*r.voice.languages} & {*o.languages})
        if not self.voices:
            raise RecipeError(f"engine speech_server: no voice of the bank speaks {' or '.join(o.languages)}")
        self.languages, self.sample_rate_hz, self.concurrency = o.languages, o.sample_rate_hz, o.concurrency
        self.give_up_seconds = o.give_up_seconds
        version = f"{_VERSION} {o.model}" + (f" bank {self._bank.digest}" if o.bank else "")
        self.info = EngineInfo("speech_server", version, o.licence, o.bit_exact)
        self._pace, self._probe = Pace(o.requests_per_minute), Probe(self._probed)
        self._sent: dict[str, dict[str, str]] = {}
        """Fields of recordings, each made once."""
        self._client  # noqa: B018  (what is missing is said before work begins)

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
            OutageError: If it can't speak anything in this voice.
        """
        self.about(voice)
        if not text.split():
            raise EngineError("nothing to speak")
        audio = self._spoken(text, voice, seed, self._options.attempts)
        if not isinstance(audio, _Fault):
            return Speech(audio, spread(text, audio, self.sample_rate_hz))
        if not (ill := self._illness(audio, voice)):
            raise EngineError(f"the server cannot speak this: {audio}")
        said = f"{ill}; are voice, model, seed_field and extra_body right?" if ill.whose == "text" else f"{ill}."
        raise OutageError(
            f"the speech server at {self._options.base_url} does not speak: {said} "
            "What is done is kept: run the same command again when it does"
        )

    def _illness(self, fault: _Fault, voice: str) -> _Fault | None:
        """What keeps the server from speaking, or None if the fault is of the text alone."""
        if fault.whose == "server":
            return fault
        if fault.whose == "text":
            return self._probe.illness(voice)
        return self._probe.illness(voice, trusted_seconds=0)  # it may have gone this moment

    def _probed(self, voice: str) -> _Fault | None:
        text = _PROBE.get(self.languages[0], "Hello.")
        said = self._spoken(text, voice, 0, min(_PROBE_ATTEMPTS, self._options.attempts))
        return said if isinstance(said, _Fault) else None

    def _spoken(self, text: str, voice: str, seed: int, attempts: int) -> Audio | _Fault:
        """What the server says in the end, or the last fault."""
        o = self._options
        give_up = time.monotonic() + o.give_up_seconds
        for attempt in range(1, attempts + 1):
            self._pace.wait()
            try:
                return self._answer(text, voice, seed)
            except _Fault as error:
                fault = error
            wait = fault.wait_seconds
            if wait is None:
                wait = o.backoff_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1)
            wait = min(wait, o.longest_wait_seconds)
            if fault.whose != "call" or attempt == attempts or time.monotonic() + wait > give_up:
                break
            if fault.busy:
                self._pace.hold(wait)
            else:
                time.sleep(wait)
        return fault

    def _answer(self, text: str, voice: str, seed: int) -> Audio:
        import openai

        o = self._options
        extra = {**o.extra_body, **self._reference(voice), **({o.seed_field: seed} if o.seed_field else {})}
        speech = self._client.audio.speech.with_streaming_response
        try:
            with speech.create(
                input=text,
                model=o.model or openai.omit,
                voice=openai.omit if voice in self._bank else voice,
                response_format=o.response_format,
                extra_body=extra,
            ) as response:
                data = self._body(response)
                said = response.headers.get("content-type", "")
            return audio_of(data, said, o.response_format == "pcm", o.sample_rate_hz, o.max_seconds)
        except openai.APIStatusError as error:
            fault = self._refused(error)
        except openai.APITimeoutError:
            fault = _Fault(f"no answer in {o.timeout_seconds:g} s")
        except openai.OpenAIError as error:
            fault = _Fault(self._told(error.__cause__ or error))
        except EngineError as error:
            fault = _Fault(self._told(error))
        raise fault from None  # what lies below may hold the key

    def _body(self, response: Any) -> bytes:
        """All of an answer that comes in time and is no longer than audio may be."""
        o, parts, n_bytes = self._options, list[bytes](), 0
        deadline = time.monotonic() + o.timeout_seconds
        try:
            for part in response.iter_bytes():
                parts.append(part)
                n_bytes += len(part)
                if n_bytes > o.max_seconds * _BYTES_A_SECOND:
                    raise _Fault(f"the answer has over {n_bytes >> 20} MiB: a runaway")
                if time.monotonic() > deadline:
                    raise _Fault(f"no whole answer in {o.timeout_seconds:g} s")
        except _Fault:
            raise
        except Exception as error:  # of the HTTP library, whichever openai stands on
            raise _Fault(f"the answer broke off: {self._told(error)}") from None
        return b"".join(parts)

    def _refused(self, error: Any) -> _Fault:
        status, said = error.status_code, self._told(error)
        if status in _TEXTS_FAULT:
            return _Fault(said, "text")
        if status in _BUSY or status >= 500:
            return _Fault(said, wait_seconds=asked_wait(error.response.headers), busy=status in _BUSY)
        mend = {
            401: f"; is the environment variable {self._options.api_key_env} set on this machine?",
            404: "; are base_url and model right?",
        }
        return _Fault(said + mend.get(status, ""), "server")

    def _told(self, error: BaseException) -> str:
        """What an error says: data, so cut and on one line; and never the key, which a server may repeat."""
        said = str(error) or type(error).__name__
        if self._key != _NO_KEY:
            said = said.replace(self._key, "***")
        return " ".join("".join(c if c.isprintable() else " " for c in said).split())[:_TOLD]

    def _reference(self, voice: str) -> dict[str, str]:
        if voice in self._bank and voice not in self._sent:
            self._sent[voice] = as_fields(self._bank[voice], self._options.reference_fields)
        return self._sent.get(voice, {})

    @cached_property
    def _key(self) -> str:
        key = os.environ.get(self._options.api_key_env, "").strip() or _NO_KEY
        if not (key.isascii() and key.isprintable()):
            raise EngineError(f"what the environment variable {self._options.api_key_env} holds is no key")
        return key

    @cached_property
    def _client(self) -> Any:
        try:
            import openai
        except ImportError as error:
            raise EngineMissingError(
                "the engine speech_server needs the package openai: pip install 'duplex-datagen[server]'"
            ) from error
        o = self._options
        made = openai.OpenAI(api_key=self._key, base_url=o.base_url, timeout=o.timeout_seconds, max_retries=0)
        finalize(self, made.close)
        return made


def _may_hold_a_key(url: str) -> bool:
    """Whether a URL has more than a host and a path, or cannot be told apart.

    >>> [_may_hold_a_key(f"http://{rest}") for rest in ("host:8000/v1", "me@host/v1", "host/v1?key=1", "host/#1", "[x")]
    [False, True, True, True, True]
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    return "@" in parts.netloc or bool(parts.query or parts.fragment)
