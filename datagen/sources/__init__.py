"""Files and Hugging Face data sets to dialogues, one record at a time.

    for item in read(["chat.jsonl.gz", "hf:org/name"], limit=1000): ...

Every record becomes one `Dialogue` or one `Reject`, in order, numbered over all inputs. Records are
independent of each other, except for their ids. Formats are in `inputs`, shapes in `shapes`. Rules:

- Instructions of the system or developer are dropped, because nobody says them.
- A record with a tool call or a tool's answer is the reject `tool_turns`: the reply rests on
  unspoken text.
- Space around a turn and empty turns are dropped.
- Consecutive turns of one role become one, joined by a newline: a space would run two sentences
  together where the first has no full stop, and paragraphs of one turn are separated by newlines
  anyway.
- The assistant's turns before the user's first are dropped, because a dialogue opens with the user.
- The user's last turn is dropped if it has no answer: there is nothing in it to learn.
- A dialogue has at least one user's turn with an answer, else it is the reject `no_turns`.
- Names of roles are those of `shapes.ROLES`; another name is the reject `unknown_role`.
- Records of the shape `turns` may have marks, scores and origins (`source_marks`); elsewhere such
  fields are ignored.
- Text is data: markup, special tokens and control characters stay for later stages to judge.

Ids: the record's own `id`, `conversation_id`, `dialogue_id` or `uuid`, else
`<stem>-<record in the file>`, where the stem is the file's name without suffix (`train~2` for the
second `train`). Only dialogues take ids, so a rejected record does not block a later one with its
id. A second record with an id in one file is the reject `duplicate_id`; in a later file its id
becomes `<stem>:<id>`.

Reasons of rejects: not_an_object broken_json invalid_unicode too_deep bad_number bad_value
record_too_large unknown_shape bad_turns bad_text not_text unknown_role too_many_speakers tool_turns
no_turns bad_id duplicate_id bad_language bad_mark bad_scores bad_written_by.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import islice

from datagen.errors import SourceError
from datagen.records import Dialogue, InputFile, Reject
from datagen.sources import fields, formats, shapes
from datagen.sources.fields import UnfitError
from datagen.sources.ids import Ids
from datagen.sources.inputs import Source, fingerprint, resolve
from datagen.sources.shapes import SHAPES
from datagen.sources.source_marks import given
from datagen.sources.verified import opened, pinned

__all__ = ["MAX_RECORD_BYTES", "SHAPES", "fingerprint", "read"]

MAX_RECORD_BYTES = 1 << 20
"""Records larger than this are rejected unread, unless the caller says otherwise."""


def read(
    inputs: str | Sequence[str],
    shape: str = "auto",
    split: str = "train",
    limit: int | None = None,
    *,
    max_record_bytes: int = MAX_RECORD_BYTES,
    identity: Sequence[InputFile] | None = None,
) -> Iterator[Dialogue | Reject]:
    """Read dialogues.

    Args:
        inputs: Files, folders, their URLs (`s3://...`), `package:NAME` or
            `hf:org/name[:config][@revision]`.
        shape: One of `SHAPES`, or "auto" to detect it per record.
        split: Split of Hugging Face data sets; ignored for files.
        limit: Stop after this many records.
        max_record_bytes: Larger records are rejected without being held in memory.
        identity: The `fingerprint` of the inputs: every file that is read must still have the same
            bytes; None: not compared.

    Returns:
        One item per record, read lazily.

    Raises:
        SourceError: At once if an input does not exist or has an unknown format; during reading if
            one is unreadable or, at its end, is not as in the identity.
    """
    if shape != "auto" and shape not in SHAPES:
        raise SourceError(f"shape {shape!r} is unknown; choose one of auto, {', '.join(SHAPES)}")
    if max_record_bytes < 1:
        raise SourceError(f"max_record_bytes is {max_record_bytes}; it must be positive")
    files = resolve(inputs)
    listed = [(file, ()) for file in files] if identity is None else pinned(files, identity)
    return _read(listed, _Maker(shape), split, max_record_bytes, sys.maxsize if limit is None else limit)


def _read(
    files: Sequence[tuple[Source, Sequence[InputFile]]], maker: "_Maker", split: str, max_bytes: int, limit: int
) -> Iterator[Dialogue | Reject]:
    n_records = 0
    for file, identity in files:
        if n_records >= limit:
            return
        maker.ids.next_file(file.stem)
        with opened(file, identity) as stream:
            found = formats.records(file, stream, maker.shape, split, max_bytes)
            for in_file, raw in enumerate(islice(found, limit - n_records)):
                yield maker.make(raw, file, n_records, f"{file.stem}-{in_file}")
                n_records += 1


class _Maker:
    """Maker of the dialogue or reject of each record."""

    def __init__(self, shape: str) -> None:
        self.shape = shape
        self.ids = Ids()

    def make(self, raw: fields.Raw, file: Source, record: int, fallback_id: str) -> Dialogue | Reject:
        """The dialogue of a record, or its reject."""
        name = fallback_id
        try:
            found = _object(raw.value)
            name = fields.given_id(found) or fallback_id
            shape = shapes.detect(found) if self.shape == "auto" else self.shape
            turns = shapes.turns(found, shape)
            language = fields.language(found, shape)
            more = given(found, shape, turns)
            return Dialogue(self.ids.take(name), turns, file.name, language, record, *more)
        except UnfitError as unfit:
            return Reject(record, name, file.name, "source", unfit.reason, f"{file.name}, {raw.place}: {unfit.detail}")


def _object(value: object) -> dict[str, object]:
    """The record as an object.

    Raises:
        UnfitError: `not_an_object`, or the fault that its reader found.
    """
    if isinstance(value, UnfitError):
        raise value
    if not isinstance(value, dict):
        raise UnfitError("not_an_object", f"the record is {fields.kind_of(value)}, not an object")
    return value
