"""What other processes do in the tests of the ledger; a spawned process must be able to import it."""

import time
from multiprocessing.synchronize import Barrier, Event

from limner.workers.ledger import Ledger, TaskKey


def start_and_sleep(url: str, started: Event) -> None:
    """Start a run and never finish it."""
    Ledger(url).start_run("materialize", [])
    started.set()
    time.sleep(600)


def write_tasks(url: str, shard: int, start: Barrier) -> None:
    """Open the ledger at the same moment as others do, and record 30 tasks."""
    start.wait(60)
    ledger = Ledger(url)
    for number in range(30):
        ledger.record_task("run", TaskKey("v", "f", number, number + 1, shard), "i", 1, 0.1, None)
