"""The kind of processor a worker runs on, as far as it can decide the last bits of a result."""

import platform
from functools import cache

from threadpoolctl import threadpool_info


@cache
def processor() -> str:
    """Instruction set, and the family whose kernels numpy's BLAS has chosen, such as `x86_64 SkylakeX`.

    Numeric libraries choose their kernels by the same features of a processor (AVX2, AVX-512, ...), and a sum of floats
    differs in its last bit between kernels, not between two processors that run the same one.
    """
    families = {str(library["architecture"]) for library in threadpool_info() if library.get("architecture")}
    return " ".join([platform.machine(), *sorted(families)])
