"""Probes of codes for phones, pitch and sex: tables and least squares, fitted on one half, tried on the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_CONTEXT = 3
"""Codes on each side that the probes of context see."""
_RIDGE = 1.0


@dataclass(frozen=True)
class Coded:
    """Codes of one utterance and the truth about each."""

    codes: Ints
    phones: Ints
    """Index of the phone in the middle of each frame; 0 for a pause."""
    log_f0: Floats
    """Natural logarithm of hertz; NaN where unvoiced."""
    male: bool


def halves(utterances: Sequence[Coded]) -> tuple[list[Coded], list[Coded]]:
    """Every other utterance: to train on, and to try on."""
    return list(utterances[::2]), list(utterances[1::2])


def table(train: Sequence[Coded], n_codes: int, n_phones: int) -> Floats:
    """Share of each phone among the frames of each code, [n_codes, n_phones]; of an unseen code that of all."""
    counts = np.zeros((n_codes, n_phones))
    for one in train:
        np.add.at(counts, (one.codes, one.phones), 1)
    overall = counts.sum(axis=0) / counts.sum()
    shares: Floats = (counts + overall) / (counts.sum(axis=1, keepdims=True) + 1)
    return shares


def table_accuracy(shares: Floats, test: Sequence[Coded]) -> tuple[float, int]:
    """Share of sounding frames whose phone the table names, and their number."""
    codes, phones = (np.concatenate([getattr(one, name) for one in test]) for name in ("codes", "phones"))
    sounding = phones > 0
    return float(np.mean(shares.argmax(axis=1)[codes][sounding] == phones[sounding])), int(sounding.sum())


def around(rows: Floats, context: int = _CONTEXT) -> Floats:
    """Each row with its neighbours and a one, [n, (2 context + 1) width + 1]; beyond an end the outermost row.

    >>> around(np.array([[1.0], [2.0]]), 1).tolist()
    [[1.0, 1.0, 2.0, 1.0], [1.0, 2.0, 2.0, 1.0]]
    """
    at = np.clip(np.arange(len(rows))[:, None] + np.arange(-context, context + 1), 0, len(rows) - 1)
    return np.concatenate([rows[at].reshape(len(rows), -1), np.ones((len(rows), 1))], axis=1)


def fitted(inputs: Floats, targets: Floats) -> Floats:
    """Weights of ridge regression."""
    weights: Floats = np.linalg.solve(inputs.T @ inputs + _RIDGE * np.eye(inputs.shape[1]), inputs.T @ targets)
    return weights


def phone_errors(shares: Floats, train: Sequence[Coded], test: Sequence[Coded]) -> tuple[float, int]:
    """Phone error rate of a linear probe over the table's shares of seven codes, and the number of phones.

    Frames are labelled one by one; runs of a label are a phone, pauses are dropped.
    """
    import jiwer

    inputs = np.concatenate([around(shares[one.codes]) for one in train])
    targets = np.eye(shares.shape[1])[np.concatenate([one.phones for one in train])]
    weights = fitted(inputs, targets)
    found = [_phones((around(shares[one.codes]) @ weights).argmax(axis=1)) for one in test]
    truth = [_phones(one.phones) for one in test]
    kept = [(a, b) for a, b in zip(truth, found, strict=True) if a]
    counted = jiwer.process_words([a for a, _ in kept], [b for _, b in kept])
    return float(counted.wer), sum(len(a.split()) for a, _ in kept)


def _phones(labels: Ints) -> str:
    return " ".join(str(label) for label, _ in groupby(labels.tolist()) if label)


def f0_error(train: Sequence[Coded], test: Sequence[Coded], n_codes: int) -> tuple[float, int]:
    """Median error in semitones of F0 as a linear probe tells it from seven codes, and the number of voiced frames."""
    sums, counts = np.zeros(n_codes), np.zeros(n_codes)
    for one in train:
        voiced = ~np.isnan(one.log_f0)
        np.add.at(sums, one.codes[voiced], one.log_f0[voiced])
        np.add.at(counts, one.codes[voiced], 1)
    mean = sums.sum() / counts.sum()
    by_code = np.stack([(sums + mean) / (counts + 1) - mean, counts > 0], axis=1)

    def voiced_rows(parts: Sequence[Coded]) -> tuple[Floats, Floats]:
        rows = np.concatenate([around(by_code[one.codes]) for one in parts])
        truth = np.concatenate([one.log_f0 for one in parts])
        return rows[~np.isnan(truth)], truth[~np.isnan(truth)] - mean

    inputs, targets = voiced_rows(train)
    weights = fitted(inputs, targets)
    inputs, targets = voiced_rows(test)
    return float(12 / np.log(2) * np.median(np.abs(inputs @ weights - targets))), len(targets)


def sex_accuracy(train: Sequence[Coded], test: Sequence[Coded], n_codes: int) -> tuple[float, int]:
    """Share of utterances whose speaker's sex is told from how often they use each code (naive Bayes)."""
    counts = np.full((2, n_codes), 0.5)
    for one in train:
        counts[int(one.male)] += np.bincount(one.codes, minlength=n_codes)
    log_odds = np.diff(np.log(counts / counts.sum(axis=1, keepdims=True)), axis=0)[0]
    right = [(log_odds[one.codes].sum() > 0) == one.male for one in test]
    return float(np.mean(right)), len(right)


def equal_share(pairs: Sequence[tuple[Ints, Ints, Ints]]) -> tuple[float, int]:
    """Share of equal codes among frames that sound, of pairs of codes with the phones of their frames; their number."""
    equal = np.concatenate([(a == b)[phones > 0] for a, b, phones in pairs])
    return float(equal.mean()), len(equal)


def perplexity(codes: Ints, n_codes: int) -> tuple[float, int]:
    """Number of codes that would be as surprising if all were used alike, and the number that occur.

    >>> perplexity(np.array([0, 1, 2, 3]), 8)
    (4.0, 4)
    """
    share = np.bincount(codes, minlength=n_codes) / len(codes)
    used = share[share > 0]
    return float(np.exp(-np.sum(used * np.log(used)))), len(used)
