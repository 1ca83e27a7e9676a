"""Predictors that should fail on a finished build, and one that should succeed."""

from datagen.audit.audit import audit
from datagen.audit.finding import Example, Finding, Predictor, Verdict

__all__ = ["Example", "Finding", "Predictor", "Verdict", "audit"]
