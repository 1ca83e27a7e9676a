"""The check of a finished output: finds lost, doubled, foreign, damaged or inconsistent data in any of its files."""

from datagen.run.check.output import Report, check

__all__ = ["Report", "check"]
