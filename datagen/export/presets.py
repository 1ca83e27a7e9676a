"""Conventions by consumer: the format and values that it needs, and what it assumes in return."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datagen.errors import DatagenError
from datagen.export.formats.base import FORMATS
from datagen.suggest import did_you_mean


@dataclass(frozen=True)
class Preset:
    """The needs of a consumer, as read in its code."""

    format: str
    values: Mapping[str, Any] = field(default_factory=dict)
    assumes: tuple[str, ...] = ()
    """Settings that the consumer's own configuration must have."""


PRESETS: dict[str, Preset] = {
    "nemo": Preset(
        "shar",
        {"user_rate_hz": 16_000, "assistant_rate_hz": 22_050},
        (
            "data.source_sample_rate 16000 and data.target_sample_rate 22050; with other rates export again with "
            "--rate, because NeMo does not resample target_audio",
            "data.input_roles [user] and data.output_roles [agent]",
            "shar_path with the fields cuts, recording and target_audio",
        ),
    ),
    "nemo-speech": Preset(
        "shar",
        {
            "user_rate_hz": 16_000,
            "assistant_rate_hz": 22_050,
            "user_name": "User",
            "assistant_name": "Assistant",
            "marks_ms": 80,
        },
        (
            "data.source_sample_rate 16000 and data.target_sample_rate 22050, as for nemo",
            "data.input_roles [User] and data.output_roles [Assistant], the names that aug_by_swap_role knows",
            "data.frame_length 0.08; model.predict_user_text true to use the times of the user's words",
        ),
    ),
    "moshi-finetune": Preset(
        "moshi",
        {"user_rate_hz": 24_000, "assistant_rate_hz": 24_000},
        (
            "data.train_data is the folder of one split; it reads every .jsonl below it",
            "keep_and_shift is off: a word that does not fit its frames is dropped, as counted",
        ),
    ),
    "ms-swift": Preset(
        "chat",
        {"user_rate_hz": 16_000, "assistant_rate_hz": 16_000, "kinds": {"backchannel": "drop", "attempt": "drop"}},
        ("swift sft --dataset FILE, started in the folder of the split, because paths are relative",),
    ),
    "megatron": Preset("megatron", {}, ("--data-path PREFIX without .bin; the loss mask is the data set PREFIX-mask",)),
    "trl": Preset(
        "preference",
        {},
        (
            "DPOTrainer tokenizes texts, so its _prepare_dataset returns the data set unchanged (docs/exports.md)",
            "max_length is at least the flatten.max_tokens of the build, or None",
        ),
    ),
    "full-duplex-bench": Preset(
        "full-duplex-bench",
        {"codec": "wav", "user_rate_hz": 16_000, "assistant_rate_hz": 16_000},
        ("outputs are written beside each input.wav as output.wav, with its words in output.json",),
    ),
}
"""By name of the consumer."""


def preset_of(name: str) -> Preset:
    """The preset of a consumer.

    Raises:
        DatagenError: If there is none.
    """
    if name not in PRESETS:
        hint = f"; it is a format: --format {name};" if name in FORMATS else did_you_mean(name, PRESETS) or ";"
        raise DatagenError(f"there is no consumer {name!r}{hint} consumers: {', '.join(PRESETS)}")
    return PRESETS[name]
