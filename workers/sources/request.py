"""What a preparation is asked for, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from limner.language.features.text import Measure
from limner.language.models import LogicalType
from limner.language.repo import Specs
from limner.language.template import Template
from limner.workers.sources.evidence import Evidence
from limner.workers.sources.scan import Bounds


@dataclass(frozen=True)
class RowText:
    """A text of each row: how it is written, what is put in front, and in which languages it counts (none: in all)."""

    template: Template
    prefix: str = ""
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowMeasure:
    """A number of each row's text; `tokenizer` is the folder of the model whose tokens are counted."""

    text: RowText
    measure: Measure
    tokenizer: Path | None = None


@dataclass(frozen=True)
class PrepareRequest:
    """Which rows of which source, for whom. Instants are µs since 1970 UTC.

    `columns`: cleaned columns needed; `raw`: raw schemas by source name; `texts`: by digest column, `measures`: by the
    column of the numbers. Rows are needed where known <= until and (ts >= lower, None for all, or known > known_after).
    `total_order`: sort rows that tie by all raw columns too. `stage`: an empty folder to write to.

    A run that goes on from the sums of another one needs, of the rows known at `before.at`, only those with
    low <= ts < high in one of the `stretches`, and none where the source is not what was seen `before`. With `keep_at`
    it says what it has seen, as of that instant: all rows known by then; of those that are not staged it adds to what
    was seen before, or else looks at them once more.

    `only`: join keys of the one entity whose rows are needed; where an identity map says whose they are, others may be
    among them.
    """

    specs: Specs
    source: str
    join_keys: tuple[str, ...]
    columns: tuple[str, ...]
    raw: Mapping[str, Mapping[str, LogicalType]]
    texts: Mapping[str, RowText]
    lower: int | None
    known_after: int
    until: int
    total_order: bool
    shards: int
    root: Path
    stage: Path
    run_id: str
    memory_limit: str = "1GB"
    threads: int | None = None
    measures: Mapping[str, RowMeasure] = field(default_factory=dict)
    data: Path | None = None  # where quarantined rows go; None: root/data
    stretches: tuple[tuple[int, int], ...] | None = None
    before: Evidence | None = None
    keep_at: int | None = None
    only: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def bounds(self) -> Bounds:
        """The rows that are needed."""
        return Bounds(self.lower, self.known_after, self.until, stretches=self.stretches)


@dataclass(frozen=True)
class Prepared:
    """What was staged.

    `shards`: a Parquet file each, with join keys, columns, digests (binary of 16 bytes or null), measures (int64),
    `__ts` and `__known` (int64 µs), sorted by join keys and canonical order. `texts`: by digest column, a Parquet file
    of distinct (digest, text with prefix). Where an identity map says whose rows are, a row is there (and
    kept) once for each stretch of time in which it is somebody's, with `__known` and `__until` (null: it stays).
    Rows read and kept are all that the bounds hold; dropped, quarantined (reason -> rows) and unmatched (lookup or
    map -> rows) count only rows that became known after `known_after`, or whose time is unknown. `differs`: why the
    source may not be what was seen before; then nothing was staged. `known`: where older rows were looked at once more,
    a Parquet file a shard with their join keys.
    """

    shards: tuple[Path, ...]
    texts: Mapping[str, Path]
    rows_read: int
    rows_kept: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    quarantine_file: Path | None = None
    unmatched: Mapping[str, int] = field(default_factory=dict)
    files_read: int = 0  # of the source itself, without lookups
    files_left: int = 0  # whose folders say that they have no row to be read
    seen: Evidence | None = None
    known: tuple[Path, ...] = ()
    differs: str = ""


def written_texts(request: PrepareRequest) -> dict[str, RowText]:
    """Every text that is written, by the column it makes."""
    return {**request.texts, **{name: each.text for name, each in request.measures.items()}}
