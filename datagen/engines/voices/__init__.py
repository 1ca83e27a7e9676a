"""Voice banks: recordings of speakers, for engines that imitate them."""

from datagen.engines.voices.voice_bank import Bank, Verdict, load_bank, survey, write_table
from datagen.engines.voices.voice_checks import Measures, RecordingLimits

__all__ = ["Bank", "Measures", "RecordingLimits", "Verdict", "load_bank", "survey", "write_table"]
