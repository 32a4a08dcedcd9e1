"""How a generated source is laid out: its columns as they are stored, its keys, its clocks, its cleaning."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from limner.language.models import LogicalType
from tests.oracle.predicates import conditions

BIG = 2**53
NUMBERS = [0, 1, 1, 2, 3, -1, -2, BIG, BIG + 1, -BIG - 1, None]
FLOATS = [
    0.0,
    -0.0,
    0.1,
    0.2,
    0.3,
    1.5,
    -1.5,
    1e-300,
    -1e-300,
    1e300,
    -1e300,
    1e16,
    1.0,
    5e-324,
    float("nan"),
    None,
]
WEIGHTS = [0.0, 1.0, 2.0, 0.5, -1.0, 3.25, None]
STRINGS = ["a", "a", "b", "ab", "é", "E\u0301", "中", "a  b", " a", "Z", "\U0001f600", "\uff5e", "", None]
DIMENSIONS: dict[str, dict[str, LogicalType]] = {
    "products": {"brand": "string", "price": "float"},
    "prices": {"tier": "string", "cost": "float"},
}
TEXTS = ["cold brew", "cold  brew", "冷萃", "<b>tea</b>", "", "  ", "x\ty", None]
TEXTS += [
    "The bread was stale. I won't buy 3.5 kg!",
    "我喜欢这个产品。very much…",
    "one\ntwo",
    "\uff08e\u0301\u2019a\uff09..! x",
]
EVENT_TYPES = ["timestamp[us, UTC]", "timestamp[us]", "timestamp[us]", "timestamp[s]", "timestamp[ms, UTC]"]
EVENT_TYPES += ["timestamp[ns]", "string"]
VALUES: dict[str, tuple[LogicalType, str, list[Any]]] = {
    "n": ("int", "int64", NUMBERS),
    "x": ("float", "double", FLOATS),
    "q": ("float", "double", WEIGHTS),
    "s": ("string", "string", STRINGS),
    "txt": ("string", "string", TEXTS),
    "b": ("bool", "bool", [True, False, None]),
}


@dataclass
class Layout:
    """`happened`, `recorded` and `marked` name timestamp columns, `*_as` their stored types."""

    zone: str
    happened: str | None = None
    happened_as: str = ""
    recorded: str | None = None
    recorded_as: str = ""
    marked: str | None = None
    marked_as: str = ""
    types: dict[str, str] = field(default_factory=dict)
    pools: dict[str, list[Any]] = field(default_factory=dict)
    columns: dict[str, LogicalType] = field(default_factory=dict)
    casts: dict[str, str] = field(default_factory=dict)
    lookups: list[str] = field(default_factory=list)
    linked: dict[str, Any] = field(default_factory=dict)  # whose a device is: keys of a source of links
    lines: bool = False  # JSON Lines: every column is a text
    source: dict[str, Any] = field(default_factory=dict)
    entities: list[dict[str, Any]] = field(default_factory=list)


@st.composite
def layouts(draw: st.DrawFn, zone: str) -> Layout:
    """A source of events (or of attributes, which all hold since one instant)."""
    layout = Layout(zone, lines=draw(st.integers(0, 5)) == 0)
    _keys(draw, layout)
    _clocks(draw, layout)
    _values(draw, layout)
    if layout.lines:
        _as_text(layout)
    if draw(st.integers(0, 3)) == 0:
        choices = [{"n": "N (old)"}, {"s": "txt", "txt": "s"}, {"x": 'we"ird', "user": "who"}, {"product": "item"}]
        chosen = draw(st.sampled_from(choices))
        layout.source["rename"] = {new: old for new, old in chosen.items() if new in layout.types}
    layout.lookups = draw(st.lists(st.sampled_from(["products", "prices"]), max_size=2, unique=True))
    for name in layout.lookups:
        layout.columns |= (
            {"brand": "string", "price": "float"} if name == "products" else {"tier": "string", "cost": "float"}
        )
    if layout.lookups:
        keys = st.sampled_from(["product", ["product"], {"product": "id"}])
        layout.source["lookup"] = {name: draw(keys) for name in layout.lookups}
    if draw(st.integers(0, 2)) == 0:
        layout.source["tie_break"] = draw(
            st.lists(st.sampled_from(["n", "s", "q", "b"]), min_size=1, max_size=2, unique=True)
        )
    return layout


SWAPPED = {"n": "s", "s": "x", "x": "b", "b": "n"}


@st.composite
def neighbours(draw: st.DrawFn, zone: str, first: Layout) -> Layout:
    """A second source about the same entities, whose columns have the names of the first one's and other types."""
    layout = Layout(zone, entities=first.entities)
    for part in ("types", "pools", "columns", "casts"):
        theirs = getattr(first, part)
        getattr(layout, part).update({key: theirs[key] for key in ("user", "product", "shop") if key in theirs})
    if first.linked:
        for part in ("types", "pools", "columns"):
            getattr(layout, part)["user"] = first.linked[part]
    _clocks(draw, layout)
    _values(draw, layout)
    for part in ("types", "pools", "columns", "casts"):
        named = getattr(layout, part)
        setattr(layout, part, {SWAPPED.get(name, name): value for name, value in named.items()})
    layout.source |= {"source": "more", "path": "data/more/*.parquet"}
    if draw(st.integers(0, 2)) == 0:
        layout.source["tie_break"] = ["s"]
    clean: dict[str, Any] = {"cast": layout.casts} if layout.casts else {}
    if draw(st.integers(0, 3)) == 0:
        clean["drop_duplicates"] = draw(
            st.lists(st.sampled_from(["user", "product", "n", "s"]), min_size=1, max_size=3, unique=True)
        )
    layout.source |= {"clean": clean} if clean else {}
    return layout


def _keys(draw: st.DrawFn, layout: Layout) -> None:
    whole = draw(st.booleans())
    layout.pools["user"] = [7, 7, 7, -8, 2**57, None] if whole else ["u", "u", "u", "ü v", "", None]
    layout.pools["user"].remove(None) if draw(st.integers(0, 5)) else None
    layout.pools["product"] = ["p", "p", "p", "p", "q", "r", "gone", None]
    layout.pools["shop"] = ["s1", "s1", "s2"]
    user: LogicalType = "int" if whole else "string"
    layout.types |= {"user": "int64" if whole else "string", "product": "string", "shop": "string"}
    layout.columns |= {"user": user, "product": "string", "shop": "string"}
    if draw(st.integers(0, 3)) == 0:
        layout.linked = {part: getattr(layout, part).pop("user") for part in ("types", "pools", "columns")}
        layout.pools["device"] = ["d", "d", "d", "e", "f", None]
        layout.types["device"] = layout.columns["device"] = "string"
        layout.source["identity"] = {"links": draw(st.sampled_from(["device", {"device": "id"}]))}
    layout.entities = [
        {"entity": "user", "join_keys": {"user": user}},
        {"entity": "visit", "join_keys": {"user": user, "shop": "string"}},
        {"entity": "item", "join_keys": {"product": "string"}},
    ]


def _clocks(draw: st.DrawFn, layout: Layout) -> None:
    ending = "jsonl" if layout.lines else "parquet"
    layout.source |= {"source": "events", "path": f"data/events/*.{ending}", "timezone": layout.zone}
    layout.columns["event_timestamp"] = "timestamp"
    if draw(st.integers(0, 7)):
        layout.happened = draw(st.sampled_from(["happened", "event_timestamp"]))
        layout.happened_as = "string" if layout.lines else draw(st.sampled_from(EVENT_TYPES))
        layout.types[layout.happened] = layout.happened_as
        if layout.happened_as == "string" and draw(st.booleans()):
            layout.casts[layout.happened] = "timestamp"
        layout.source["event_timestamp"] = layout.happened
        if draw(st.integers(0, 2)) == 0:
            layout.source["lag"] = draw(st.sampled_from(["1s", "1h", "1d", "40h"]))
    if draw(st.booleans()):
        stored = "string" if layout.lines else draw(st.sampled_from(["timestamp[us, UTC]", "timestamp[us]"]))
        layout.recorded, layout.recorded_as = "recorded", stored
        layout.types["recorded"] = layout.recorded_as
        layout.source["created_timestamp"] = "recorded"
        layout.columns["created_timestamp"] = "timestamp"
    if draw(st.integers(0, 3)) == 0:
        stored = "string" if layout.lines else draw(st.sampled_from(["timestamp[us, UTC]", "timestamp[ns]"]))
        layout.marked, layout.marked_as = "marked", stored
        layout.types["marked"] = layout.marked_as
        layout.columns["marked"] = "timestamp"


def _values(draw: st.DrawFn, layout: Layout) -> None:
    """Numbers, texts and flags; some stored as text that a cast has to read, and sometimes cannot."""
    for name, (kind, stored, pool) in VALUES.items():
        layout.columns[name], layout.types[name], layout.pools[name] = kind, stored, pool
    for name in ("n", "q", "b"):
        if draw(st.integers(0, 6)) == 0:
            layout.casts[name] = layout.columns[name]
            layout.types[name] = "string"
            layout.pools[name] = [None if v is None else str(v).lower() for v in 3 * layout.pools[name]] + ["abc"]
    if draw(st.integers(0, 6)) == 0:
        layout.pools["x"] = [*FLOATS, float("inf"), float("-inf")]


def _as_text(layout: Layout) -> None:
    """Every column a text that a cast reads."""
    for name, stored in layout.types.items():
        if stored != "string":
            layout.casts[name] = layout.columns[name]
            layout.types[name] = "string"
            layout.pools[name] = [None if v is None else str(v).lower() for v in layout.pools[name]]
    if layout.marked:
        layout.casts[layout.marked] = "timestamp"


@st.composite
def cleaning(draw: st.DrawFn, layout: Layout) -> dict[str, Any]:
    """A source's `clean` section, or nothing."""
    doc: dict[str, Any] = {}
    own = [name for name in layout.columns if name in layout.types or name.endswith("_timestamp")]

    def sometimes(odds: int = 4) -> bool:
        return draw(st.integers(1, odds)) == 1

    where = {"where": draw(conditions(own))} if sometimes(6) else {}
    if layout.casts:
        doc["cast"] = layout.casts
    if sometimes():
        doc["text"] = {draw(st.sampled_from(["s", "txt"])): _text(draw)}
    if sometimes():
        column, fill = draw(st.sampled_from([("n", 0), ("x", 0.25), ("s", "filled"), ("b", False), ("q", 1.0)]))
        doc["missing"] = {column: draw(st.sampled_from(["drop", "quarantine", {"fill": fill}, {"fill": fill}]))}
    if sometimes():
        bounds: dict[str, Any] = draw(
            st.sampled_from([{"min": 0}, {"max": 2}, {"min": -1, "max": 1}, {"min": 1, "max": 1}])
        )
        doc["range"] = {
            draw(st.sampled_from(["n", "x", "q"])): bounds
            | {"otherwise": draw(st.sampled_from(["drop", "clip", "quarantine"]))}
        }
    for how in ("quarantine", "drop"):
        if sometimes(10):
            doc[how] = draw(st.lists(conditions(own), min_size=1, max_size=2))
    if sometimes():
        keys = [name for name in ("user", "device", "event_timestamp", "product", "n", "s", "b", "x") if name in own]
        doc["drop_duplicates"] = draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True))
    return where | ({"clean": doc} if doc else {})


def _text(draw: st.DrawFn) -> dict[str, Any]:
    doc: dict[str, Any] = {}
    if draw(st.booleans()):
        doc["unicode"] = draw(st.sampled_from(["NFKC", "NFC", "none"]))
    if draw(st.booleans()):
        doc["whitespace"] = draw(st.sampled_from(["collapse", "keep"]))
    if draw(st.booleans()):
        doc["case"] = "lower"
    if draw(st.integers(0, 2)) == 0:
        doc["max_chars"] = draw(st.integers(1, 4))
    return doc
