"""Which entities a source has spoken of before the rows that a preparation stages."""

from typing import TYPE_CHECKING

from limner.language.models import Source
from limner.language.scope import scope
from limner.workers.sources.duck import working
from limner.workers.sources.identity import ATTRIBUTED, OWNERS, identity_of
from limner.workers.sources.load import Tally
from limner.workers.sources.request import PrepareRequest
from limner.workers.sources.rows import load_rows, workbench
from limner.workers.sources.scan import Bounds
from limner.workers.sql import quoted

if TYPE_CHECKING:
    import pyarrow as pa


def seen_before(request: PrepareRequest, keys: "pa.Table", before: int) -> "pa.Table":
    """Of `keys` (join key columns), those of which a clean row has ts < request.lower and known <= before (µs)."""
    if request.lower is None or keys.num_rows == 0:
        return keys.slice(0, 0)
    source = request.specs.sources[request.source]
    listed = ", ".join(map(quoted, request.join_keys))
    asked = f"({listed}) IN (SELECT {listed} FROM __keys)"
    identity = identity_of(request)
    if identity is not None:
        persons = ", ".join(map(quoted, identity.persons))
        theirs = f"SELECT {identity.theirs} FROM {OWNERS} WHERE ({persons}) IN (SELECT {persons} FROM __keys)"
        asked = f"({identity.ids}) IN ({theirs})"
    end = request.lower if _twins_share(source, "event_timestamp", source.event_timestamp) else None
    told = request.join_keys if identity is None else [own for own, _ in identity.pairs]
    alone = all(_twins_share(source, key, key) for key in told)
    bounds = Bounds(None, before, before, before=end)
    with workbench(request) as (bench, work):
        bench.database.register("__keys", keys)
        columns = scope(request.specs, request.source, request.raw)
        load_rows(request, bench, work, bounds, columns, Tally(), only=asked if alone else "")
        with working(request.source, "looking for entities seen before"):
            earlier = f"SELECT {listed} FROM __rows WHERE __ts < {request.lower}"
            if identity is not None:
                earlier = (
                    f"SELECT {', '.join('a.' + quoted(key) for key in request.join_keys)} FROM __rows m "
                    f"JOIN {ATTRIBUTED} a ON a.r = m.rowid WHERE m.__ts < {request.lower}"
                )
            return bench.database.sql(f"SELECT * FROM __keys WHERE ({listed}) IN ({earlier})").to_arrow_table()


def _twins_share(source: Source, *names: str | None) -> bool:
    """Whether rows that are duplicates of one another are equal in a column: then others need not be read."""
    keys = source.clean.drop_duplicates
    return not keys or any(name in keys for name in names)
