"""EnCodec by transformers: 75 frames per second of 24 kHz, up to 32 codebooks of 1,024 codes, 750 bit/s each."""

from math import prod
from typing import Any

from datagen.engines import lineage
from datagen.engines.speech_tokens.causal_codec import CausalCodec, Piece
from datagen.engines.speech_tokens.causal_layers import Piecewise
from datagen.engines.speech_tokens.codec_model import Family
from datagen.errors import EngineError

_CAUSAL = {
    "use_causal_conv": True,
    "normalize": False,
    "chunk_length_s": None,
    "norm_type": "weight_norm",
    "trim_right_ratio": 1,
    "audio_channels": 1,
}
"""Configuration of the model of 24 kHz. That of 48 kHz is stereo, levels out each second, and is not causal."""


class Encodec(CausalCodec):
    """The speech tokenizer engine `encodec`: 8 codebooks are 6 kbit/s.

    The library pads the start of a channel by reflection, so the first code depends on the first 6 frames (80 ms).
    """

    family = Family("encodec", "encodec", "EncodecModel")
    published = "facebook/encodec_24khz"
    weights, lineage = "the model card states none", lineage.ENCODEC
    pads_short = False

    def _prepared(self) -> tuple[int, int]:
        config = self._net.config
        for name, wanted in _CAUSAL.items():
            if (found := getattr(config, name)) != wanted:
                raise EngineError(
                    f"speech tokenizer encodec: {name} is {found!r}; only models like that of 24 kHz are encoded, with "
                    f"{wanted!r}"
                )
        return prod(config.upsampling_ratios), len(self._net.quantizer.layers)

    def _encoder(self) -> Piece:
        layers, quantizer = Piecewise(self._net.encoder.layers), self._net.quantizer

        def encode(audio: Any) -> Any:
            import torch

            residual, codes = layers(audio), []
            for layer in quantizer.layers[: self._n_codebooks]:  # by number; the library's own takes a bandwidth
                codes.append(layer.encode(residual))
                residual = residual - layer.decode(codes[-1])
            return torch.stack(codes, dim=1)

        return encode

    def _decoder(self) -> Piece:
        layers, quantizer = Piecewise(self._net.decoder.layers), self._net.quantizer

        def decode(codes: Any) -> Any:
            return layers(quantizer.decode(codes.transpose(0, 1)))

        return decode
