"""Dialogue of a recording → Timeline: its sound, words, utterances and events; the steps select to place in one.

read.py      the stage
sound.py     both channels of a stretch of a recording, at the conversation's rate
transcript.py  words of a transcript as they are said
speech.py    speech of each speaker: from words with times, an aligner, or a recognizer
derive.py    utterances and events from the times of speech
checks.py    level, clipping, silence, overlap and cross-talk
"""
