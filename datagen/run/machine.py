"""The machine of a worker: its kind of processor, and its handling of freed memory."""

import ctypes
import platform
import sys
from functools import cache

from threadpoolctl import threadpool_info

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h


@cache
def processor() -> str:
    """Instruction set and kernel family chosen by numpy's BLAS, such as `x86_64 SkylakeX`.

    Numeric libraries choose their kernels by the same processor features (AVX2, AVX-512, ...). The
    last bit of a float sum may differ between kernels, but not between processors with the same
    kernel.
    """
    families = {str(library["architecture"]) for library in threadpool_info() if library.get("architecture")}
    return " ".join([platform.machine(), *sorted(families)])


def keep_freed_memory() -> None:
    """Tell glibc to reuse freed blocks of up to 1 GiB; does nothing elsewhere.

    By default arrays over 128 KiB (later 32 MiB) are mapped and unmapped anew each time, and the
    page faults of that cost more than the arithmetic of mixing (`benchmarks/stages.py`).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, 512 << 20)
        mallopt(_M_TOP_PAD, 64 << 20)
