"""Memory that tables may take while they are read, from the limit of a record.

Parquet and Arrow are decoded by pages and batches of many records, so a limit of one record is no
limit of memory. Ordinary writers must stay readable: DuckDB writes pages of 100 MB, `datasets`
batches of 1000 rows.
"""

_LEAST = 16 << 20
_USUAL = 128 << 20
_RECORDS, _LARGE_RECORDS = 128, 8


class TooLargeError(OSError):
    """A batch or page that takes too much memory; says how to fix it."""


def held_bytes(max_record_bytes: int) -> int:
    """Bytes of a page or batch, packed or decoded, that are held at once.

    Those of 128 records of the largest size, but at least 16 MiB, and not over 128 MiB unless eight
    records take more.

    Args:
        max_record_bytes: Limit of a record.

    >>> [held_bytes(n << 10) >> 20 for n in (1, 256, 1024, 65_536)]
    [16, 32, 128, 512]
    """
    return max(_LEAST, min(_RECORDS * max_record_bytes, _USUAL), _LARGE_RECORDS * max_record_bytes)


def needed_record_bytes(n_bytes: int) -> int:
    """The least limit of a record with which this many bytes are held at once.

    >>> needed_record_bytes(20 << 20), held_bytes(needed_record_bytes(600 << 20)) >> 20
    (163840, 600)
    """
    return -(-n_bytes // (_RECORDS if n_bytes <= _USUAL else _LARGE_RECORDS))
