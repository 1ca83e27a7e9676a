"""Recordings of two people: sound files, their transcripts, and the conversations planned from them."""
