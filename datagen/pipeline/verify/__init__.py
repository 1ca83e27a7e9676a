"""The gate for bad speech: is a take what was asked for, and does it sound like speech?

`signal` measures the audio alone, `words` compares what a recognizer hears with what was to be said, `gate` holds both
against the recipe's limits.
"""
