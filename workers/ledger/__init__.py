"""The ledger: what was deployed, run, finished, quarantined and served. SQLite by default, PostgreSQL by URL."""

from limner.workers.ledger.ledger import Ledger
from limner.workers.ledger.tables import Deployment, ModelVersion, Quarantine, Run, Served, Task, TaskKey

__all__ = ["Deployment", "Ledger", "ModelVersion", "Quarantine", "Run", "Served", "Task", "TaskKey"]
