"""Recordings as they are sent to a server that imitates them."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Literal

from datagen.engines.voices.reference import ReferenceRecording
from datagen.errors import OutageError

What = Literal["data_url", "base64", "path", "transcript", "name"]
_KINDS = {"mp3": "mpeg", "opus": "ogg"}
"""Media types that are called otherwise than files."""


def as_fields(reference: ReferenceRecording, wanted: Mapping[str, What]) -> dict[str, str]:
    """Fields of a call that carry a recording; those that would be empty are left out.

    Args:
        reference: The recording.
        wanted: What each field holds.

    Raises:
        OutageError: If the recording cannot be read, or is another than when the bank was read. No dialogue is to
            blame, and those that are made already hold the one that the manifest names.
    """
    name = f"the recording {reference.path} of voice {reference.voice.name}"
    try:
        data = reference.path.read_bytes()
    except OSError as error:
        raise OutageError(f"{name} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != reference.voice.source_sha256:
        raise OutageError(f"{name} was changed during the build; put the old one back, or build anew")
    coded, kind = base64.b64encode(data).decode(), reference.path.suffix.lower()[1:]
    values: dict[What, str] = {
        "data_url": f"data:audio/{_KINDS.get(kind, kind)};base64,{coded}",
        "base64": coded,
        "path": str(reference.path.resolve()),
        "transcript": reference.transcript,
        "name": reference.voice.name,
    }
    return {field: values[what] for field, what in wanted.items() if values[what]}
