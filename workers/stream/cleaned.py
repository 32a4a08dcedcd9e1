"""Events of a micro-batch, cleaned for a view as a run cleans the source's files."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from limner.workers.plan import ViewPlan
from limner.workers.sources.at_once import AtOnce, Clean
from limner.workers.sources.prepare import PrepareRequest, prepare
from limner.workers.sources.rows import Lasting
from limner.workers.sources.scan import EVER
from limner.workers.staged import NEVER


class Cleaner:
    """Cleans for any view, in one database session."""

    def __init__(self, folder: Path, memory_limit: str) -> None:
        """Scratch files are in `folder`."""
        self._stage = folder / "clean"
        self._lasting = Lasting(folder, memory_limit)
        self._known: dict[tuple[str, str, str], AtOnce | None] = {}

    def close(self) -> None:
        """Close the session."""
        self._lasting.close()

    def clean(self, plan: ViewPlan, source: str, file: Path) -> Clean:
        """The rows of a view that a file of JSON Lines has: the one file there is of this source.

        LimnerError where it cannot be read.
        """
        key = (plan.name, plan.fingerprint, source)
        if key not in self._known:
            request = _request(plan, source, file, self._stage)
            self._known[key] = AtOnce(request, self._lasting, _id(plan, source)) if AtOnce.fits(request) else None
        known = self._known[key]
        return self._prepared(plan, source, file) if known is None else known.run()

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
