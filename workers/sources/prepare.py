"""From a source to sorted shards of clean rows, in bounded memory: read, clean, look up, write texts, sort, shard."""

from pathlib import Path

from limner.language.errors import LimnerError
from limner.language.scope import ALIASES, Scope, scope
from limner.workers.sources.digests import Texts
from limner.workers.sources.duck import working
from limner.workers.sources.evidence import Evidence, Rows
from limner.workers.sources.identity import count_strangers, identity_of
from limner.workers.sources.load import Loaded, Tally
from limner.workers.sources.lookup import Enrichment, Join
from limner.workers.sources.request import Prepared, PrepareRequest
from limner.workers.sources.rows import Lasting, load_rows, needed, workbench
from limner.workers.sources.scan import Bounds
from limner.workers.sources.seen import seen_before
from limner.workers.sources.staging import count_unmatched, output_of, write_quarantine, write_shard
from limner.workers.sources.witness import look, older_rows, rows_in
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import literal, quoted

__all__ = ["PrepareRequest", "Prepared", "prepare", "seen_before"]


def prepare(request: PrepareRequest, lasting: Lasting | None = None) -> Prepared:
    """Read, clean and stage the rows of one source, perhaps on a connection that is there.

    Raises LimnerError where it cannot be read.
    """
    with workbench(request) if lasting is None else lasting.within() as (bench, work):
        seen, differs = look(request, bench, work) if request.keep_at is not None else (None, "")
        if differs:
            return Prepared(shards=(), texts={}, rows_read=0, rows_kept=0, differs=differs)
        tally = Tally()
        bounds = request.bounds
        columns = scope(request.specs, request.source, request.raw)
        rows = load_rows(request, bench, work, bounds, columns, tally, only=_only(request))
        with working(request.source, "joining, sorting and staging its rows"):
            joins = joins_of(request, bench, work, bounds, columns, tally)
            count_unmatched(bench, joins, tally)
            identity = identity_of(request)
            if identity is not None:
                count_strangers(identity, bench, "__rows", tally)
            output = output_of(request, columns, rows, joins)
            texts = Texts(request, bench)
            shards = [write_shard(request, bench, rows, output, texts, number) for number in range(request.shards)]
            text_files = texts.write()
            file = write_quarantine(request, bench, tally)
            older: Rows | None = None
            known: tuple[Path, ...] = ()
            if seen is not None and request.lower is not None and request.before is None:
                older, known = older_rows(request, bench, work)
            if seen is not None:
                seen = _counted(request, bench, rows, seen, older)
        return Prepared(
            shards=tuple(path for path, _ in shards),
            texts=text_files,
            rows_read=tally.read,
            rows_kept=sum(count for _, count in shards),
            dropped=tally.dropped,
            quarantined=tally.quarantined,
            quarantine_file=file,
            unmatched=tally.unmatched,
            files_read=tally.files_read,
            files_left=tally.files_left,
            seen=seen,
            known=known,
        )


def _only(request: PrepareRequest) -> str:
    if identity_of(request) is not None:
        return ""
    same = (f"{quoted(key)} = {each if isinstance(each, int) else literal(each)}" for key, each in request.only.items())
    return " AND ".join(same)


def _counted(request: PrepareRequest, bench: Workbench, rows: Loaded, seen: Evidence, older: Rows | None) -> Evidence:
    """What was seen, as of `request.keep_at`, with its rows; without them where duplicates were dropped."""
    assert request.keep_at is not None
    before, found = request.before, None
    earlier = older if before is None else before.rows
    if not request.specs.sources[request.source].clean.drop_duplicates:
        after = "" if before is None else f" AND __known > {before.at}"
        found = rows_in(bench, rows.table, rows.columns, f"__known <= {request.keep_at}{after}")
        if earlier is not None and earlier.by == found.by:
            found += earlier
        elif before is not None:
            found = None
    return seen.model_copy(update={"at": request.keep_at, "rows": found})


def joins_of(
    request: PrepareRequest, bench: Workbench, work: Path, bounds: Bounds, columns: Scope, tally: Tally
) -> list[Join]:
    """Load the dimensions that bring a needed column, each into a table. LimnerError where none brings it."""
    missing = sorted(needed(request) - columns.own.keys())
    enrichment = Enrichment(bench, request.specs, request.raw, request.root, work, bounds, "__rows", tally)
    joins = []
    for number, dimension in enumerate(request.specs.sources[request.source].lookup):
        theirs = scope(request.specs, dimension, request.raw).own
        found = [name for name in missing if name in theirs and name not in ALIASES]
        missing = [name for name in missing if name not in found]
        if found:
            joins.append(enrichment.join(request.source, dimension, found, number))
    if missing:
        known = ", ".join(sorted(columns.joined))
        raise LimnerError(
            f"source {request.source!r} and its lookups have no column {missing[0]!r}; there are: {known}"
        )
    return joins
