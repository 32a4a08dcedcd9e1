"""How long the scan-and-window stage of one view takes: told by the events that a run reports anyway."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from limner.workers import report


@dataclass
class Stage:
    """From a view's start to its last shard on disk."""

    began: float = 0.0
    ended: float = 0.0
    prepared: float = 0.0
    rows_read: int = 0
    history_rows: int = 0

    @property
    def seconds(self) -> float:
        """The whole stage."""
        return self.ended - self.began

    @property
    def scan(self) -> float:
        """Its first part: reading, cleaning, sharding and sorting."""
        return self.prepared - self.began

    def hear(self, event: report.Event) -> None:
        """Listen to a run."""
        now = time.perf_counter()
        match event:
            case report.ViewStarted():
                self.began = now
            case report.RowsPrepared(rows_read=rows):
                self.prepared = now
                self.rows_read += rows
            case report.ShardDone():
                self.ended = now
            case report.ViewDone(history_rows=rows):
                self.history_rows = rows


@contextmanager
def staged() -> Iterator[Stage]:
    """Listen to the one view that is materialized within a `with` block."""
    stage = Stage()
    with report.reporting_to(stage.hear):
        yield stage
