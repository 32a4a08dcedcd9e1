"""Reading and writing the ledger. Every write is one short transaction; no password is ever stored."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from limner.language.errors import LimnerError
from limner.workers.environment import mask
from limner.workers.ledger.connection import connect
from limner.workers.ledger.process import is_dead, this_process
from limner.workers.ledger.tables import (
    Deployment,
    ModelVersion,
    Quarantine,
    Run,
    Served,
    Status,
    Task,
    TaskKey,
    now,
)


class Ledger:
    """The ledger at a SQLAlchemy `url`; its tables are made on first use. Safe to use from several processes.

    Any failure of the database is a LimnerError that names the ledger without its password.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = connect(url)

    def start_run(self, command: str, views: Sequence[str], start: int | None = None, end: int | None = None) -> str:
        """Record that a run over (start, end] (µs) begins; return its id. Runs found dead are marked killed."""
        run = Run(
            id=uuid.uuid4().hex,
            command=mask(command),
            views=list(views),
            start=start,
            end=end,
            process=this_process(),
        )
        with self._session() as session:
            _bury(session)
            session.add(run)
            return run.id

    def finish_run(
        self, run_id: str, status: Status, error: str | None = None, summary: Mapping[str, Any] | None = None
    ) -> None:
        """Record how a run ended. `summary` holds JSON values."""
        with self._session() as session:
            run = session.get(Run, run_id)
            if run is None:
                raise LimnerError(f"the ledger has no run {run_id!r}")
            run.status = status
            run.error = mask(error) if error is not None else None
            run.summary = _masked(dict(summary or {}))
            run.finished_at = now()
            session.add(run)

    def runs(self, limit: int = 20) -> list[Run]:
        """Return the newest runs, newest first."""
        with self._session() as session:
            _bury(session)
            return list(session.exec(select(Run).order_by(col(Run.started_at).desc()).limit(limit)))

    def task_done(self, key: TaskKey, inputs: str | None) -> bool:
        """Whether the task is finished for just these inputs; for unknown inputs (None) nothing can be."""
        if inputs is None:
            return False
        with self._session() as session:
            task = session.get(Task, (key.view, key.fingerprint, key.start, key.end, key.shard))
            return task is not None and task.inputs == inputs

    def record_task(
        self, run_id: str, key: TaskKey, inputs: str | None, rows: int, seconds: float, path: str | None
    ) -> None:
        """Record a finished task; its output must be durably in place. Recording it again replaces the row."""
        task = Task(**asdict(key), run_id=run_id, inputs=inputs, rows=rows, seconds=seconds, path=path)
        with self._session() as session:
            session.merge(task)

    def quarantine(self, run_id: str, source: str, reason: str, rows: int, path: str | None) -> None:
        """Record that a run could not use `rows` rows of a source for one reason."""
        row = Quarantine(run_id=run_id, source=source, reason=mask(reason), rows=rows, path=path)
        with self._session() as session:
            session.add(row)

    def quarantined(self, run_id: str) -> list[Quarantine]:
        """Return what a run quarantined."""
        with self._session() as session:
            return list(session.exec(select(Quarantine).where(Quarantine.run_id == run_id)))

    def deploy(self, changes: Iterable[tuple[str, str, str | None]]) -> str:
        """Record an apply: (view, `new`/`changed`/`dropped`, fingerprint) of each view it changed; return its
        id.
        """
        deployment = uuid.uuid4().hex
        with self._session() as session:
            for view, change, fingerprint in changes:
                session.add(Deployment(id=deployment, view=view, change=change, fingerprint=fingerprint))
        return deployment

    def deployments(self, limit: int = 20) -> list[Deployment]:
        """Return the newest changes of views, newest first."""
        with self._session() as session:
            newest = select(Deployment).order_by(col(Deployment.applied_at).desc(), col(Deployment.view))
            return list(session.exec(newest.limit(limit)))

    def serve(self, view: str, fingerprint: str, run_id: str | None = None) -> None:
        """Record that `view` now serves `fingerprint`."""
        with self._session() as session:
            session.merge(Served(view=view, fingerprint=fingerprint, run_id=run_id))

    def served(self) -> dict[str, str]:
        """Return the fingerprint each view serves."""
        with self._session() as session:
            return {row.view: row.fingerprint for row in session.exec(select(Served))}

    def register(self, version: ModelVersion) -> None:
        """Record a version of a model whose files are in place; one that is on record stays as it is."""
        with self._session() as session:
            if session.get(ModelVersion, (version.model, version.version)) is None:
                session.add(version)

    def versions(self, model: str | None = None) -> list[ModelVersion]:
        """Return the registered versions of a model (of all models), by rising cut-off."""
        query = select(ModelVersion).order_by(col(ModelVersion.model), col(ModelVersion.cut_off))
        with self._session() as session:
            return list(session.exec(query if model is None else query.where(ModelVersion.model == model)))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        try:
            with Session(self._engine, expire_on_commit=False) as session:
                yield session
                session.commit()
        except SQLAlchemyError as error:
            reason = mask(str(getattr(error, "orig", None) or error))
            raise LimnerError(
                f"the ledger {mask(self._url)} failed: {reason}; check the database, "
                "and `ledger` under batch_engine in feature_store.yaml"
            ) from error


def _bury(session: Session) -> None:
    """Mark runs killed whose process has ended without a word."""
    for run in session.exec(select(Run).where(Run.status == "running")):
        if is_dead(run.process):
            run.status = "killed"
            session.add(run)


def _masked(value: Any) -> Any:
    match value:
        case str():
            return mask(value)
        case dict():
            return {str(key): _masked(item) for key, item in value.items()}
        case list() | tuple():
            return [_masked(item) for item in value]
        case _:
            return value
