"""A preparation of few rows: one statement, whose rows stay in memory, and which is run again for the next ones.

`prepare` holds any number of rows in bounded memory. The dozen statements that this takes are longer planned than some
hundred rows are cleaned. Here the same expressions are one statement. It is not for sources that drop duplicates, have
an identity map or look something up that has times of its own. Files that are looked up are read once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from limner.language.scope import scope
from limner.workers.sources.digests import facts_of
from limner.workers.sources.identity import identity_of
from limner.workers.sources.load import Loaded, Tally
from limner.workers.sources.prepare import joins_of
from limner.workers.sources.request import PrepareRequest, written_texts
from limner.workers.sources.rows import Lasting, cleaning_of, needed
from limner.workers.sources.scan import open_scan
from limner.workers.sources.staging import output_of
from limner.workers.sources.texts import DIGEST
from limner.workers.sql import quoted

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Clean:
    """`rows` as a shard of `Prepared` has them; `texts`: by digest column, the text with its prefix by digest.

    `quarantined`: of each row in quarantine the raw value that tells which one it is, and why.
    """

    rows: "pa.Table"
    texts: Mapping[str, Mapping[bytes, str]]
    quarantined: Sequence[tuple[str, str]]


class AtOnce:
    """The statement of one request, whose files may be others each time it is run."""

    def __init__(self, request: PrepareRequest, lasting: Lasting, told: str) -> None:
        """`told`: the raw column by which rows in quarantine are told apart. What is looked up stays in the session."""
        bench, source = lasting.bench, request.specs.sources[request.source]
        raw = request.raw[request.source]
        self._scan = open_scan(bench, source, request.root, request.stage, request.bounds, raw)
        cleaning = cleaning_of(request, bench, self._scan, request.bounds)
        query = f"SELECT *, 0 AS __shard FROM ({cleaning.query(raw=True)})"
        self._told, self._reasons = f"__raw.{told}", cleaning.fates.of("quarantine")
        order = cleaning.order(raw=request.total_order)
        carried = [*sorted(cleaning.order_columns(raw=request.total_order)), "__fate", self._told]
        rows = Loaded("__rows", order, carried, cleaning.columns)
        columns = scope(request.specs, request.source, request.raw)
        joins = joins_of(request, bench, request.stage, request.bounds, columns, Tally())
        output = output_of(request, columns, rows, joins)
        facts = facts_of(request, bench)
        self._texts = {name: f"__finished.{name}" for name in request.texts}
        made = {self._texts.get(name, name): fact(quoted("__text." + name)) for name, fact in facts.items()}
        digests = {name: DIGEST.format(quoted(finished)) for name, finished in self._texts.items()}
        self._names = list(
            dict.fromkeys((*request.join_keys, *request.columns, *written_texts(request), "__ts", "__known"))
        )
        names = [*self._names, "__fate", self._told, *self._texts.values()]
        terms = ", ".join([*map(quoted, request.join_keys), *order])
        self._relation = bench.database.sql(
            f"WITH __rows AS ({query}) SELECT {', '.join(map(quoted, names))} "
            f"FROM (SELECT *{_picks(digests)} FROM (SELECT *{_picks(made)} FROM ({output}))) ORDER BY {terms}"
        )

    @staticmethod
    def fits(request: PrepareRequest) -> bool:
        """Whether one statement is enough."""
        if request.specs.sources[request.source].clean.drop_duplicates or identity_of(request) is not None:
            return False
        others = [request.specs.sources[name] for name in looked_up(request)]
        return all(other.event_timestamp is None and other.database is None for other in others)

    def run(self) -> Clean:
        """Clean the rows that are there now. LimnerError where they cannot be read."""
        import pyarrow.compute as pc

        with self._scan.reading("reading and cleaning its rows"):
            table = self._relation.to_arrow_table().combine_chunks()
        fates, quarantined = table["__fate"], []
        if fates.null_count < len(fates):
            told = zip(fates.to_pylist(), table[self._told].to_pylist(), strict=True)
            quarantined = [(str(row), self._reasons[fate]) for fate, row in told if fate in self._reasons]
            table = table.filter(pc.is_null(fates)).combine_chunks()
        texts: dict[str, dict[bytes, str]] = {}
        for name, finished in self._texts.items():
            pairs = zip(table[name].to_pylist(), table[finished].to_pylist(), strict=True)
            texts[name] = {digest: text for digest, text in pairs if digest is not None}
        return Clean(table.select(self._names), texts, quarantined)


def looked_up(request: PrepareRequest) -> tuple[str, ...]:
    """The sources that may bring a needed column."""
    own = scope(request.specs, request.source, request.raw).own
    return () if needed(request) <= own.keys() else tuple(request.specs.sources[request.source].lookup)


def _picks(columns: Mapping[str, str]) -> str:
    return "".join(f", {value} AS {quoted(name)}" for name, value in columns.items())
