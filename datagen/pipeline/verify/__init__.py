"""The quality check of takes: does a take say its text, and does it sound like speech?

`signal` measures the audio, `words` compares the transcript of a recognizer with the text, and
`verify` compares both with the recipe's limits.
"""
