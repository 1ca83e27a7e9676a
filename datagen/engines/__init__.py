"""Engines: what turns text into speech, speech into codes, text into ids, and what makes noise."""
