"""Voice banks: recordings of speakers, for engines that imitate them."""

from datagen.engines.voices.voice_bank import Bank, Verdict, load_bank, survey, write_table
from datagen.engines.voices.voice_checks import Limits, Measures

__all__ = ["Bank", "Limits", "Measures", "Verdict", "load_bank", "survey", "write_table"]
