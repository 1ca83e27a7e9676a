"""The quality check of takes: does a take say its text, and does it sound like speech?

`signal` measures the audio alone, `words` compares the transcript of a recognizer with the text, `verify` holds both
against the recipe's limits.
"""
