"""A style as engines take it: a factor of the pace, and an instruction in fixed words.

Nothing of a dialogue is part of an instruction: a style has values from closed sets only.
"""

from datagen.records import Emotion, Pace, Style

PACE: dict[Pace, float] = {"": 1.0, "slow": 0.85, "fast": 1.15}
"""Factors of the pace; ours. Above 1 is faster."""
_TONES: dict[Emotion, str] = {
    "happy": "a happy",
    "sad": "a sad",
    "angry": "an angry",
    "surprised": "a surprised",
    "afraid": "a fearful",
    "disgusted": "a disgusted",
    "calm": "a calm",
}


def instruction(style: Style) -> str:
    """The emotion, whisper and laughter of a style in words; empty without any.

    >>> instruction(Style("happy", "fast", laughter=True)), instruction(Style(pace="slow"))
    ('Speak in a happy tone. Laugh while speaking.', '')
    """
    emotion = f"Speak in {_TONES[style.emotion]} tone." if style.emotion else ""
    parts = emotion, "Whisper." if style.whisper else "", "Laugh while speaking." if style.laughter else ""
    return " ".join(filter(None, parts))
