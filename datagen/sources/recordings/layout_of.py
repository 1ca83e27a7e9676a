"""The layout of a folder of recordings, found by the names of its files."""

import os
import re
from pathlib import Path

from datagen.recipe.recordings_config import SINGLE, RecordingsConfig

WENETSPEECH_JSON = "WenetSpeech.json"
LIBRISPEECH_TEXT = re.compile(r"(?P<speaker>\d+)-(?P<chapter>\d+)\.trans\.txt")
"""Name of a transcript of LibriSpeech."""
_MOST_FOLDERS = 1000
"""A corpus shows its layout earlier; other folders are not searched to their end."""


def resolved(config: RecordingsConfig) -> RecordingsConfig:
    """The section with its layout, if that is to be found."""
    if config.layout != "auto":
        return config
    if config.manifest:
        return config.model_copy(update={"layout": "lhotse"})
    own = config.names or config.transcripts or config.speakers
    found = "" if own else single_layout(Path(config.path).expanduser())
    return config.model_copy(update={"layout": found or "stereo"})


def is_single(config: RecordingsConfig) -> bool:
    """True for a corpus of single speakers."""
    return resolved(config).layout in SINGLE


def single_layout(folder: Path) -> str:
    """`librispeech` or `wenetspeech` if a folder has the layout of one; else empty."""
    if (folder / WENETSPEECH_JSON).is_file():
        return "wenetspeech"
    return "librispeech" if _has_transcript(folder) else ""


def _has_transcript(folder: Path) -> bool:
    """True if a transcript of LibriSpeech is below a folder; looks into the deepest folders first."""
    left = [folder]
    for _ in range(_MOST_FOLDERS):
        if not left:
            break
        below = []
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        below.append(Path(entry.path))
                    elif LIBRISPEECH_TEXT.fullmatch(entry.name):
                        return True
        except OSError:  # the reader says it
            continue
        left += sorted(below, reverse=True)
    return False
