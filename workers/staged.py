"""The rows of one run: every source of a view read and cleaned over an interval, every text encoded."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from limner.language.features import Latest, Scored
from limner.language.windows import Window
from limner.workers import report
from limner.workers.carry.begin import ALONE, Beginning
from limner.workers.context import RunContext
from limner.workers.intervals import Interval
from limner.workers.members import MemberRequest, check_covered, stage_member
from limner.workers.plan import ViewPlan
from limner.workers.reading import Reading
from limner.workers.sources.prepare import Prepared, PrepareRequest, prepare
from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.ensure import ensure
from limner.workers.text.failures import write_failed
from limner.workers.text.learning import learned
from limner.workers.text.models import AnyEncoder
from limner.workers.text.scorers import TextScorer, scorer_name
from limner.workers.text.terms import TermsModel
from limner.workers.windows.compute import arrow_type
from limner.workers.windows.derived import breaks
from limner.workers.windows.ranges import stretches
from limner.workers.windows.timeline import tick_at_or_before

NEVER = -(2**62)  # µs, before any instant


@dataclass(frozen=True)
class Staged:
    """What was read, by source, and how many texts could not be encoded."""

    requests: Mapping[str, PrepareRequest]
    prepared: Mapping[str, Prepared]
    texts_failed: int

    @property
    def differs(self) -> str:
        """Why a source may not be what the run saw whose sums were handed on: then nothing was staged. "": it is."""
        return next((each.differs for each in self.prepared.values() if each.differs), "")

    @property
    def shards(self) -> int:
        """Number of shards, the same for every source: an entity is in one of them."""
        return len(next(iter(self.prepared.values())).shards)

    def summary(self) -> dict[str, object]:
        """Numbers for the ledger. Reasons of several sources name their source."""
        return {
            "rows_read": sum(each.rows_read for each in self.prepared.values()),
            "rows_kept": sum(each.rows_kept for each in self.prepared.values()),
            "dropped": self._counts(lambda each: each.dropped),
            "quarantined": self._counts(lambda each: each.quarantined),
            "unmatched": self._counts(lambda each: each.unmatched),
            "texts_failed": self.texts_failed,
        }

    def _counts(self, of: Callable[[Prepared], Mapping[str, int]]) -> dict[str, int]:
        if len(self.prepared) == 1:
            return dict(of(next(iter(self.prepared.values()))))
        return {f"{source}: {key}": n for source, each in self.prepared.items() for key, n in of(each).items()}


def stage_rows(
    plan: ViewPlan,
    interval: Interval,
    stage: Path,
    context: RunContext,
    beginning: Beginning = ALONE,
    *,
    tell: bool = True,
    since: int | None = None,
) -> Staged:
    """Read and clean each source below the folder `stage`, and see to it that every text has its vector.

    Of models of texts these are the vectors of versions that speak somewhere in the interval, or at or after `since`
    (µs) where values of before the interval are computed, too. With `tell` false nobody is told of rows in quarantine:
    they are read once more for another run to report. Raises LimnerError if a source or the encoder fails.
    """
    if plan.members:
        return Staged({}, _histories(plan, interval, stage, context), texts_failed=0)
    requests = {
        each.source: _request(plan, each, interval, stage / each.source, context, beginning) for each in plan.readings
    }
    # One at a time: each takes the memory it may, and all cores.
    found = dict(context.workers.map(_prepare, requests.items(), in_flight=1))
    prepared = {source: found[source] for source in requests}
    if any(each.differs for each in prepared.values()):
        return Staged(requests, prepared, texts_failed=0)
    for source, each in prepared.items() if tell else ():
        _tell(plan, source, each, context)
    base = tick_at_or_before(plan.view.grid, interval.start)
    speak = _speaking(plan, base if since is None else min(since, base), interval.end)
    return Staged(requests, prepared, _encode(plan, prepared, requests, context, speak))


def _histories(plan: ViewPlan, interval: Interval, stage: Path, context: RunContext) -> dict[str, Prepared]:
    """The rows of the members' histories. LimnerError where one does not cover the interval."""
    check_covered(plan.members, plan.name, plan.view.grid, interval.start, interval.end)
    until = {member.view: interval.end for member in plan.members}
    return stage_members(plan, interval.start, until, stage, context)


def stage_members(
    plan: ViewPlan, start: int, until: Mapping[str, int], stage: Path, context: RunContext
) -> dict[str, Prepared]:
    """The rows of the members' histories that hold at `start` (µs), or come after it, by member up to `until`."""
    keys = plan.specs.entities[plan.view.entity].join_keys
    requests = [
        MemberRequest(
            member=member,
            join_keys={key: keys[key] for key in plan.join_keys},
            columns=taken_of(plan, member.view),
            base=tick_at_or_before(plan.view.grid, start),
            until=until[member.view],
            shards=context.shards,
            stage=stage / member.view,
            memory_limit=context.memory_limit,
        )
        for member in plan.members
    ]
    return dict(context.workers.map(_stage_member, requests, in_flight=1))


def taken_of(plan: ViewPlan, member: str) -> dict[str, pa.DataType]:
    """The outputs that a view takes of a member, and their types."""
    return {
        each.feature.latest: arrow_type(each)
        for each in plan.computed
        if each.source == member and isinstance(each.feature, Latest)
    }


def _stage_member(request: MemberRequest) -> tuple[str, Prepared]:
    return request.member.view, stage_member(request)


def _prepare(asked: tuple[str, PrepareRequest]) -> tuple[str, Prepared]:
    source, request = asked
    return source, prepare(request)


def _request(
    plan: ViewPlan, reading: Reading, interval: Interval, stage: Path, context: RunContext, beginning: Beginning
) -> PrepareRequest:
    base = tick_at_or_before(plan.view.grid, interval.start)
    stage.mkdir(parents=True, exist_ok=True)
    # The values at the beginning need every entity ever seen, however long ago; later values only what can
    # still be in a window.
    # Where a fit begins to hold, all values may change.
    handed = beginning.handed
    whole = (
        interval.base
        or reading.reach is None
        or any(base < each <= interval.end for each in breaks(plan.view.grid, plan.computed))
    )
    lower = None if whole or reading.reach is None else base - reading.reach
    apart = stretches(windows_of(plan, reading.source), base, interval.end) if handed is not None else None
    if apart is not None:
        lower = min((low for low, _ in apart), default=interval.end)
    return PrepareRequest(
        specs=plan.specs,
        source=reading.source,
        join_keys=plan.join_keys,
        columns=reading.columns,
        raw=plan.raw,
        texts={column: text for column, (text, _) in reading.texts.items()},
        measures=reading.measures,
        lower=lower,
        # Rows that are bad are counted once: at the beginning all of them are new.
        known_after=NEVER if interval.base else base,
        until=interval.end,
        total_order=reading.order_matters,
        shards=context.shards,
        root=plan.root,
        stage=stage,
        run_id=context.run_id,
        memory_limit=context.memory_limit,
        data=plan.data,
        stretches=apart,
        before=handed.seen[reading.source] if handed is not None else None,
        keep_at=tick_at_or_before(plan.view.grid, interval.end) if beginning.keep else None,
    )


def windows_of(plan: ViewPlan, source: str) -> set[Window]:
    """The windows through which a view looks at the rows of a source."""
    return {
        window for output in plan.computed if output.source == source for window in output.feature.looks(output.window)
    }


def _tell(plan: ViewPlan, source: str, prepared: Prepared, context: RunContext) -> None:
    context.reporter(
        report.RowsPrepared(
            plan.name,
            source,
            prepared.rows_read,
            prepared.rows_kept,
            dict(prepared.dropped),
            dict(prepared.quarantined),
        )
    )
    for reason, count in prepared.quarantined.items():
        path = str(prepared.quarantine_file) if prepared.quarantine_file else None
        context.ledger.quarantine(context.run_id, source, reason, count, path)


def _speaking(plan: ViewPlan, begin: int, end: int) -> set[str]:
    """The versions that values at instants of [begin, end] (µs) ask, as they are called among encoders."""
    asked = (output.feature for output in plan.computed if isinstance(output.feature, Scored))
    return {scorer_name(each.model, pin.version) for each in asked for pin in each.speaking(begin, end)}


def _encode(
    plan: ViewPlan,
    prepared: Mapping[str, Prepared],
    requests: Mapping[str, PrepareRequest],
    context: RunContext,
    speak: Collection[str],
) -> int:
    """Make sure that every text has a vector, or is on record as failed; returns how many failed.

    Of versions of models, only those that `speak` are asked.
    """
    failed = 0
    for name, model in plan.encoders.items():
        if isinstance(model, TextScorer) and name not in speak:
            continue
        files = {
            each.source: [
                prepared[each.source].texts[column]
                for column, (_, used) in each.texts.items()
                if used == name or _alike(plan.encoders[used], model)
            ]
            for each in plan.readings
        }
        every = [file for some in files.values() for file in some]
        if not every:
            continue  # only its tokens are counted
        request = next(iter(requests.values()))
        if isinstance(model, TermsModel) and not learned(model, request, plan.data, context.workers):
            continue  # it learns later than this run ends: until then there are no vectors
        cache = EmbeddingCache(plan.data / "embeddings", model)
        encode = context.encode_with(model)
        result = ensure(every, cache, encode, context.workers, context.reporter, memory_limit=context.memory_limit)
        failed += len(result.failed)
        for source, some in files.items():
            if result.failed and some:
                _set_aside(plan, source, name, some, result.failed, context)
    return failed


def _alike(used: AnyEncoder, model: AnyEncoder) -> bool:
    """Whether both are versions of one model that reads texts: all of them read the same."""
    if not isinstance(used, TextScorer) or not isinstance(model, TextScorer):
        return False
    return used.base is None and used.model == model.model


def _set_aside(
    plan: ViewPlan, source: str, encoder: str, files: list[Path], failed: Mapping[bytes, str], context: RunContext
) -> None:
    path = plan.data / "quarantine" / source / f"{context.run_id}-{plan.name}-{encoder}-texts.parquet"
    for reason, count in Counter(write_failed(path, files, failed)).items():
        context.ledger.quarantine(context.run_id, source, f"text not encoded: {reason}", count, str(path))
