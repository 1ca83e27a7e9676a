"""Scores of a model on the rows of a build."""
