"""Stages: one verb per file, each a callable from a batch to a batch of the same length and order."""
