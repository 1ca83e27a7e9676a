"""Mimi, Moshi's codec, by transformers: 12.5 frames per second of 24 kHz, a semantic and 31 acoustic codebooks."""

from typing import Any

from datagen.engines import lineage
from datagen.engines.speech_tokens.causal_codec import CausalCodec, Piece
from datagen.engines.speech_tokens.causal_layers import CausalTransformer, Piecewise
from datagen.engines.speech_tokens.codec_model import Family
from datagen.errors import EngineError


class Mimi(CausalCodec):
    """The speech tokenizer engine `mimi`. The first codebook is semantic; the others refine the sound.

    Moshi trains on 8 of the 32.
    """

    family = Family("mimi", "mimi", "MimiModel")
    published = "kyutai/mimi"
    weights, lineage = "CC-BY-4.0", lineage.MIMI

    def _prepared(self) -> tuple[int, int]:
        config = self._net.config
        if not (
            config.use_causal_conv and config.pad_mode in ("constant", "replicate") and config.trim_right_ratio == 1
        ):
            raise EngineError(
                f"speech tokenizer mimi: its convolutions are not causal as those of the published model: "
                f"use_causal_conv {config.use_causal_conv}, pad_mode {config.pad_mode}, trim_right_ratio "
                f"{config.trim_right_ratio}"
            )
        hop = round(config.sampling_rate / config.frame_rate)
        return hop, int(config.num_quantizers)

    def _encoder(self) -> Piece:
        encoder, transformer, downsample = _encoder_parts(self._net)
        convolutions, attention = Piecewise(encoder.layers), CausalTransformer(transformer)
        to_frames = Piecewise([downsample])

        def encode(audio: Any) -> Any:
            latents = to_frames(attention(convolutions(audio)))
            return self._net.quantizer.encode(latents, self._n_codebooks).transpose(0, 1)

        return encode

    def _decoder(self) -> Piece:
        upsample, transformer, decoder = _decoder_parts(self._net)
        from_frames, attention = Piecewise([upsample]), CausalTransformer(transformer)
        convolutions = Piecewise(decoder.layers)

        def decode(codes: Any) -> Any:
            return convolutions(attention(from_frames(self._net.quantizer.decode(codes))))

        return decode


def _encoder_parts(net: Any) -> tuple[Any, Any, Any]:
    """Convolutions, transformer and downsampling; transformers put them into one half of the model in 5.24."""
    half = net.encoder
    if hasattr(half, "encoder_seanet"):
        return half.encoder_seanet, half.encoder_transformer, half.downsample
    return half, net.encoder_transformer, net.downsample


def _decoder_parts(net: Any) -> tuple[Any, Any, Any]:
    """Upsampling, transformer and convolutions."""
    half = net.decoder
    if hasattr(half, "decoder_seanet"):
        return half.upsample, half.decoder_transformer, half.decoder_seanet
    return net.upsample, net.decoder_transformer, half
