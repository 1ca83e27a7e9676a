"""Train the decoder of the embedded speech tokenizer.

    python -m tools.train_decoder --out FILE [--steps N] ...

    takes of hibari → pairs of codes and hidden frames → network → int8 → one npz file

Needs torch (extra `train`) and pyroomacoustics (extra `rooms`). The number of steps and the seed are fixed; on one
machine the same command writes the same bytes.

The network learns hibari's hidden frames, F0, voicing and level. An error of a hidden frame counts as much as it
changes the log magnitudes that hibari's head makes of it, on the frequency scale of hearing; frames too quiet to be
heard count little. `decoder_net.DecoderNetwork` runs it.
"""

import argparse
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from datagen import seeds
from datagen.engines.speech_tokens import decoder_net
from datagen.engines.speech_tokens.decoder_net import (
    CODES_PER_CYCLE,
    FAST_AHEAD,
    FRAMES_PER_CYCLE,
    MEAN_LOG_F0,
    N_HIDDEN,
    SLOW_AHEAD,
)
from datagen.engines.speech_tokens.kmeans import KMeansTokenizer
from datagen.engines.tts import hibari_net as net
from datagen.engines.tts.renderings import Variant
from tools.train_decoder_pairs import Pair, PairMaker
from tools.train_kmeans import say, write

WIDTH, EMBEDDING = 256, 128
SLOW_BLOCKS, SLOW_INNER, SLOW_KERNEL = 5, 512, 7
FAST_BLOCKS, FAST_INNER, FAST_KERNEL = 2, 256, 5

N_TAKES, STEPS, BATCH, CROP = 4000, 16_000, 5, 125
RATE, DECAY, WARM_UP_STEPS = 1.5e-3, 0.01, 20
CONSTANT_SHARE = 0.3
"""Share of the steps after which the rate falls, in a straight line to zero."""
LATE = 9
"""Weights of step t count about (t / steps)^LATE in the average."""
TOLD_STEPS = 25
QUIET_DB, LOUD_DB, LEAST_WEIGHT = -85.0, -45.0, 0.05
"""Levels of hibari's frames below which an error counts least, and above which it counts fully."""
PART_WEIGHTS = ((net.LH, 1.0), (net.LN, 0.5), (net.LR, 0.3), (net.THETA, 0.3), (net.PHI, 0.02))
"""Weight of an error in each of the five parts of the head."""

Floats = NDArray[np.float32]
Batch = tuple[Tensor, ...]
"""Codes [batch, n], and for each frame [batch, 16 n / 5]: hidden frame, F0, level, log gain."""


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description="Train the decoder of the k-means speech tokenizer.")
    parser.add_argument("--out", type=Path, required=True, help="model file to write")
    parser.add_argument("--model", default="", help="model file of the tokenizer; by default the one in the package")
    parser.add_argument("--takes", type=int, default=N_TAKES, help="texts to synthesize")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--begin", type=Path, help="a file that this tool wrote, whose weights to begin with")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = KMeansTokenizer(options.model)
    maker = PairMaker(tokenizer, options.seed)
    pairs = [pair for number in range(options.takes) for pair in maker.pairs(number)]
    say(f"{len(pairs)} pairs, {sum(len(pair.codes) for pair in pairs) / 25 / 3600:.2f} hours")
    write(options.out, train(pairs, tokenizer, options.steps, options.seed, options.begin))
    digest = hashlib.sha256(options.out.read_bytes()).hexdigest()[:12]
    say(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB, sha256 {digest}")


def train(
    pairs: Sequence[Pair], tokenizer: KMeansTokenizer, steps: int, seed: int, begin: Path | None = None
) -> dict[str, NDArray[np.generic]]:
    """All arrays of a decoder's file."""
    torch.manual_seed(seed)
    root = metric(net.HibariNetwork())
    network = Network(tokenizer.codebook_size)
    with torch.no_grad():
        network.table.weight.copy_(torch.from_numpy(first_table(pairs, tokenizer, root)))
    if begin:
        with np.load(begin, allow_pickle=False) as file:
            network.load_state_dict(state_of(network, {name: file[name] for name in file.files}))
    fit(network, batches(pairs, seed), torch.from_numpy(root), steps)
    return {"decodes": np.array(tokenizer.info.version), **arrays_of(network)}


class Block(nn.Module):
    """A depthwise convolution and two layers, added to what goes in: [batch, WIDTH, n]."""

    def __init__(self, inner: int, kernel: int, ahead: int) -> None:
        super().__init__()
        self.pads = (kernel - 1 - ahead, ahead)
        self.depthwise = nn.Conv1d(WIDTH, WIDTH, kernel, groups=WIDTH)
        self.first, self.second = nn.Conv1d(WIDTH, inner, 1), nn.Conv1d(inner, WIDTH, 1)
        self.second.weight.data *= 0.3

    def forward(self, x: Tensor) -> Tensor:
        """[batch, WIDTH, n] in and out."""
        y = normalized(self.depthwise(functional.pad(x, self.pads)))
        out: Tensor = x + self.second(torch.relu(self.first(y)))
        return out


def normalized(x: Tensor) -> Tensor:
    """Root mean square 1 over channels, [batch, channels, n]."""
    return x * torch.rsqrt(torch.mean(x * x, dim=1, keepdim=True) + decoder_net.EPSILON)


class Network(nn.Module):
    """Codes [batch, n], n a multiple of 5, to [batch, 256 + 3, 16 n / 5]: hidden frame, log F0, voicing, log gain."""

    def __init__(self, n_codes: int) -> None:
        super().__init__()
        self.table = nn.Embedding(n_codes, EMBEDDING)
        self.enter = nn.Conv1d(EMBEDDING, WIDTH, 1)
        self.slow = nn.ModuleList(Block(SLOW_INNER, SLOW_KERNEL, SLOW_AHEAD) for _ in range(SLOW_BLOCKS))
        self.phase = nn.Parameter(0.1 * torch.randn(WIDTH, FRAMES_PER_CYCLE))
        self.fast = nn.ModuleList(Block(FAST_INNER, FAST_KERNEL, FAST_AHEAD) for _ in range(FAST_BLOCKS))
        self.leave = nn.Conv1d(WIDTH, N_HIDDEN + 3, 1)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes int64 [batch, n] to float32 [batch, N_HIDDEN + 3, 16 n / 5]."""
        x = self.enter(self.table(codes).transpose(1, 2))
        for block in self.slow:
            x = block(x)
        n_codes = codes.shape[1]
        at, share = decoder_net.places(0, n_codes * FRAMES_PER_CYCLE // CODES_PER_CYCLE)
        before, after = (torch.from_numpy(np.clip(at + k, 0, n_codes - 1)) for k in (0, 1))
        weight = torch.from_numpy(share)
        x = x[:, :, before] * (1 - weight) + x[:, :, after] * weight
        x = x + self.phase.repeat(1, n_codes // CODES_PER_CYCLE)
        for block in self.fast:
            x = block(x)
        out: Tensor = self.leave(normalized(x))
        return out


def metric(network: net.HibariNetwork) -> Floats:
    """Root of the matrix that measures errors of hidden frames by the log magnitudes they cause, [256, 256]."""
    probes = np.concatenate([np.zeros((1, N_HIDDEN)), np.eye(N_HIDDEN)])[None].astype(np.float32)
    answers = network.head(probes, Variant()).astype(np.float64)
    weight = answers[1:] - answers[0]
    mel = 1 / (700 + np.arange(net.N_BINS) * net.SAMPLE_RATE_HZ / net.N_FFT)
    total = sum(share * (weight[:, part] * mel) @ weight[:, part].T for part, share in PART_WEIGHTS)
    total = total * (N_HIDDEN / np.trace(total)) + 0.05 * np.eye(N_HIDDEN)
    values, vectors = np.linalg.eigh(total)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    return root


def first_table(pairs: Sequence[Pair], tokenizer: KMeansTokenizer, root: Floats) -> Floats:
    """Embedding to begin with: centroids, and principal components of the mean hidden frame of each code."""
    n_codes, centroids = tokenizer.codebook_size, tokenizer.centroids
    sums, counts = np.zeros((n_codes, N_HIDDEN)), np.zeros((n_codes, 1))
    for pair in pairs:
        middle = pair.frames[np.minimum(np.arange(len(pair.codes)) * 16 // 5 + 1, len(pair.frames) - 1)]
        np.add.at(sums, pair.codes, pair.hidden[middle].astype(np.float32) @ root)
        np.add.at(counts, pair.codes, 1)
    means = (sums + 2 * sums.sum(axis=0) / counts.sum()) / (counts + 2)
    left, singular, _ = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    n_means = EMBEDDING - centroids.shape[1]
    parts = [part / part.std() for part in (centroids, left[:, :n_means] * singular[:n_means])]
    return np.concatenate(parts, axis=1).astype(np.float32)


def batches(pairs: Sequence[Pair], seed: int) -> Iterator[Batch]:
    """Stretches of `CROP` codes out of pairs laid end to end, in another order each round."""
    round_ = 0
    while True:
        order = seeds.rng(seed, "order", round_).permutation(len(pairs))
        held: list[tuple[NDArray[np.generic], ...]] = []
        n_held = 0
        for pair in (pairs[k] for k in order):
            held.append(_columns(pair))
            n_held += len(held[-1][0])
            if n_held >= BATCH * CROP:
                columns = [np.concatenate(column) for column in zip(*held, strict=True)]
                n_frames = BATCH * CROP * FRAMES_PER_CYCLE // CODES_PER_CYCLE
                codes, frames = columns[0][: BATCH * CROP].astype(np.int64), [c[:n_frames] for c in columns[1:]]
                parts: list[NDArray[Any]] = [codes, *(part.astype(np.float32) for part in frames)]
                yield tuple(torch.from_numpy(part.reshape(BATCH, -1, *part.shape[1:])) for part in parts)
                held, n_held = [], 0
        round_ += 1


def _columns(pair: Pair) -> tuple[NDArray[np.generic], ...]:
    """Of a pair, cut to whole cycles, what a `Batch` has."""
    n_codes = len(pair.codes) // CODES_PER_CYCLE * CODES_PER_CYCLE
    at = pair.frames[: n_codes * FRAMES_PER_CYCLE // CODES_PER_CYCLE]
    level = pair.level_db[at]
    return pair.codes[:n_codes], pair.hidden[at], pair.f0[at], level, np.full(len(at), pair.log_gain)


def losses(out: Tensor, batch: Batch, root: Tensor) -> dict[str, Tensor]:
    """Weighted losses of a batch by name."""
    _, hidden, f0, level, gain = batch
    weight = ((level - QUIET_DB) / (LOUD_DB - QUIET_DB)).clamp(LEAST_WEIGHT, 1)
    error = (out[:, :N_HIDDEN].transpose(1, 2) - hidden) @ root
    voiced, loud = (f0 > 0).float(), (level > LOUD_DB).float()
    off = (out[:, N_HIDDEN] + MEAN_LOG_F0 - torch.log(f0.clamp(min=40))).abs()
    return {
        "hidden": ((error**2).mean(2) * weight).sum() / weight.sum(),
        "pitch": 4 * (off * voiced * loud).sum() / (voiced * loud).sum(),
        "voicing": 0.3 * functional.binary_cross_entropy_with_logits(out[:, N_HIDDEN + 1], voiced),
        "gain": 0.2 * ((out[:, N_HIDDEN + 2] - gain).abs() * loud).sum() / loud.sum(),
    }


def rate(step: int, steps: int) -> float:
    """Share of the full rate at a step.

    >>> [rate(step, 100) for step in (0, 19, 59, 80)]  # doctest: +ELLIPSIS
    [0.05, 1.0, 0.585..., 0.285...]
    """
    return min(1.0, (step + 1) / WARM_UP_STEPS, (steps - step) / ((1 - CONSTANT_SHARE) * steps))


def fit(network: Network, data: Iterator[Batch], root: Tensor, steps: int) -> None:
    """Adam at a rate that falls in the end, and the average of all weights passed, the later ones favoured."""
    weights = [p for p in network.parameters() if p.dim() > 1]
    biases = [p for p in network.parameters() if p.dim() <= 1]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps))
    averages = [p.detach().clone() for p in network.parameters()]
    sums: dict[str, float] = {}
    begin, every = time.process_time(), min(TOLD_STEPS, steps)
    for step, batch in zip(range(1, steps + 1), data, strict=False):
        parts = losses(network(batch[0]), batch, root)
        optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        for average, parameter in zip(averages, network.parameters(), strict=True):
            average.lerp_(parameter.detach(), (LATE + 1) / (step + LATE))
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / every
        if step % every == 0:
            told = ", ".join(f"{name} {value:.4f}" for name, value in sums.items())
            say(f"step {step}: {told}; {time.process_time() - begin:.0f} s of CPU")
            sums = {}
    with torch.no_grad():
        for average, parameter in zip(averages, network.parameters(), strict=True):
            parameter.copy_(average)


def arrays_of(network: Network) -> dict[str, NDArray[np.generic]]:
    """Weights as `decoder_net.DecoderNetwork` reads them: int8 with a scale per output, the rest float32."""
    found: dict[str, NDArray[np.generic]] = {"format": np.array(decoder_net.FORMAT)}
    for name, tensor in network.state_dict().items():
        values = tensor.numpy().astype(np.float32)
        values = values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values
        if values.ndim != 2 or name == "phase":
            found[name] = values[:, 0].T if values.ndim == 3 else values.T if name == "phase" else values
            continue
        axis = 0 if name == "table.weight" else 1
        scale = np.abs(values).max(axis=axis, keepdims=True) / 127 + 1e-12
        stored, scale = np.rint(values / scale).astype(np.int8), scale.astype(np.float32)
        found[name], found[f"{name}.scale"] = (stored, scale) if axis == 0 else (stored.T, scale.T)
    return found


def state_of(network: Network, arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, Tensor]:
    """The weights in what `arrays_of` returned, up to rounding."""
    state = {}
    for name, tensor in network.state_dict().items():
        values = arrays[name].astype(np.float32)
        if f"{name}.scale" in arrays:
            values = values * arrays[f"{name}.scale"].astype(np.float32)
        values = values.T if values.ndim == 2 and name != "table.weight" else values
        if tensor.ndim == 3:
            values = values[:, None] if tensor.shape[1] == 1 else values[:, :, None]
        state[name] = torch.from_numpy(np.ascontiguousarray(values))
    return state


if __name__ == "__main__":
    main()
