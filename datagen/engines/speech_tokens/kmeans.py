"""The embedded speech tokenizer: k-means over projected log-mel, 25 codes per second of 24 kHz audio.

Its codes are acoustic, not semantic: they name short-time spectra, and follow loudness, voice and noise. They share
nothing with S3 tokens but the frame rate; never mix ids of the two in one data set or one model.

    int16 → two 50 Hz windows per frame → log-mel → linear projection, rounded to integers → nearest of 4,096

Centroids and projected frames are small integers, so every product and sum of the search is exact in float32, and all
work is done in blocks of one fixed size. A code therefore depends on its own window alone, not on how much audio is
encoded at once, nor on the number of threads. `tools/train_kmeans.py` trains the model and documents its file.
"""

import hashlib
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from threadpoolctl import ThreadpoolController

from datagen.engines.audio import whole_frames
from datagen.engines.base import Audio, Codes, EngineInfo, SpeechTokenizer
from datagen.engines.lineage import KMEANS
from datagen.errors import EngineError, EngineMissingError

if TYPE_CHECKING:
    from datagen.engines.speech_tokens import decoder as decoding

SAMPLE_RATE_HZ = 24_000
HOP = 960
SUB_HOP = HOP // 2
BLOCK = 128
"""Frames per block: the scores of a block, 2 MB, stay in the second-level cache."""
MODEL_FILE = Path(__file__).parents[2] / "data" / "kmeans_25hz.npz"
DECODER_FILE = MODEL_FILE.with_name("kmeans_25hz_decoder.npz")
_FORMAT = 1
_SHIPPED_VERSION = f"{_FORMAT}+0b2885c4011b"
"""Of the codes of `MODEL_FILE`: the hash of that file when it also held a decoder."""

Floats = NDArray[np.float32]


class LogMel:
    """Log-mel of the two half-frames of each frame, computed block by block.

    Windows are centred on their half-frame, so a frame looks `overhang` samples past both of its ends (80 samples,
    3.3 ms, in the shipped model); before the first and after the last sample there is silence.
    """

    def __init__(self, window: Floats, mel: Floats, floor: float) -> None:
        """An analysis.

        Args:
            window: float32 [width], applied to int16 samples; even width of at least `SUB_HOP`.
            mel: float32 [n_bins, n_mels], weights on the power of the lowest `n_bins` bins.
            floor: Power added to each band before the logarithm: what is far below it has no influence.
        """
        self._window, self._mel, self._floor = window, mel, np.float32(floor)
        self.overhang = (len(window) - SUB_HOP) // 2
        self.n_features = 2 * mel.shape[1]

    def frames(self, audio: NDArray[np.int16]) -> NDArray[np.int16]:
        """A view of all windows, int16 [n_frames, 2, width], of padded audio, and no copy of them."""
        padded = np.zeros(len(audio) + len(self._window), np.int16)
        padded[self.overhang : self.overhang + len(audio)] = audio
        step = padded.strides[0]
        shape = (len(audio) // HOP, 2, len(self._window))
        return np.lib.stride_tricks.as_strided(padded, shape, (HOP * step, SUB_HOP * step, step), writeable=False)

    def __call__(self, frames: NDArray[np.int16]) -> Floats:
        """Log-mel of exactly one block: int16 [BLOCK, 2, width] to float32 [BLOCK, n_features]."""
        spectrum = rfft(np.multiply(frames, self._window, dtype=np.float32), axis=-1)
        low = spectrum.reshape(2 * BLOCK, -1)[:, : len(self._mel)]
        power = low.real**2
        power += low.imag**2
        features: Floats = np.log(power @ self._mel + self._floor).reshape(BLOCK, self.n_features)
        return features


class KMeansTokenizer(SpeechTokenizer):
    """The speech tokenizer engine `kmeans`.

    >>> tokenizer = KMeansTokenizer()
    >>> codes = tokenizer.encode(np.zeros(2 * 960, np.int16))
    >>> (codes == tokenizer.silence_code).tolist()
    [True, True]
    """

    sample_rate_hz = SAMPLE_RATE_HZ
    frame_rate_hz = SAMPLE_RATE_HZ // HOP

    def __init__(self, model: str = "", decoder: str = "") -> None:
        """Load a model. A decoder of its own loads at the first use.

        Args:
            model: A file written by `tools.train_kmeans`; empty for the one in the package.
            decoder: A file written by `tools.train_decoder` for that model; empty for the one in the package, which
                decodes the model in the package only.

        Raises:
            EngineError: If the file cannot be read as a model.
        """
        source = Path(model) if model else MODEL_FILE
        try:
            data = source.read_bytes()
            with np.load(BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            if int(arrays["format"]) != _FORMAT:
                raise ValueError(f"format {arrays['format']}, not {_FORMAT}")
            self._mel = LogMel(arrays["window"], arrays["mel"], float(arrays["floor"]))
            self._projection = arrays["projection"]
            self._offset = arrays["offset"]
            self.centroids = arrays["codebook"].astype(np.float32)
            self._search = search_matrix(arrays["codebook"])
        except (OSError, ValueError, KeyError) as error:
            raise EngineError(f"speech tokenizer kmeans: cannot read model {source}: {error}") from error
        sha256 = hashlib.sha256(data).hexdigest()
        version, lineage = (f"{_FORMAT}+{sha256[:12]}", None) if model else (_SHIPPED_VERSION, KMEANS)
        self.info = EngineInfo("kmeans_25hz", version, "Apache-2.0", "machine", lineage=lineage)
        self.codebook_size = self._search.shape[1]
        self._decoder_file = decoder or ("" if model else str(DECODER_FILE))
        self._threads = ThreadpoolController()
        with self._threads.limit(limits=1, user_api="blas"):
            silence = np.zeros((BLOCK, 2, len(arrays["window"])), np.int16)
            self.silence_code = int(self._nearest(silence)[0])

    def encode(self, audio: NDArray[np.int16]) -> Codes:
        """Encode mono audio at 24 kHz.

        Args:
            audio: int16 [n_samples], a whole number of frames of 960 samples.

        Returns:
            uint16 [n_samples / 960]. Frames that see nothing but digital silence are `silence_code`.

        Raises:
            ValueError: If it is not int16 [n_samples] or has a part of a frame.
        """
        codes = np.full(whole_frames(audio, HOP, "kmeans"), self.silence_code, np.uint16)
        heard = _heard(audio, self._mel.overhang)
        windows = self._mel.frames(audio)
        block = np.zeros((BLOCK, *windows.shape[1:]), np.int16)
        with self._threads.limit(limits=1, user_api="blas"):
            for start in range(0, len(heard), BLOCK):
                rows = heard[start : start + BLOCK]
                block[: len(rows)] = windows[rows]
                codes[rows] = self._nearest(block)[: len(rows)]
        return codes

    def decode(self, codes: Codes) -> Audio:
        """Make codes audible in the voice `heart`; see `decode_as`."""
        return self.decode_as(codes, "heart")

    def decode_as(self, codes: Codes, voice: str) -> Audio:
        """Make codes audible by hibari's own vocoder, the same each time.

        Args:
            codes: uint16 [n_frames].
            voice: One of hibari's; codes in any other are decoded as `heart`.

        Returns:
            float32 [n_frames * 960] at 24 kHz.

        Raises:
            ValueError: If a code is not in the codebook.
            EngineMissingError: If the model is another than the one in the package and the option names no decoder.
            EngineError: If the decoder cannot be read or decodes the codes of another model.
        """
        if len(codes) and int(codes.max()) >= self.codebook_size:
            raise ValueError(f"code {int(codes.max())} is not below the codebook size {self.codebook_size}")
        with self._threads.limit(limits=1, user_api="blas"):
            return self.decoder(codes, voice)

    @cached_property
    def decoder(self) -> "decoding.Decoder":
        """The decoder; its `stream` decodes codes as they come.

        Raises:
            EngineMissingError: If the model is another than the one in the package and the option names no decoder.
            EngineError: If it cannot be read or decodes the codes of another model.
        """
        from datagen.engines.speech_tokens.decoder import Decoder

        if not self._decoder_file:
            raise EngineMissingError(
                "kmeans: a model of your own needs a decoder of its own: train one with tools.train_decoder, and name "
                "it in the option decoder"
            )
        return Decoder(self._decoder_file, self.info.version)

    def _nearest(self, block: NDArray[np.int16]) -> NDArray[np.intp]:
        """Codes of exactly one block of windows, [BLOCK]."""
        points = project(self._mel(block), self._projection, self._offset)
        codes: NDArray[np.intp] = np.argmax(with_one(points) @ self._search, axis=1)
        return codes


def project(features: Floats, projection: Floats, offset: Floats) -> Floats:
    """Features [n, n_features] as points [n, n_dims]: whole numbers from -127 to 127."""
    points: Floats = np.clip(np.rint(features @ projection + offset), -127, 127)
    return points


def with_one(points: Floats) -> Floats:
    """Points with a last coordinate of 1, which picks up the last row of `search_matrix`."""
    return np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1)


def search_matrix(codebook: NDArray[np.int8]) -> Floats:
    """A matrix whose product with points is largest at the nearest centroid: x·c - |c|²/2, float32 [n_dims + 1, size].

    All terms are halves of integers below 2^22, hence exact, and so are their sums in any order.
    """
    centroids = codebook.astype(np.float32)
    return np.ascontiguousarray(
        np.concatenate([centroids, -0.5 * np.sum(centroids**2, axis=1, keepdims=True)], axis=1).T
    )


def _heard(audio: NDArray[np.int16], overhang: int) -> NDArray[np.intp]:
    """Indices of the frames whose windows hold a sample that is not zero."""
    frames = audio.reshape(-1, HOP)
    heard: NDArray[np.bool_] = np.any(frames, axis=1)
    heard[1:] |= frames[:-1, HOP - overhang :].any(axis=1)
    heard[:-1] |= frames[1:, :overhang].any(axis=1)
    return np.flatnonzero(heard)
