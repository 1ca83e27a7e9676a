"""Recipes: every value of a build with its default and range, and their reading from YAML."""

from datagen.recipe.commented import commented, schema_line, with_schema_line
from datagen.recipe.extends import EXTENDS, values_of
from datagen.recipe.mapping_config import MappingConfig, RoleKind
from datagen.recipe.recipe import (
    FlattenConfig,
    InputConfig,
    LimitsConfig,
    PoolConfig,
    Recipe,
    SelectConfig,
    SpeakConfig,
    SplitsConfig,
    TakesConfig,
    VerifyConfig,
    sha256_of,
)
from datagen.recipe.recipe_files import (
    WRITE,
    explain,
    load,
    read_text,
    refuse_secrets,
    set_value,
    stored,
    validated,
)
from datagen.recipe.recordings_config import DeriveConfig, RecordingLimitsConfig, RecordingsConfig
from datagen.recipe.timing_config import TimingConfig

__all__ = [
    "EXTENDS",
    "WRITE",
    "DeriveConfig",
    "FlattenConfig",
    "InputConfig",
    "LimitsConfig",
    "MappingConfig",
    "PoolConfig",
    "Recipe",
    "RecordingLimitsConfig",
    "RecordingsConfig",
    "RoleKind",
    "SelectConfig",
    "SpeakConfig",
    "SplitsConfig",
    "TakesConfig",
    "TimingConfig",
    "VerifyConfig",
    "commented",
    "explain",
    "load",
    "read_text",
    "refuse_secrets",
    "schema_line",
    "set_value",
    "sha256_of",
    "stored",
    "validated",
    "values_of",
    "with_schema_line",
]
