"""Sums over all units of a check: a byte for each record, and about 70 bytes for each dialogue."""

import hashlib

import numpy as np

from datagen.run.check.faults import Faults
from datagen.shards.markers import Tally


class Sums:
    """Sums over the units found so far."""

    def __init__(self, n_records: int) -> None:
        """Nothing yet, of an input of `n_records` records."""
        self.tally = Tally()
        self.is_complete = True
        """False if a unit could not be counted."""
        self.records = np.zeros(n_records, np.uint8)
        """Occurrences of each record, at most 255."""
        self.strangers: set[int] = set()
        """Records that are not in the input."""
        self.dialogues: set[bytes] = set()
        """Hashes of the ids found; 64 bits make the chance of a clash in a million 1 in 37 million."""
        self.speakers: dict[str, set[str]] = {}
        """Splits in which each speaker of the user is heard, or each voice, if the build keeps only voices apart."""

    def record(self, index: int) -> None:
        """Count a record found in conversations or rejects."""
        if not 0 <= index < len(self.records):
            self.strangers.add(index)
        elif self.records[index] < 255:
            self.records[index] += 1

    def unknown(self, begin: int, end: int) -> None:
        """Miss none of these records: the files that should have them are damaged."""
        np.maximum(self.records[begin:end], 1, out=self.records[begin:end])

    def again(self, dialogue_id: str) -> bool:
        """Count a conversation; True if its dialogue was counted before."""
        mark = hashlib.blake2b(dialogue_id.encode(), digest_size=8).digest()
        if mark in self.dialogues:
            return True
        self.dialogues.add(mark)
        return False

    def check_records(self, faults: Faults) -> None:
        """Report records that are lost, doubled or strange."""
        for record in np.flatnonzero(self.records != 1).tolist():
            count = self.records[record]
            faults.add(f"record {record} of the input: {count} times in conversations and rejects, must be once")
        faults.add(*(f"record {record} is not in the input" for record in sorted(self.strangers)))

    def check_speakers(self, faults: Faults) -> None:
        """Report speakers of the user who are heard in several splits."""
        several = ((speaker, sorted(found)) for speaker, found in sorted(self.speakers.items()) if len(found) > 1)
        faults.add(*(f"user voice {speaker!r} is in splits {found}" for speaker, found in several))
