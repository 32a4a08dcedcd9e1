"""History rows that a stream worker has computed, and that are not in the history yet."""

import pyarrow as pa

from limner.workers.plan import ViewPlan
from limner.workers.stream.state import FILE, State


def unwritten(plan: ViewPlan) -> list[pa.Table]:
    """Those of a view, oldest first; none where no worker has followed it."""
    if not (plan.data / FILE).exists():
        return []
    state = State(plan.data)
    try:
        return [rows for _, rows in state.changes(plan.name, plan.fingerprint)]
    finally:
        state.close()
