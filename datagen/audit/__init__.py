"""Predictors that should fail, and one that should succeed, on a finished build: does a row teach what is true?"""

from datagen.audit.audit import audit
from datagen.audit.finding import Example, Finding, Predictor, Verdict

__all__ = ["Example", "Finding", "Predictor", "Verdict", "audit"]
