"""Train the model of the embedded speech tokenizer.

    python -m tools.train_kmeans [--out FILE] ...

    sentences → every voice of hibari, clean and noisy → log-mel → projection → codebook → one npz file

Only this repository and the engine `hibari` are needed. On one machine the same command writes the same bytes.

Projection: linear discriminants. The same instant of a sentence, spoken in another voice or heard in noise, is one
class; directions in which instants differ more than voices and noises do are kept and weigh more. This spends the
codes on what is said. Codebook: mini-batch k-means, centroids rounded.
`tools/train_decoder.py` trains the decoder.
"""

import argparse
import hashlib
import io
import itertools
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.linalg
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from datagen import seeds
from datagen.engines.base import TTS, Audio, Speech
from datagen.engines.noise.noise import GeneratedNoise
from datagen.engines.speech_tokens import kmeans
from datagen.engines.speech_tokens.kmeans import BLOCK, HOP, SAMPLE_RATE_HZ, Floats, LogMel
from datagen.engines.tts.hibari import Hibari
from datagen.errors import EngineMissingError
from datagen.installed import pip_install

WINDOW = 640
N_MELS = 48
MEL_RANGE_HZ = (60.0, 8000.0)
SPEECH_DBFS = -24.0
"""Level of active speech that mixing aims at, here drawn within ±`LEVEL_SPREAD_DB`."""
LEVEL_SPREAD_DB = 3.0
FLOOR_DB = -32.0
"""Power per band, relative to that level, below which spectra look alike."""
SNR_DB = (12.0, 35.0)
N_DIMS = 40
CODEBOOK_SIZE = 4096
CLUSTER_POINTS = 120_000
NOISY_SHARE = 1 / 3
ROUNDS = 12
HEART_WEIGHT = 3
"""The assistant's voice counts this many times: it is what a model trained on the shards will say."""

Ints = NDArray[np.intp]


@dataclass(frozen=True)
class TrainingClip:
    """One sentence in one voice, whole frames."""

    heart: bool
    clean: NDArray[np.int16]
    noisy: NDArray[np.int16]
    instants: Ints
    """The instant of the sentence that each frame is, numbered over all sentences, [n_frames]."""


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description="Train the k-means speech tokenizer.")
    parser.add_argument("--out", type=Path, default=kmeans.MODEL_FILE, help="model file to write")
    parser.add_argument("--minutes", type=float, default=60.0, help="clean speech to synthesize")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sentences = kmeans.MODEL_FILE.with_name("codebook_sentences.txt").read_text("utf-8").splitlines()
    arrays = train(make_clips(Hibari(), sentences, options.minutes, options.seed), options.seed)
    write(options.out, arrays)
    say(
        f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB, "
        f"sha256 {hashlib.sha256(options.out.read_bytes()).hexdigest()[:12]}"
    )


def train(clips: Sequence[TrainingClip], seed: int) -> dict[str, NDArray[np.generic]]:
    """All arrays of a model file; `kmeans.KMeansTokenizer` reads them."""
    window, mel = hann(WINDOW), mel_weights(N_MELS, WINDOW)
    floor = 10 ** ((SPEECH_DBFS + FLOOR_DB) / 10)
    analysis = LogMel(window, mel, floor)
    features = [
        np.concatenate([log_mel(analysis, getattr(clip, kind)) for clip in clips]) for kind in ("clean", "noisy")
    ]
    instants = np.concatenate([clip.instants for clip in clips])
    heart = np.concatenate([np.full(len(clip.instants), clip.heart) for clip in clips])
    say(f"{len(heart) / 25 / 60:.0f} minutes clean, the same noisy")
    projection, offset = discriminants(np.concatenate(features), np.concatenate([instants, instants]))
    clean, noisy = (kmeans.project(part, projection, offset) for part in features)
    drawn = draw_points(clean, noisy, heart, seeds.rng(seed, "points"))
    codebook = cluster(drawn, seeds.seed32(seed, "cluster"))
    codes = np.concatenate([nearest(clean, codebook), nearest(noisy, codebook)])
    say(f"codes used: {len(np.unique(codes))}, by heart, clean: {len(np.unique(codes[: len(heart)][heart]))}")
    return {
        "format": np.array(1), "window": window, "mel": mel, "floor": np.array(floor),
        "projection": projection, "offset": offset, "codebook": codebook,
    }  # fmt: skip


def make_clips(tts: TTS, sentences: Sequence[str], minutes: float, seed: int) -> list[TrainingClip]:
    """All sentences by the default voice, then by the others in turn, until there is enough speech."""
    heart = [tts.speak(sentence, tts.voices[0], number) for number, sentence in enumerate(sentences)]
    firsts = np.cumsum([0, *(len(speech.audio) // HOP + 2 for speech in heart)])
    audios = [whole_frames(speech.audio) for speech in heart]
    instants = [align(speech, speech) + first for speech, first in zip(heart, firsts, strict=False)]
    others = tts.voices[1:]
    missing = minutes * 60 * SAMPLE_RATE_HZ - sum(map(len, audios))
    for turn, (number, sentence) in itertools.product(range(len(others)), enumerate(sentences)):
        if missing <= 0:
            break
        speech = tts.speak(sentence, others[(number + 5 * turn) % len(others)], number)
        audios.append(whole_frames(speech.audio))
        instants.append(align(speech, heart[number]) + firsts[number])
        missing -= len(audios[-1])
    say(f"{len(audios)} clips spoken")
    return list(mix(audios, instants, len(sentences), seed))


def whole_frames(audio: Audio) -> Audio:
    """Fill the last frame with silence."""
    return np.pad(audio, (0, -len(audio) % HOP))


def align(speech: Speech, heart: Speech) -> Ints:
    """For each frame of a speech the frame of the same sentence by another voice, by their word times."""
    times, heart_times = (
        np.array(
            [0, *(t for word in s.words for t in (word.start_samples, word.end_samples)), len(s.audio)], np.float64
        )
        for s in (speech, heart)
    )
    centres = (np.arange(-(-len(speech.audio) // HOP)) + 0.5) * HOP
    frames: Ints = (np.interp(centres, times, heart_times) / HOP).astype(np.intp)
    return frames


def mix(audios: Sequence[Audio], instants: Sequence[Ints], n_heart: int, seed: int) -> Iterator[TrainingClip]:
    """Set levels, and add noise to a copy of each clip; babble is five other clips at once."""
    noises = GeneratedNoise()
    kinds = (*noises.kinds(), "babble")
    for number, audio in enumerate(audios):
        rng = seeds.rng(seed, "mix", number)
        level_db = SPEECH_DBFS + rng.uniform(-LEVEL_SPREAD_DB, LEVEL_SPREAD_DB)
        clean = audio * (10 ** (level_db / 20) / active_rms(audio))
        kind = kinds[rng.integers(len(kinds))]
        if kind == "babble":
            others = [np.roll(audios[other], -7919 * k) for k, other in enumerate(rng.integers(len(audios), size=5))]
            noise = np.sum([np.resize(other, len(audio)) for other in others], axis=0)
        else:
            noise = noises.take(kind, rng, len(audio))
        gain = active_rms(clean) / np.sqrt(np.mean(noise**2)) * 10 ** (-rng.uniform(*SNR_DB) / 20)
        yield TrainingClip(number < n_heart, to_int16(clean), to_int16(clean + gain * noise), instants[number])


def active_rms(audio: Audio) -> float:
    """RMS over the 20 ms pieces within 40 dB of the loudest."""
    power = np.mean(audio[: len(audio) // 480 * 480].reshape(-1, 480) ** 2, axis=1)
    return float(np.sqrt(np.mean(power[power >= 1e-4 * power.max()])))


def to_int16(audio: Audio) -> NDArray[np.int16]:
    """Full scale is 1.0."""
    return np.clip(np.rint(audio * 32767), -32768, 32767).astype(np.int16)


def hann(width: int) -> Floats:
    """A periodic Hann window for int16 samples, such that the power of a bin is that of the (white) signal."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)
    unit: Floats = (window / np.sqrt(np.sum(window**2)) / 32768).astype(np.float32)
    return unit


def mel_weights(n_mels: int, n_fft: int) -> Floats:
    """Triangles evenly spaced in mel, each summing to 1, float32 [bins up to the top frequency, n_mels]."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in MEL_RANGE_HZ)
    edges_hz = 700 * (10 ** (np.linspace(low, high, n_mels + 2) / 2595) - 1)
    bins_hz = np.arange(int(MEL_RANGE_HZ[1] / SAMPLE_RATE_HZ * n_fft) + 2)[:, None] * SAMPLE_RATE_HZ / n_fft
    width_hz = SAMPLE_RATE_HZ / n_fft  # a narrow triangle between two bins is widened, so that none is empty
    left, centre, right = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz - centre) / np.maximum(centre - left, width_hz) + 1
    falling = (centre - bins_hz) / np.maximum(right - centre, width_hz) + 1
    weights = np.maximum(np.minimum(rising, falling), 0)
    unit: Floats = (weights / weights.sum(axis=0)).astype(np.float32)
    return unit


def log_mel(analysis: LogMel, audio: NDArray[np.int16]) -> Floats:
    """Features of a whole clip, float32 [n_frames, n_features]."""
    frames = analysis.frames(audio)
    full = np.zeros((-(-len(frames) // BLOCK) * BLOCK, *frames.shape[1:]), np.int16)
    full[: len(frames)] = frames
    return np.concatenate([analysis(part) for part in full.reshape(-1, BLOCK, *frames.shape[1:])])[: len(frames)]


def discriminants(features: Floats, instants: Ints) -> tuple[Floats, Floats]:
    """Directions that tell instants apart, and scale: projection [n_features, N_DIMS], offset [N_DIMS]."""
    mean = features.mean(axis=0)
    within = features - class_means(features, instants)
    within_cov = within.T @ within / len(within)
    within_cov += 0.02 * np.trace(within_cov) / len(within_cov) * np.eye(len(within_cov))
    total_cov = np.cov(features.T, bias=True)
    ratio, vectors = scipy.linalg.eigh(total_cov, within_cov)
    ratio, vectors = ratio[::-1][:N_DIMS], vectors[:, ::-1][:, :N_DIMS]
    say(f"total to within-instant variance: {np.round(ratio[[0, 1, 3, 7, 15, -1]], 2).tolist()}")
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(N_DIMS)])
    vectors = vectors * signs * np.sqrt(np.maximum(1 - 1 / ratio, 0.02))
    points = (features - mean) @ vectors
    vectors = vectors * 127 / np.quantile(np.abs(points), 0.9999)
    return vectors.astype(np.float32), (-mean @ vectors).astype(np.float32)


def class_means(values: Floats, classes: Ints) -> Floats:
    """For each row the mean of its class."""
    order = np.argsort(classes, kind="stable")
    _, starts, inverse, counts = np.unique(classes[order], return_index=True, return_inverse=True, return_counts=True)
    means = np.add.reduceat(values[order], starts, axis=0) / counts[:, None]
    result = np.empty_like(values)
    result[order] = means[inverse]
    return result


def draw_points(clean: Floats, noisy: Floats, heart: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Points to learn the codebook from: clean ones, the assistant's voice favoured, and noisy ones of the others."""
    n_noisy = int(CLUSTER_POINTS * NOISY_SHARE)
    weight = np.where(heart, HEART_WEIGHT, 1.0)
    from_clean = rng.choice(len(clean), CLUSTER_POINTS - n_noisy, p=weight / weight.sum())
    from_noisy = rng.choice(np.flatnonzero(~heart), n_noisy)
    return rng.permutation(np.concatenate([clean[from_clean], noisy[from_noisy]]))


def cluster(points: Floats, seed: int) -> NDArray[np.int8]:
    """K-means with whole-numbered centroids, int8 [CODEBOOK_SIZE, N_DIMS]; scikit-learn, one thread, so repeatable.

    The most frequent code is 0: small numbers compress better in a shard.

    Raises:
        EngineMissingError: If scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import MiniBatchKMeans
    except ImportError as error:
        raise EngineMissingError(f"training a codebook needs: {pip_install('codebook')}") from error
    unlike = np.random.default_rng(seed).permutation(np.unique(points, axis=0))[:CODEBOOK_SIZE]
    search = MiniBatchKMeans(
        CODEBOOK_SIZE,
        init=unlike.astype(np.float32),  # as drawn, many would be the same quiet frame
        n_init=1,
        batch_size=8192,
        max_iter=ROUNDS,
        max_no_improvement=None,
        random_state=seed,
    )
    with threadpool_limits(1):
        search.fit(points)
    centroids: NDArray[np.int8] = np.clip(np.rint(search.cluster_centers_), -127, 127).astype(np.int8)
    often = np.bincount(nearest(points, centroids), minlength=CODEBOOK_SIZE)
    return centroids[np.argsort(-often, kind="stable")]


def nearest(points: Floats, codebook: NDArray[np.int8]) -> Ints:
    """Index of the nearest centroid; exact, see `kmeans.search_matrix`."""
    search = kmeans.search_matrix(codebook)
    parts = np.array_split(points, max(1, len(points) // BLOCK))
    return np.concatenate([np.argmax(kmeans.with_one(part) @ search, axis=1) for part in parts])


def write(file: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write an npz whose bytes depend on the arrays alone (`np.savez` stores the time), whole or not at all."""
    part = file.with_name(file.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED)
    part.replace(file)


def say(message: str) -> None:
    """Tell the person at the terminal how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {message}", flush=True)


if __name__ == "__main__":
    main()
