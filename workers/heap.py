"""Memory that a worker process has freed stays with it for the next arrays."""

import contextlib
import ctypes
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT = 256 * 2**20  # bytes free at the top of the heap that are not given back
_ARRAYS = 32 * 2**20  # bytes; what is larger the kernel gives and takes one by one, as glibc has it


@cache
def keep_freed() -> None:
    """Once a process; nothing happens where the C library is not glibc.

    By itself glibc gives the memory of most arrays back at once: the kernel clears the same pages again and again.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _ARRAYS)
        library.mallopt(_TRIM_THRESHOLD, _KEPT)
