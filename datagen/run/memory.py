"""Keep freed memory at hand instead of returning it to the system after every array."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h


def keep_freed_memory() -> None:
    """Tell glibc to reuse freed blocks of up to 1 GiB; does nothing elsewhere.

    By default arrays over 128 KiB (later 32 MiB) are mapped and unmapped anew each time, and the page faults of
    that cost more than the arithmetic of mixing (`benchmarks/stages.py`).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, 512 << 20)
        mallopt(_M_TOP_PAD, 64 << 20)
