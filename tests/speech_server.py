"""A real speech server on this machine that speaks OpenAI's protocol with a voice of ours, and fails as it is told."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import numpy as np
import soundfile

from datagen.engines.base import TTS
from datagen.engines.fakes import ToneVoice

Script = Callable[[int, dict[str, Any]], str]
"""The fault of a call, by its number from 0 and its body; empty: none."""


def wav(audio: np.ndarray, rate_hz: int, subtype: str = "FLOAT") -> bytes:
    """A WAV file."""
    file = BytesIO()
    soundfile.write(file, audio, rate_hz, format="WAV", subtype=subtype)
    return file.getvalue()


class SpeechHost:
    """Serves on a free port of 127.0.0.1 from when it is made until `close`."""

    def __init__(self, voice: TTS | None = None, script: Script | None = None) -> None:
        """Take who speaks (tones by default) and what goes wrong (nothing)."""
        self.voice, self.script = voice or ToneVoice(), script or (lambda number, body: "")
        self.calls: list[dict[str, Any]] = []
        """Bodies of all calls, in order of arrival."""
        self.headers: list[dict[str, str]] = []
        self.key = ""
        """If set, calls without it are refused."""
        self.faults: list[str] = []
        self.at_once: threading.Barrier | None = None
        """If set, no call is answered before as many are there."""
        self.over = threading.Event()
        self._lock, self._speaks = threading.Lock(), threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.host = self
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """What a recipe gives as base_url."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def enter(self, body: dict[str, Any], headers: dict[str, str]) -> str:
        """Count a call; its fault."""
        with self._lock:
            number = len(self.calls)
            self.calls.append(body)
            self.headers.append(headers)
            self.faults.append(self.script(number, body))
            return self.faults[-1]

    def speak(self, body: dict[str, Any]) -> np.ndarray:
        """What is said: the same for the same body."""
        with self._speaks:
            return self.voice.speak(body["input"], body.get("voice", self.voice.voices[0]), body.get("seed", 0)).audio

    def close(self) -> None:
        """Stop, whatever is under way."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"

    @property
    def host(self) -> "SpeechHost":
        return self.server.host

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.host.enter(body, {name.lower(): value for name, value in self.headers.items()})
        if self.path != "/v1/audio/speech":
            return self._refuse(404, "Not Found")
        if self.host.key and self.headers["Authorization"] != f"Bearer {self.host.key}":
            return self._refuse(401, f"Incorrect API key provided: {self.headers['Authorization']}")
        if self.host.at_once:
            self.host.at_once.wait(timeout=20)
        return self._fail(fault, body) if fault else self._send(*self._audio(body))

    def _audio(self, body: dict[str, Any]) -> tuple[bytes, str]:
        audio, rate_hz, kind = self.host.speak(body), self.host.voice.sample_rate_hz, body["response_format"]
        if kind == "pcm":
            return (np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes(), "audio/pcm"
        if kind == "wav":
            return wav(audio, rate_hz), "audio/wav"
        file = BytesIO()
        ogg = {"format": "OGG", "subtype": "OPUS"} if kind == "opus" else {"format": kind.upper()}
        soundfile.write(file, audio, rate_hz, **ogg)
        return file.getvalue(), f"audio/{kind}"

    def _send(self, data: bytes, kind: str, n_promised: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) if n_promised is None else n_promised))
        self.end_headers()
        self.wfile.write(data)
        if n_promised is not None:
            self._hang_up()

    def _refuse(self, status: int, message: str, **headers: str) -> None:
        data = json.dumps({"error": {"message": message, "type": "error"}}).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _hang_up(self) -> None:
        self.close_connection = True

    def _fail(self, fault: str, body: dict[str, Any]) -> None:
        if fault.isdecimal():
            return self._refuse(int(fault), f"it is {fault}")
        return getattr(self, f"_{fault}")(body)

    def _retry_after(self, body: dict[str, Any]) -> None:
        self._refuse(429, "slow down", Retry_After="0.01")

    def _long_refusal(self, body: dict[str, Any]) -> None:
        self._refuse(400, "no\x1b[2J\n" * 500)

    def _tell(self, body: dict[str, Any]) -> None:
        self._refuse(400, f"your key is {self.headers['Authorization'].removeprefix('Bearer ')}")

    def _reset(self, body: dict[str, Any]) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._hang_up()
        self.connection.close()

    def _hang(self, body: dict[str, Any]) -> None:
        self.host.over.wait()
        self._hang_up()

    def _drip(self, body: dict[str, Any]) -> None:
        data, kind = self._audio(body)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for at in range(0, len(data), 64):
            try:
                self.wfile.write(data[at : at + 64])
            except OSError:
                break
            if self.host.over.wait(0.02):
                break
        self._hang_up()

    def _flood(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self._hang_up()
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.host.over.is_set():
                self.wfile.write(bytes(4096))

    def _cut(self, body: dict[str, Any]) -> None:
        """The header of the answer promises more."""
        data, kind = self._audio(body)
        self._send(data[: len(data) // 2], kind, len(data))

    def _short(self, body: dict[str, Any]) -> None:
        """The header of the file promises more."""
        data, kind = self._audio(body)
        self._send(data[: len(data) // 2 // 2 * 2 + 1], kind)

    def _empty(self, body: dict[str, Any]) -> None:
        self._send(b"", "audio/wav")

    def _no_samples(self, body: dict[str, Any]) -> None:
        self._send(wav(np.zeros(0, np.float32), self.host.voice.sample_rate_hz), "audio/wav")

    def _html(self, body: dict[str, Any]) -> None:
        self._send(b"<html><body>502 Bad Gateway</body></html>", "text/html; charset=utf-8")

    def _json(self, body: dict[str, Any]) -> None:
        self._send(b'{"error": "out of memory"}', "application/json")

    def _garbage(self, body: dict[str, Any]) -> None:
        self._send(b"\x00\x01no sound at all" * 9, "audio/wav")

    def _wrong_rate(self, body: dict[str, Any]) -> None:
        self._send(wav(self.host.speak(body)[::2], self.host.voice.sample_rate_hz // 2), "audio/wav")

    def _silent(self, body: dict[str, Any]) -> None:
        self._send(wav(0 * self.host.speak(body), self.host.voice.sample_rate_hz), "audio/wav")

    def _nan(self, body: dict[str, Any]) -> None:
        self._send(wav(np.nan * self.host.speak(body), self.host.voice.sample_rate_hz), "audio/wav")

    def _endless(self, body: dict[str, Any]) -> None:
        self._send(wav(np.tile(self.host.speak(body), 40), self.host.voice.sample_rate_hz), "audio/wav")

    def _stereo(self, body: dict[str, Any]) -> None:
        audio = self.host.speak(body)
        self._send(wav(np.stack([audio, audio], axis=1), self.host.voice.sample_rate_hz), "audio/wav")

    def _streamed(self, body: dict[str, Any]) -> None:
        """A header written before the length was known."""
        data = bytearray(self._audio(body)[0])
        at = data.index(b"data") + 4
        data[at : at + 4] = data[4:8] = b"\xff\xff\xff\xff"
        self._send(bytes(data), "audio/wav")
