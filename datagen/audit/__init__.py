"""Predictors that should fail, and one that should succeed, on a finished build: does a row teach what is true?"""

from datagen.audit.finding import Example, Finding, Predictor, Verdict
from datagen.audit.run import audit

__all__ = ["Example", "Finding", "Predictor", "Verdict", "audit"]
