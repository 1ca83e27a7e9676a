"""Files and Hugging Face data sets to dialogues, one record at a time.

    for item in read(["chat.jsonl.gz", "hf:org/name"], limit=1000): ...

Every record becomes one `Dialogue` or one `Reject`, in order, numbered over all inputs. Records are
independent of each other, except for their ids. Formats are in `inputs`, shapes in `mappings`, the
rules of turns in `shapes`:

- Instructions of the system or developer are no turns; `Dialogue.system` keeps them.
- A tool call, a tool's answer or an image ends the dialogue before it, because the reply rests on
  what nobody said: `Dialogue.cut` says why. Tools before the first spoken answer are left out; a
  record without such an answer is the reject `tool_turns`. If calls are kept, one that has a result
  and an answer is part of the assistant's turn (`Turn.calls`), and only others end the dialogue.
- Space around a turn and empty turns are dropped.
- Consecutive turns of one role become one, joined by a newline: a space would run two sentences
  together where the first has no full stop, and paragraphs of one turn are separated by newlines
  anyway.
- The assistant's turns before the user's first are dropped, because a dialogue opens with the user.
- The user's last turn is dropped if it has no answer: there is nothing in it to learn.
- A dialogue has at least one user's turn with an answer, else it is the reject `no_turns`.
- Role labels inside a text, such as `Human: ... Assistant: ...`, split it into turns; if they do not
  alternate, the record is the reject `role_labels`.
- Names of roles are those of `mappings/words.yaml` and `roles`; another is the reject `unknown_role`.
- A record that several mappings read differently is the reject `ambiguous_shape`; one whose label is
  false, `undesirable`.
- Records of the shape `turns` may have marks, scores and origins (`source_marks`); elsewhere such
  fields are ignored.
- Text is data: markup, special tokens and control characters stay for later stages to judge.

Ids: the record's own `id`, `conversation_id`, `dialogue_id` or `uuid`, if usable, else
`<stem>-<record in the file>`, where the stem is the file's name without suffix (`train~2` for the
second `train`). Only dialogues take ids, so a rejected record does not block a later one with its
id. A second record with an id in one file is the reject `duplicate_id`; in a later file its id
becomes `<stem>:<id>`.

Reasons of rejects: not_an_object broken_json invalid_unicode too_deep bad_number bad_value
record_too_large unknown_shape ambiguous_shape bad_turns bad_text not_text unknown_role
too_many_speakers role_labels tool_turns no_turns undesirable duplicate_id bad_mark bad_scores
bad_styles bad_written_by. Notices, which cost no dialogue: bad_id bad_language bad_system.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from datagen.errors import SourceError, refuse
from datagen.recipe.mapping_config import MappingConfig, RoleKind
from datagen.records import Dialogue, InputFile, Reject
from datagen.sources import fields, formats
from datagen.sources.fields import UnfitError
from datagen.sources.ids import Ids
from datagen.sources.inputs import Faults, Source, fingerprint, resolve
from datagen.sources.mappings import several
from datagen.sources.mappings.paths import first
from datagen.sources.mappings.table import key_of
from datagen.sources.shapes import SHAPES, Shapes
from datagen.sources.source_marks import given
from datagen.sources.verified import opened, pinned

__all__ = ["MAX_RECORD_BYTES", "SHAPES", "Maker", "fingerprint", "read", "read_one"]

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
    mapping: MappingConfig | None = None,
    roles: Mapping[str, RoleKind] | None = None,
    keep_calls: bool = False,
) -> Iterator[Dialogue | Reject]:
    """Read dialogues.

    Args:
        inputs: Files, folders, their URLs (`s3://...`), `package:NAME` or
            `hf:org/name[:config][@revision]`.
        shape: One of `SHAPES` or another name of one, or "auto" to detect it per record.
        split: Split of Hugging Face data sets; ignored for files.
        limit: Stop after this many records.
        max_record_bytes: Larger records are rejected without being held in memory.
        identity: The `fingerprint` of the inputs: every file that is read must still have the same
            bytes; None: not compared.
        mapping: The shape of all records, instead of a known one.
        roles: Roles by names, in addition to the known ones; compared without case.
        keep_calls: True to keep calls of tools in turns, instead of ending dialogues before them.

    Returns:
        One item per record, read lazily.

    Raises:
        SourceError: At once if an input does not exist or has an unknown format; at the end if one is
            unreadable or is not as in the identity, and then lists all of them; or if all are empty.
    """
    key = key_of(shape, mapping)
    if max_record_bytes < 1:
        raise SourceError(f"max_record_bytes is {max_record_bytes}; it must be positive")
    files = resolve(inputs)
    listed = [(file, ()) for file in files] if identity is None else pinned(files, identity)
    return _read(
        listed, Maker(Shapes(key, roles, keep_calls)), split, max_record_bytes, sys.maxsize if limit is None else limit
    )


def _read(
    files: Sequence[tuple[Source, Sequence[InputFile]]], maker: "Maker", split: str, max_bytes: int, limit: int
) -> Iterator[Dialogue | Reject]:
    n_records, faults = 0, Faults()
    for file, identity in files:
        if n_records >= limit:
            break
        with faults.gathered():
            for item in read_one(file, maker, split, max_bytes, limit - n_records, n_records, identity):
                n_records += 1
                if not faults.found:  # from the first fault on, the rest is only tried
                    yield item
    refuse(faults.found)
    if not n_records and limit:
        raise SourceError(f"{files[0][0].place} and all other inputs contain no records; add some")


def read_one(
    file: Source,
    maker: "Maker",
    split: str,
    max_bytes: int,
    limit: int,
    first_record: int = 0,
    identity: Sequence[InputFile] = (),
) -> Iterator[Dialogue | Reject]:
    """Read the dialogues of one file; see `read`.

    Args:
        file: The file.
        maker: The maker of all dialogues of an input; its `shape` is that of the last dialogue.
        split: Split of a Hugging Face data set.
        max_bytes: Limit of a record.
        limit: Stop after this many records.
        first_record: Number of records before this file.
        identity: Its fingerprint; empty: not compared.
    """
    maker.ids.next_file(file.stem)
    with opened(file, identity) as stream:
        key = maker.shapes.key
        found = several.records(formats.records(file, stream, key, split, max_bytes), key, max_bytes)
        for in_file, raw in enumerate(islice(found, limit)):
            yield maker.make(raw, file, first_record + in_file, f"{file.stem}-{in_file}")


class Maker:
    """Maker of the dialogue or reject of each record."""

    def __init__(self, shapes: Shapes) -> None:
        """Prepare to read with these shapes."""
        self.shapes = shapes
        self.ids = Ids()
        self.shape = ""
        """Shape of the last dialogue."""

    def make(self, raw: fields.Raw, file: Source, record: int, fallback_id: str) -> Dialogue | Reject:
        """The dialogue of a record, or its reject."""
        name = fallback_id
        try:
            found = _object(raw.value)
            given_id, bad_id = fields.given_id(found)
            name = given_id or fallback_id
            self.shape, read = self.shapes.read(found)
            m = self.shapes.mapping(self.shape)
            if m.id != fields.ID_KEYS:
                given_id, bad_id = fields.given_id(found, m.id)
                name = given_id or fallback_id
            path, said_language = first(found, m.language) or ("", None)
            language, bad_language = fields.language(said_language, path)
            marks, judged, written_by, turns = given(found, self.shape, read.turns)
            notices = read.notices
            if bad_id or bad_language:
                faults = (("bad_id", bad_id), ("bad_language", bad_language))
                notices = (*(f"{reason}: {fault}" for reason, fault in faults if fault), *notices)
            return Dialogue(
                self.ids.take(name), turns, file.name, language, record, marks, judged, written_by,
                system=read.system, cut=read.cut, notices=notices,
            )  # fmt: skip
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
