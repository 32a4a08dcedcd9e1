"""The ledger's tables. Moments are UTC; intervals of a run or task are (start, end] in µs since 1970 UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, DateTime, MetaData, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlmodel import Field, SQLModel

VERSION = 1  # of these tables; a ledger of a later version is refused
Status = Literal["running", "done", "failed", "interrupted", "killed"]


@dataclass(frozen=True)
class TaskKey:
    """What a task computes: one shard of a view, of one fingerprint, over (start, end]."""

    view: str
    fingerprint: str
    start: int
    end: int
    shard: int


class Moment(TypeDecorator[datetime]):
    """A time-zone aware datetime in UTC, also where the database (SQLite) keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


class LedgerTable(SQLModel):
    """Keeps the ledger's tables apart from any others of the same process."""

    metadata = MetaData()


class Schema(LedgerTable, table=True):
    """One row: the version of the tables."""

    __tablename__ = "limner_schema"
    version: int = Field(primary_key=True)


class Deployment(LedgerTable, table=True):
    """One row per view that an apply changed. `change`: new, changed or dropped (then without a fingerprint)."""

    __tablename__ = "limner_deployment"
    id: str = Field(primary_key=True)
    view: str = Field(primary_key=True)
    change: str
    fingerprint: str | None = None
    applied_at: datetime = Field(default_factory=now, sa_type=Moment, index=True)


class Run(LedgerTable, table=True):
    """One command that computed features, and how it ended. `process` says whose it is, to notice its death."""

    __tablename__ = "limner_run"
    id: str = Field(primary_key=True)
    command: str
    views: list[str] = Field(sa_type=JSON)
    start: int | None = Field(default=None, sa_type=BigInteger)
    end: int | None = Field(default=None, sa_type=BigInteger)
    status: str = Field(default="running", index=True)
    error: str | None = None
    summary: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    started_at: datetime = Field(default_factory=now, sa_type=Moment, index=True)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)
    process: str


class Task(LedgerTable, table=True):
    """A finished task. `inputs`: fingerprint of what it read; `path`: its output, durable before this row
    was.
    """

    __tablename__ = "limner_task"
    view: str = Field(primary_key=True)
    fingerprint: str = Field(primary_key=True)
    start: int = Field(primary_key=True, sa_type=BigInteger)
    end: int = Field(primary_key=True, sa_type=BigInteger)
    shard: int = Field(primary_key=True)
    inputs: str | None = None
    run_id: str
    rows: int = Field(sa_type=BigInteger)
    seconds: float
    path: str | None = None
    recorded_at: datetime = Field(default_factory=now, sa_type=Moment)


class Quarantine(LedgerTable, table=True):
    """Rows of a source that one run could not use, by reason; the rows themselves are in the file `path`."""

    __tablename__ = "limner_quarantine"
    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(index=True)
    source: str
    reason: str
    rows: int = Field(sa_type=BigInteger)
    path: str | None = None
    recorded_at: datetime = Field(default_factory=now, sa_type=Moment)


class ModelVersion(LedgerTable, table=True):
    """A registered version of a model. `cut_off` is µs since 1970 UTC, `files` sha256 by name, `path` its folder."""

    __tablename__ = "limner_model_version"
    model: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    definition: str
    cut_off: int = Field(sa_type=BigInteger)
    data: str
    metrics: dict[str, float] = Field(default_factory=dict, sa_type=JSON)
    files: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    path: str
    run_id: str | None = None
    created_at: datetime = Field(default_factory=now, sa_type=Moment)


class Served(LedgerTable, table=True):
    """The fingerprint each view serves, and since when."""

    __tablename__ = "limner_served"
    view: str = Field(primary_key=True)
    fingerprint: str
    run_id: str | None = None
    served_at: datetime = Field(default_factory=now, sa_type=Moment)
