"""Tokens back to sound, as a model gets to hear them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datagen.shards.chunks import speaks

if TYPE_CHECKING:
    from datagen.inspect.conversation import StoredConversation


def decoded(talk: "StoredConversation", role: str, frames: slice) -> NDArray[np.float32]:
    """Frames of a channel as a model gets to hear them: nothing where it reads a silence token instead of a code."""
    manifest, tokenizer = talk.output.manifest, talk.output.speech_tokenizer
    hop_samples = tokenizer.sample_rate_hz // tokenizer.frame_rate_hz
    codes = {"user": talk.streams.user_codes, "assistant": talk.streams.assistant_codes}[role][frames]
    if getattr(manifest.silence, role) != "special":
        return tokenizer.decode(codes)
    audio = np.zeros(len(codes) * hop_samples, np.float32)
    for run in runs(speaks(talk.streams, role, manifest.clock.hop_samples)[frames]):
        audio[run.start * hop_samples : run.stop * hop_samples] = tokenizer.decode(codes[run])
    return audio


def runs(mask: NDArray[np.bool_]) -> list[slice]:
    """Where a mask is true.

    >>> runs(np.array([True, True, False, True]))
    [slice(0, 2, None), slice(3, 4, None)]
    """
    edges = np.flatnonzero(np.diff(np.r_[0, mask.astype(np.int8), 0]))
    return [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
