"""Faults of a GPU, which say nothing of the piece of work under way, and the memory that engines hold there."""

import gc
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from datagen.errors import OutageError

NO_GPU = (
    "The driver (datagen build) loads every engine too, to check it: start it on a machine that has a GPU "
    "(docs/cluster.md)"
)
"""Advice if a GPU is requested and there is none."""
_SIGNS = re.compile(r"CUDA (error(?!: invalid device)|fail|out of memory)|cuBLAS|CUBLAS|cuDNN|CUDNN")
"""Messages of torch, onnxruntime and CTranslate2; a missing device is no outage."""


def outage_of(error: BaseException | None) -> OutageError | None:
    """The outage that an error, or one that it was raised from, tells of; None if the GPU is not at fault.

    Without memory, and after most errors of CUDA, nothing else can be computed in this process: were that taken for a
    fault of the text, every later dialogue would become a reject.

    >>> str(outage_of(RuntimeError("CUDA error: an illegal memory access was encountered")))[:32]
    'the GPU failed: CUDA error: an i'
    >>> outage_of(ValueError("no such word: CUDA error"))
    """
    while error is not None:
        # onnxruntime has exceptions of its own, which are no RuntimeError
        from_below = isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime")
        if from_below and (_SIGNS.search(str(error)) or type(error).__name__ == "OutOfMemoryError"):
            return OutageError(
                f"the GPU failed: {(str(error) or type(error).__name__).splitlines()[0][:200]}. Finished work is kept: "
                "run the same command again. If it ran out of memory, give the step a larger share of a GPU (`gpus` in "
                "`pools`), use fewer workers, or lower the engine's concurrency or batch_size"
            )
        error = error.__cause__
    return None


@contextmanager
def outages() -> Iterator[None]:
    """Raise an error that means an outage as one; other errors pass unchanged.

    Raises:
        OutageError: If the GPU fails within.
    """
    try:
        yield
    except Exception as error:
        if outage := outage_of(error):
            raise outage from error
        raise


def give_back() -> None:
    """Release the GPU memory of dropped engines to other processes."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
