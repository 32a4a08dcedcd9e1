"""The ledger: what was deployed, run, finished, quarantined and served. SQLite by default, PostgreSQL by URL."""

from limner.workers.ledger.ledger import Ledger
from limner.workers.ledger.tables import Deployment, Quarantine, Run, Served, Task, TaskKey

__all__ = ["Deployment", "Ledger", "Quarantine", "Run", "Served", "Task", "TaskKey"]
