"""The most memory that this process and all it starts hold together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def peak_memory(every: float = 0.25) -> Iterator[list[int]]:
    """Yield a list whose only item is the peak so far in bytes (PSS: shared pages are counted once)."""
    import psutil

    peak = [0]
    stop = threading.Event()
    this = psutil.Process()

    def watch() -> None:
        while not stop.wait(every):
            total = 0
            for process in [this, *this.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
