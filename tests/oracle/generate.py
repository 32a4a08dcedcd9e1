"""Hypothesis strategies: rows that look for trouble, and specs over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from limner.language.durations import Duration
from limner.language.models import LogicalType
from tests.oracle.cleaning import Row, Table
from tests.oracle.derivations import with_derived
from tests.oracle.encoders import DIM
from tests.oracle.features import features, templates
from tests.oracle.instants import from_micros, to_micros
from tests.oracle.layouts import Layout, cleaning, layouts, neighbours

Draw = st.DrawFn

# Moments around which generated time revolves: clocks jump at each of them, or a calendar does.
MOMENTS = [
    ("UTC", datetime(1970, 1, 5, tzinfo=UTC)),
    ("UTC", datetime(2024, 2, 29, tzinfo=UTC)),
    ("America/New_York", datetime(2024, 3, 10, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2024, 11, 3, 6, tzinfo=UTC)),
    ("Europe/London", datetime(2024, 3, 31, 1, tzinfo=UTC)),
    ("Europe/London", datetime(2024, 10, 27, 1, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2024, 4, 6, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2024, 10, 5, 15, 30, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2024, 6, 1, tzinfo=UTC)),
]
STEPS = [
    ("1d", None),
    ("1d", "02:00"),
    ("1h", None),
    ("6h", None),
    ("36h", None),
    ("7d", "00:30"),
    ("90m", None),
]
WINDOWS = ["1s", "1h", "90m", "6h", "25h", "1d", "30h", "36h", "3d", "7d", "2w"]
MICRO = timedelta(microseconds=1)
RESOLUTIONS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}


@dataclass
class Case:
    """A generated world: spec documents, raw tables, and an interval with the places to cut it.

    `columns` are the events' cleaned columns with their logical types; `withdrawn`, for the windows stage by itself,
    after how long (µs) rows leave their entity again, row by row.
    """

    docs: list[dict[str, Any]]
    columns: dict[str, LogicalType]
    tables: dict[str, Table]
    start: int
    end: int
    cuts: list[int]
    probes: list[int]
    others: dict[str, dict[str, LogicalType]] = field(default_factory=dict)  # columns of the other sources of events
    withdrawn: list[int | None] = field(default_factory=list)

    @property
    def sources(self) -> dict[str, dict[str, LogicalType]]:
        """Cleaned columns of every source that views read."""
        return {"events": self.columns, **self.others}

    @property
    def views(self) -> list[str]:
        """The names of the feature views."""
        return [doc["feature_view"] for doc in self.docs if "feature_view" in doc]


@dataclass
class Clock:
    """Where generated instants lie: ticks of a grid around a moment, and the windows before them."""

    zone: str
    moment: int
    first: int
    step: int
    ticks: int
    windows: list[int]

    def instant(self, draw: Draw) -> int:
        """At a tick, a window before a tick, where clocks jump, or anywhere; often a microsecond beside."""
        tick = self.first + self.step * draw(st.integers(-3, self.ticks + 1))
        place = draw(st.integers(0, 7))
        if place <= 1:
            return tick + draw(st.sampled_from([0, 0, -1, 1]))
        if place <= 4:
            return tick - draw(st.sampled_from(self.windows)) + draw(st.sampled_from([0, 0, -1, 1]))
        if place == 5:
            return self.moment + 600_000_000 * draw(st.integers(-13, 13)) + draw(st.sampled_from([0, 0, -1, 1]))
        return tick + draw(st.integers(0, self.step))


@st.composite
def cases(draw: Draw, views: int = 1, rows: int = 24, summed: bool = False) -> Case:
    """Up to `views` views over up to `rows` events of a few entities; `summed`: of kinds that are sums."""
    zone, moment = draw(st.sampled_from(MOMENTS))
    every = draw(st.lists(st.sampled_from([*STEPS, ("event", None), ("event", None)]), min_size=1, max_size=views))
    windows = draw(st.lists(st.sampled_from(WINDOWS), min_size=1, max_size=3, unique=True))
    clock = _clock(draw, zone, to_micros(moment), every[0], windows)
    layout = draw(layouts(zone))
    tables = {"events": _events(draw, clock, layout, rows)}
    docs: list[dict[str, Any]] = [
        *layout.entities,
        {"encoder": "tiny", "model": "models/tiny", "prefix": draw(st.sampled_from(["", "query: "]))},
        {"encoder": "words", "hashing": {"features": DIM, **_terms(draw)}, "normalize": draw(st.booleans())},
        {"encoder": "terms", "tfidf": _learning(draw, clock, layout), "normalize": draw(st.booleans())},
    ]
    for name in layout.lookups:
        tables[name], doc = _dimension(draw, clock, name, layout)
        docs.append(doc)
    if layout.linked:
        tables["links"], doc = _links(draw, clock, layout)
        docs.append(doc)
    if not layout.happened:
        layout.source["since"] = from_micros(clock.instant(draw)).isoformat()
    cleaned = draw(cleaning(layout))
    if summed and draw(st.integers(0, 3)):  # duplicates that lie far apart need all rows
        cleaned.get("clean", {}).pop("drop_duplicates", None)
    docs.append(layout.source | cleaned)
    others: dict[str, dict[str, LogicalType]] = {}
    if draw(st.integers(0, 3)) == 0:
        more = draw(neighbours(draw(st.sampled_from([zone, "Asia/Shanghai"])), layout))
        tables["more"], others["more"] = _events(draw, clock, more, rows // 2), more.columns
        if not more.happened:
            more.source["since"] = from_micros(clock.instant(draw)).isoformat()
        docs.append(more.source)
    fits = [from_micros(clock.instant(draw)).isoformat() for _ in range(2)]
    for number, (step, at) in enumerate(every):
        docs.append(
            with_derived(
                draw,
                {
                    "feature_view": f"view_{number}",
                    "entity": draw(st.sampled_from(["user", "user", "item", "visit"])),
                    "every": step,
                    **({"at": at} if at else {}),
                    **({"timezone": draw(st.sampled_from(MOMENTS))[0]} if draw(st.integers(0, 3)) == 0 else {}),
                    **draw(_reads(windows, {"events": layout.columns, **others}, summed)),
                },
                {"events": layout.columns, **others},
                fits,
            )
        )
    start = clock.first + draw(st.sampled_from([0, 0, -1, 1, clock.step // 3]))
    end = start + clock.step * clock.ticks + draw(st.sampled_from([0, 0, -1, 1, clock.step // 2]))
    inside = st.one_of(
        st.integers(0, clock.ticks).map(lambda n: clock.first + n * clock.step),
        st.integers(start, end),
    )
    cuts = sorted({cut for cut in draw(st.lists(inside, min_size=summed, max_size=3)) if start < cut < end})
    probes = sorted(set(draw(st.lists(inside, max_size=3))))
    long = st.sampled_from([1, clock.step, *clock.windows, 7 * clock.step]) | st.integers(1, 3 * clock.step)
    withdrawn = draw(st.lists(st.none() | long, max_size=5)) if draw(st.integers(0, 3)) == 0 else []
    return Case(docs, layout.columns, tables, start, end, cuts, probes, others, withdrawn)


@st.composite
def _reads(
    draw: Draw, windows: Sequence[str], sources: Mapping[str, Mapping[str, str]], summed: bool
) -> dict[str, Any]:
    """The sources of a view and its features, those of several sources mixed."""
    names = draw(st.permutations([*sources])) if len(sources) > 1 else [*sources]
    if len(names) == 1:
        return {"source": names[0], "features": draw(features(windows, sources[names[0]], summed=summed))}
    found: dict[str, Any] = {}
    for name in names:
        some = draw(features(windows, sources[name], most=3, summed=summed))
        found |= {f"{name}_{key}": {**doc, "from": name} for key, doc in some.items()}
    order = draw(st.permutations([*found]))
    return {"sources": list(names), "features": {key: found[key] for key in order}}


def _terms(draw: Draw) -> dict[str, Any]:
    doc: dict[str, Any] = {}
    if draw(st.booleans()):
        doc["analyzer"] = draw(st.sampled_from(["word", "char", "char_wb"]))
    if draw(st.booleans()):
        doc["ngrams"] = draw(st.sampled_from([[1, 2], [2, 3], [1, 1]]))
    if draw(st.integers(0, 3)) == 0:
        doc["lowercase"] = False
    return doc


def _learning(draw: Draw, clock: Clock, layout: Layout) -> dict[str, Any]:
    fit = from_micros(clock.instant(draw)).isoformat()
    text = draw(st.sampled_from(templates(layout.columns)))
    doc = {"source": "events", "text": text, "fit": fit, "features": DIM, **_terms(draw)}
    return doc | ({"min_df": 2} if draw(st.integers(0, 3)) == 0 else {})


def _clock(draw: Draw, zone: str, moment: int, every: tuple[str, str | None], windows: Sequence[str]) -> Clock:
    step = 86_400_000_000 if every[0] == "event" else Duration(every[0]).micros
    hours, minutes = (int(part) for part in (every[1] or "00:00").split(":"))
    origin = 4 * 86_400_000_000 + (hours * 60 + minutes) * 60_000_000
    first = origin + (moment - origin) // step * step
    ticks = draw(st.integers(1, 8))
    return Clock(zone, moment, first - ticks // 2 * step, step, ticks, [Duration(w).micros for w in windows])


def _events(draw: Draw, clock: Clock, layout: Layout, most: int) -> Table:
    """Rows, among them exact copies and copies that differ in their instants or in one column only."""
    rows: list[Row] = []
    values = {name: st.sampled_from(pool) for name, pool in layout.pools.items()}
    for _ in range(draw(st.integers(most // 2, most))):
        kind = draw(st.sampled_from(["new"] * 6 + ["copy", "later", "other", "other"])) if rows else "new"
        row = {} if kind == "new" else dict(draw(st.sampled_from(rows)))
        if kind in ("new", "later"):
            _instants(draw, row, clock, layout)
        if kind == "new":
            row |= {name: draw(pool) for name, pool in values.items()}
        if kind == "other":
            column = draw(st.sampled_from(sorted(values)))
            row[column] = draw(values[column])
        rows.append(row)
    old = {name: layout.source.get("rename", {}).get(name, name) for name in layout.types}
    types = {old[name]: kind for name, kind in layout.types.items()}
    return Table(types, [{old[name]: row[name] for name in layout.types} for row in rows])


def _instants(draw: Draw, row: Row, clock: Clock, layout: Layout) -> None:
    if layout.happened:
        never = draw(st.integers(0, 39)) == 0
        row[layout.happened] = None if never else _written(draw, clock.instant(draw), layout.happened_as, clock)
    if layout.recorded:
        row[layout.recorded] = _recorded(draw, row.get(layout.happened or ""), clock, layout)
    if layout.marked:
        never = draw(st.integers(0, 3)) == 0
        row[layout.marked] = None if never else _written(draw, clock.instant(draw), layout.marked_as, clock)


def _recorded(draw: Draw, happened: Any, clock: Clock, layout: Layout) -> Any:
    """When a row became known: at once, later (late rows), at a tick, before it happened, or nobody knows."""
    how = draw(st.integers(0, 5))
    if how == 0:
        return None
    if how == 1 and isinstance(happened, datetime) and layout.happened_as == layout.recorded_as:
        return happened
    return _written(draw, clock.instant(draw), layout.recorded_as, clock)


def _written(draw: Draw, instant: int, physical: str, clock: Clock) -> Any:
    """The instant as the column holds it: aware, naive local (gaps and repeated hours, too), or ISO text."""
    unit = physical.split("[")[1].rstrip("]").split(",")[0] if "[" in physical else "us"
    moment = from_micros(instant // RESOLUTIONS[unit] * RESOLUTIONS[unit])
    if "UTC" in physical:
        return moment
    if physical == "string":
        style = draw(st.integers(0, 1))
        return moment.isoformat() if style else _local(moment, clock.zone).isoformat()
    if draw(st.integers(0, 4)) == 0:  # wall clock arithmetic: makes local times that do not exist
        before = _local(from_micros(clock.moment) - timedelta(hours=2), clock.zone)
        return before + timedelta(minutes=draw(st.integers(0, 300)))
    return _local(moment, clock.zone)


def _local(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def _links(draw: Draw, clock: Clock, layout: Layout) -> tuple[Table, dict[str, Any]]:
    """Whose each device is, from when on: given away, given back, nobody's; often known late or at one instant."""
    name = "id" if isinstance(layout.source["identity"]["links"], dict) else "device"
    linked = draw(st.sampled_from(["timestamp[us, UTC]", "timestamp[us]", "timestamp[s]"]))
    types = {name: "string", "user": layout.linked["types"], "linked": linked}
    doc: dict[str, Any] = {"source": "links", "path": "data/links.parquet", "timezone": layout.zone}
    doc["event_timestamp"] = "linked"
    if draw(st.booleans()):
        types["entered"] = "timestamp[us, UTC]"
        doc["created_timestamp"] = "entered"
    elif draw(st.booleans()):
        doc["lag"] = "1h"
    rows = []
    for _ in range(draw(st.integers(0, 8))):
        row: Row = {
            name: draw(st.sampled_from(["d", "d", "d", "e", "e", "f", None])),
            "user": draw(st.sampled_from([*layout.linked["pools"], None])),
            "linked": _written(draw, clock.instant(draw), linked, clock),
        }
        if "entered" in types:
            row["entered"] = draw(st.none() | st.just(from_micros(clock.instant(draw))))
        rows.append(row)
    return Table(types, rows), doc


def _dimension(draw: Draw, clock: Clock, name: str, layout: Layout) -> tuple[Table, dict[str, Any]]:
    """`products` as it is, or `prices` as they were from an instant on."""
    timed = name == "prices"
    label, value = ("tier", "cost") if timed else ("brand", "price")
    key = "id" if isinstance(layout.source["lookup"][name], dict) else "product"
    types = {key: "string", label: "string", value: "double"}
    doc: dict[str, Any] = {"source": name, "path": f"data/{name}.parquet", "timezone": layout.zone}
    if timed:
        types["valid_from"] = draw(st.sampled_from(["timestamp[us, UTC]", "timestamp[us]"]))
        doc["event_timestamp"] = "valid_from"
        if draw(st.booleans()):
            types["entered"] = "timestamp[us, UTC]"
            doc["created_timestamp"] = "entered"
    rows = []
    for _ in range(draw(st.integers(0, 6))):
        row: Row = {
            key: draw(st.sampled_from(["p", "q", "r", None])),
            label: draw(st.sampled_from(["k", "l", "é", None])),
            value: draw(st.sampled_from([0.1, 0.2, 2.5, -1.0, None])),
        }
        if timed:
            row["valid_from"] = _written(draw, clock.instant(draw), types["valid_from"], clock)
        if "entered" in types:
            row["entered"] = draw(st.none() | st.just(from_micros(clock.instant(draw))))
        rows.append(row)
    return Table(types, rows), doc
