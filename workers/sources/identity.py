"""Whose a row is, as of each instant: an identity map's links, as stretches of time in which an id is one person's.

At instant q an id is the person's whom the newest link (in canonical order) among the links known at q names; a link
without a person unlinks. So an id changes hands when a link becomes known that is newer than all known before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from limner.language.errors import LimnerError
from limner.language.models import LogicalType
from limner.language.scope import scope
from limner.workers.sources.load import Tally, load
from limner.workers.sources.request import PrepareRequest
from limner.workers.sources.scan import Bounds, open_scan
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import quoted

OWNERS = "__owners"
ATTRIBUTED = "__attributed"


@dataclass(frozen=True)
class Identity:
    """The map a preparation needs. `pairs`: (own column, the map's column) of an id; `persons`: join keys it names."""

    source: str
    pairs: tuple[tuple[str, str], ...]
    persons: tuple[str, ...]

    @property
    def ids(self) -> str:
        """The source's own columns of an id, as SQL."""
        return ", ".join(quoted(own) for own, _ in self.pairs)

    @property
    def theirs(self) -> str:
        """The map's columns of an id, as SQL."""
        return ", ".join(quoted(column) for _, column in self.pairs)


def identity_of(request: PrepareRequest) -> Identity | None:
    """The map, where the source lacks some join key; LimnerError where neither has it."""
    source = request.specs.sources[request.source]
    own = scope(request.specs, request.source, request.raw).own
    persons = tuple(key for key in request.join_keys if key not in own)
    if not persons:
        return None
    for name in source.identity:
        there = scope(request.specs, name, request.raw).own
        if all(key in there for key in persons):
            return Identity(name, source.identity_pairs(name), persons)
    raise LimnerError(
        f"source {request.source!r} has no column {persons[0]!r}, the join key; it has: {', '.join(own)}"
        + "".join(f"; nor has its identity map {name!r}" for name in source.identity)
    )


def key_types(request: PrepareRequest) -> dict[str, LogicalType]:
    """The types of the join keys, wherever they come from."""
    identity = identity_of(request)
    types = dict(scope(request.specs, request.source, request.raw).own)
    if identity is not None:
        there = scope(request.specs, identity.source, request.raw).own
        types |= {key: there[key] for key in identity.persons}
    return {key: types[key] for key in request.join_keys}


def load_owners(
    request: PrepareRequest, identity: Identity, bench: Workbench, work: Path, bounds: Bounds, tally: Tally
) -> None:
    """Fill `__owners`: ids and persons under the map's names, `__from` <= instant < `__until` (null: open), in µs.

    One row a stretch, without those in which an id is nobody's; of links known by `bounds.until`.
    """
    source = request.specs.sources[identity.source]
    names = [column for _, column in identity.pairs]
    every = Bounds(None, bounds.known_after, bounds.until)
    links = load(
        bench,
        open_scan(bench, source, request.root, work, every, request.raw[identity.source]),
        "__links",
        types=scope(request.specs, identity.source, request.raw).own,
        wanted=(*names, *identity.persons),
        keys=names,
        bounds=every,
        total_order=True,
        timed=True,
        tally=tally,
        label=f"identity {identity.source}: ",
    )
    ids, persons = identity.theirs, ", ".join(map(quoted, identity.persons))
    linked = " AND ".join(f"{quoted(key)} IS NOT NULL" for key in identity.persons)
    person = ", ".join(f"CASE WHEN {linked} THEN {quoted(key)} END AS {quoted(key)}" for key in identity.persons)
    numbered = (
        f"SELECT {ids}, {person}, __known, row_number() OVER (ORDER BY {', '.join(links.order)}) AS n FROM __links"
    )
    newest = (
        f"max(n) OVER (PARTITION BY {ids} ORDER BY __known, n DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    )
    newer = f"SELECT * FROM (SELECT *, {newest} AS before FROM ({numbered})) WHERE before IS NULL OR n > before"
    then = f"OVER (PARTITION BY {ids} ORDER BY __known)"
    moved = " OR ".join(f"{quoted(key)} IS DISTINCT FROM lag({quoted(key)}) {then}" for key in identity.persons)
    moves = f"SELECT * FROM (SELECT *, {moved} AS moved FROM ({newer})) WHERE moved"
    stretches = f"SELECT {ids}, {persons}, __known AS __from, lead(__known) {then} AS __until FROM ({moves})"
    bench.run(f"CREATE TABLE {OWNERS} AS SELECT * FROM ({stretches}) WHERE {quoted(identity.persons[0])} IS NOT NULL")
    bench.run("DROP TABLE __links")


def changed(identity: Identity, bench: Workbench, after: int) -> str:
    """A predicate of the rows whose id came to somebody after an instant; "" where none did."""
    some = f"FROM {OWNERS} WHERE __from > {after}"
    came = f"coalesce(({identity.ids}) IN (SELECT {identity.theirs} {some}), false)"
    return came if bench.count(f"SELECT count(*) {some}") else ""


def attribute(identity: Identity, bench: Workbench, rows: str, shard: str, join_keys: Sequence[str]) -> None:
    """Fill `__attributed`: for each row of `rows` (`r`, its rowid) and stretch it is somebody's its keys and shard,
    `__known` (both the row and the link are), and `__until` (null: it stays).
    """
    same = " AND ".join(f"m.{quoted(own)} = o.{quoted(column)}" for own, column in identity.pairs)
    keys = ", ".join(f"{'o' if key in identity.persons else 'm'}.{quoted(key)}" for key in join_keys)
    joined = (
        f"SELECT m.rowid AS r, {keys}, greatest(m.__known, o.__from) AS __known, o.__until FROM {rows} m "
        f"JOIN {OWNERS} o ON {same} AND (o.__until IS NULL OR o.__until > m.__known)"
    )
    bench.run(f"CREATE TABLE {ATTRIBUTED} AS SELECT *, {shard} AS __shard FROM ({joined})")


def count_strangers(identity: Identity, bench: Workbench, rows: str, tally: Tally) -> None:
    """Count the new rows that are nobody's."""
    nobody = bench.count(f"SELECT count(*) FROM {rows} m WHERE m.__new AND m.rowid NOT IN (SELECT r FROM {ATTRIBUTED})")
    if nobody:
        tally.unmatched[identity.source] = nobody
