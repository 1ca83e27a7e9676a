"""The process of a worker: its kind of processor, its handling of freed memory, and a cheap start."""

import ctypes
import gc
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pyarrow as pa
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


@contextmanager
def loading() -> Iterator[None]:
    """Collect no garbage while modules and tables are loaded, nearly all of which stays: a sixth of that time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def do_without_pandas() -> None:
    """Keep pyarrow from importing pandas, which it does at the first conversion of a list, and no build needs.

    Conversions to pandas import it when they are called, as ever. Only for processes of datagen's own: pyarrow then
    takes a pandas Series for any other sequence.
    """
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _Absent)
        try:
            pa.array([0])
        finally:
            sys.meta_path.remove(_Absent)


class _Absent:
    """A finder of modules that finds no pandas."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("datagen does without it", name=name)
