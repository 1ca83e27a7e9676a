"""Statistics of tokens: which codes are used how often, and how long and how full the rows of each task are."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROW_COLUMNS = ["loss_mask", "n_tokens", "n_text_tokens", "n_late_text_tokens", "n_pad_tokens"]
"""Columns of a table of rows that `TaskSums.add` needs."""


@dataclass
class CodeUse:
    """Which codes a channel's stream is made of."""

    counts: NDArray[np.int64]
    """int64 [codebook_size]: frames by code, as a model reads them; frames of `<|speech_silence|>` have none."""
    silence_code: int
    special_silence: bool
    """Whether frames without speech carry `<|speech_silence|>` instead of a code."""
    n_frames: int = 0
    n_quiet_frames: int = 0
    """Frames that no utterance of the channel touches."""

    def add(self, codes: NDArray[np.uint16], speaks: NDArray[np.bool_]) -> None:
        """Count the stream of a conversation: uint16 [n_frames], and bool [n_frames], where its speaker is heard."""
        self.n_frames += len(codes)
        self.n_quiet_frames += len(codes) - int(np.count_nonzero(speaks))
        read = codes[speaks] if self.special_silence else codes
        self.counts += np.bincount(read, minlength=len(self.counts))

    def figures(self) -> dict[str, Any]:
        """Counts and shares as plain values; shares are None where there is nothing to measure."""
        n = int(self.counts.sum())
        shares = self.counts[self.counts > 0] / max(n, 1)
        entropy_bits = float(-(shares * np.log2(shares)).sum())
        top = int(np.argmax(self.counts))
        return {
            "n_frames": self.n_frames,
            "n_codes": n,
            "codebook_size": len(self.counts),
            "n_used": int(np.count_nonzero(self.counts)),
            "used_share": float(np.count_nonzero(self.counts) / len(self.counts)),
            "entropy_bits": entropy_bits if n else None,
            "perplexity": 2**entropy_bits if n else None,
            "top_code": top if n else None,
            "top_share": float(self.counts[top] / n) if n else None,
            "silence_code_share": float(self.counts[self.silence_code] / n) if n else None,
            "quiet_share": self.n_quiet_frames / self.n_frames if self.n_frames else None,
            "special_silence": self.special_silence,
        }


@dataclass
class TaskSums:
    """Sums over the rows of a task."""

    n_rows: int = 0
    n_tokens: int = 0
    n_learned: int = 0
    n_text_tokens: int = 0
    n_late_text_tokens: int = 0
    n_late_rows: int = 0
    n_pad_tokens: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    """Rows by their tokens."""

    def add(self, table: Any) -> None:
        """Count the rows of a pyarrow table that has ROW_COLUMNS."""
        names = ("n_tokens", "n_text_tokens", "n_late_text_tokens", "n_pad_tokens")
        n_tokens, n_text, n_late, n_pad = (table.column(name).to_numpy() for name in names)
        self.n_rows += table.num_rows
        self.n_tokens += int(n_tokens.sum())
        self.n_learned += sum(chunk.flatten().true_count for chunk in table.column("loss_mask").chunks)
        self.n_text_tokens += int(n_text.sum())
        self.n_late_text_tokens += int(n_late.sum())
        self.n_late_rows += int(np.count_nonzero(n_late))
        self.n_pad_tokens += int(n_pad.sum())
        self.lengths.update(n_tokens.tolist())

    def figures(self) -> dict[str, Any]:
        """Counts and shares as plain values; shares are None where there is nothing to measure."""
        values, counts = (np.array(column) for column in zip(*sorted(self.lengths.items()), strict=True))
        middle, late = (values[np.searchsorted(np.cumsum(counts), share * self.n_rows)] for share in (0.5, 0.95))
        return {
            "n_rows": self.n_rows,
            "n_tokens": self.n_tokens,
            "shortest": int(values[0]),
            "median": int(middle),
            "p95": int(late),
            "longest": int(values[-1]),
            "mean": self.n_tokens / self.n_rows,
            "learned_share": self.n_learned / self.n_tokens,
            "text_share": self.n_text_tokens / self.n_tokens,
            "pad_share": self.n_pad_tokens / self.n_tokens,
            "late_share": self.n_late_text_tokens / self.n_text_tokens if self.n_text_tokens else None,
            "late_rows_share": self.n_late_rows / self.n_rows,
        }
