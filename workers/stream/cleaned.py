"""Events of a micro-batch, cleaned for a view as a run cleans the source's files."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from limner.workers.plan import ViewPlan
from limner.workers.sources.at_once import AtOnce, Clean, looked_up
from limner.workers.sources.inputs import inputs_fingerprint
from limner.workers.sources.prepare import PrepareRequest, prepare
from limner.workers.sources.rows import Lasting
from limner.workers.sources.scan import EVER
from limner.workers.staged import NEVER


@dataclass
class _Known:
    """How the events of a source are cleaned for a view. `seen`: the files that were looked up in, as they were."""

    request: PrepareRequest
    fits: bool
    others: tuple[str, ...]
    seen: str | None = None
    statement: AtOnce | None = None
    session: Lasting | None = None


class Cleaner:
    """Cleans for any view, in database sessions that last."""

    def __init__(self, folder: Path, memory_limit: str) -> None:
        """Scratch files are in `folder`."""
        self._folder, self._memory_limit = folder, memory_limit
        self._stage = folder / "clean"
        self._lasting = Lasting(folder, memory_limit)
        self._known: dict[tuple[str, str, str], _Known] = {}

    def close(self) -> None:
        """Close the sessions."""
        self._lasting.close()
        for known in self._known.values():
            if known.session is not None:
                known.session.close()

    def clean(self, plan: ViewPlan, source: str, file: Path) -> Clean:
        """The rows of a view that a file of JSON Lines has: the one file there is of this source.

        What is looked up is as it is now. LimnerError where something cannot be read.
        """
        key = (plan.name, plan.fingerprint, source)
        if key not in self._known:
            request = _request(plan, source, file, self._stage)
            self._known[key] = _Known(request, AtOnce.fits(request), looked_up(request))
        known = self._known[key]
        return self._statement(known, _id(plan, source)).run() if known.fits else self._prepared(plan, source, file)

    def _statement(self, known: _Known, told: str) -> AtOnce:
        """The statement; a new one where files that are looked up are not what they were."""
        request = known.request
        seen = inputs_fingerprint(request.specs, known.others, request.root)
        if known.statement is None or seen != known.seen:
            known.statement = None
            if known.session is not None:
                known.session.close()
                known.session = None
            if known.others:
                known.session = Lasting(self._folder, self._memory_limit)
            known.statement = AtOnce(request, known.session or self._lasting, told)
            known.seen = seen
        return known.statement

    def _prepared(self, plan: ViewPlan, source: str, file: Path) -> Clean:
        """The same by way of files."""
        shutil.rmtree(self._stage, ignore_errors=True)
        self._stage.mkdir()
        prepared = prepare(_request(plan, source, file, self._stage), self._lasting)
        quarantined: list[tuple[str, str]] = []
        if prepared.quarantine_file is not None:
            name = _id(plan, source)
            column = f"raw.{name}" if name in ("reason", "source") else name
            set_aside = pq.read_table(prepared.quarantine_file).to_pylist()
            # rows of what is looked up are no events
            quarantined = [(str(row[column]), row["reason"]) for row in set_aside if row["source"] == source]
        texts = {column: pq.read_table(file).to_pylist() for column, file in prepared.texts.items()}
        return Clean(
            rows=pq.read_table(prepared.shards[0]),
            texts={column: {row["digest"]: row["text"] for row in rows} for column, rows in texts.items()},
            quarantined=quarantined,
        )


def _id(plan: ViewPlan, source: str) -> str:
    stream = plan.specs.sources[source].stream
    assert stream is not None
    return stream.id


def _request(plan: ViewPlan, source: str, file: Path, stage: Path) -> PrepareRequest:
    reading = next(each for each in plan.readings if each.source == source)
    spec = plan.specs.sources[source].model_copy(update={"path": str(file)})
    return PrepareRequest(
        specs=replace(plan.specs, sources={**plan.specs.sources, source: spec}),
        source=source,
        join_keys=plan.join_keys,
        columns=reading.columns,
        raw=plan.raw,
        texts={column: text for column, (text, _) in reading.texts.items()},
        measures=reading.measures,
        lower=None,
        known_after=NEVER,
        until=EVER,
        total_order=reading.order_matters,
        shards=1,
        root=plan.root,
        stage=stage,
        run_id="events",
        data=stage,
        threads=1,
    )
