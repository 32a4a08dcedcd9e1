"""What a micro-batch is to one view."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from limner.workers.windows.carried import State


@dataclass(frozen=True)
class Step:
    """A micro-batch, computed and not yet kept: the new rows by source, and the history rows that they make.

    `changes` is empty where somebody else has computed it. `sums`: of a view of sums, what the windows of the entities
    that moved hold then; None where somebody else has computed it.
    """

    until: int
    rows: Mapping[str, pa.Table]
    changes: pa.Table = field(default_factory=lambda: pa.table({}))
    sums: State | None = None
