"""Random features of every kind."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.oracle.predicates import conditions

PERIODS = [
    f"{which}_{unit}" for unit in ("day", "day", "week", "month", "quarter", "year") for which in ("this", "last")
]
DEFAULTS: dict[str, list[Any]] = {
    "int": [0, -1],
    "float": [0.5, -1.0],
    "string": ["none", ""],
    "bool": [True, False],
    "timestamp": [None],
}
CATEGORIES: dict[str, list[Any]] = {"int": [0, 1, 2, -1], "string": ["a", "b", "", "none"], "bool": [True, False]}
TEMPLATES = ["{txt}", "{s} {txt}", "{n}|{b}", "  {s}\t{s} ", "{{{txt}}} {brand}"]


def templates(columns: Mapping[str, str]) -> list[str]:
    """Templates that need only these columns."""
    return [text for text in TEMPLATES if "brand" in columns or "brand" not in text]


@st.composite
def features(
    draw: st.DrawFn,
    windows: Sequence[str],
    columns: Mapping[str, str],
    most: int = 5,
    embed: bool = True,
    summed: bool = False,
) -> dict[str, Any]:
    """1 to `most` features; `columns` are the source's, with their logical types. `summed`: of kinds that are sums."""
    kinds = [*KINDS] if embed else [kind for kind in KINDS if kind is not _embed]
    kinds = SUMS if summed else kinds
    found = {}
    for number in range(draw(st.integers(1, most))):
        doc: dict[str, Any] = {}
        kind = draw(st.sampled_from(kinds))
        kind(draw, doc, columns)
        if kind is not _latest:
            _windowed(draw, doc, windows)
        if (kind is _share) or draw(st.integers(0, 3)) == 0:
            doc["where"] = draw(conditions(columns))
        found[f"f{number}"] = doc
    return found


def _windowed(draw: st.DrawFn, doc: dict[str, Any], windows: Sequence[str]) -> None:
    ratio = doc.get("as") == "ratio"  # which has no lifetime
    period = draw(st.sampled_from(PERIODS))
    one = st.sampled_from([*windows, *windows, period, "lifetime"][: -1 if ratio else None])
    over = draw((one if ratio else st.none() | one) | st.lists(one, min_size=1, max_size=3, unique=True))
    if over is not None:
        doc["over"] = over


def _of(draw: st.DrawFn, columns: Mapping[str, str], *types: str) -> str:
    return draw(st.sampled_from([name for name, kind in columns.items() if kind in types]))


def _defaulted(draw: st.DrawFn, doc: dict[str, Any], kind: str, wrap: bool = False) -> None:
    value = draw(st.sampled_from(DEFAULTS[kind])) if draw(st.integers(0, 3)) == 0 else None
    if value is not None:
        doc["default"] = [value] if wrap else value


def _count(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["count"] = draw(st.sampled_from(["*", *columns]))
    if doc["count"] != "*" and draw(st.booleans()):
        doc["distinct"] = True


def _distinct(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["distinct"] = draw(st.sampled_from([*columns]))


def _entropy(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["entropy"] = draw(st.sampled_from([*columns]))
    _defaulted(draw, doc, "float")


def _numeric(kind: str) -> Any:
    def numeric(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
        doc[kind] = _of(draw, columns, "int", "float")
        if kind != "sum":
            _defaulted(draw, doc, "float")

    return numeric


def _picked(kind: str) -> Any:
    def picked(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
        doc[kind] = draw(st.sampled_from([*columns]))
        _defaulted(draw, doc, columns[doc[kind]])

    return picked


_latest = _picked("latest")


def _top(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["top"] = draw(st.integers(1, 3))
    doc["of"] = _of(draw, columns, "int", "string", "bool")
    _defaulted(draw, doc, columns[doc["of"]], wrap=True)


def _histogram(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["histogram"] = draw(st.sampled_from(["hour", "weekday", "month"]))
    if draw(st.booleans()):
        doc["share"] = True


def _rfm(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["rfm"] = _of(draw, columns, "int", "float")
    if draw(st.booleans()):
        doc["orders"] = draw(st.sampled_from([*columns]))


def _quantile(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["quantile"] = _of(draw, columns, "int", "float")
    doc["q"] = draw(st.sampled_from([0, 0.1, 0.25, 0.5, 0.9, 0.333, 1]) | st.floats(0, 1))
    _defaulted(draw, doc, "float")


def _trend(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["trend"] = _of(draw, columns, "int", "float")
    _defaulted(draw, doc, "float")
    if draw(st.booleans()):
        doc["as"] = "ratio"
        doc["trend"] = draw(st.sampled_from([doc["trend"], "*"]))


def _by(kind: Any) -> Any:
    """A count, sum or mean by category: a map, or a list in a stated order."""

    def by(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
        kind(draw, doc, columns)
        doc.pop("default", None)
        doc["by"] = _of(draw, columns, "int", "string", "bool")
        if draw(st.booleans()):
            known = CATEGORIES[columns[doc["by"]]]
            doc["categories"] = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
            if draw(st.booleans()):
                doc["other"] = True

    return by


def _sequence(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["sequence"] = draw(st.integers(1, 4))
    doc["of"] = draw(st.sampled_from([*columns]))
    if draw(st.booleans()):
        doc["distinct"] = True
    _defaulted(draw, doc, columns[doc["of"]], wrap=True)


def _gap(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["gap"] = draw(st.sampled_from(["mean", "std", "longest", "shortest", "newest", "median"]))
    _defaulted(draw, doc, "float")


def _streak(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["streak"] = draw(st.sampled_from(["longest", "current"]))
    unit = draw(st.sampled_from([None, "day", "week", "month"]))
    if unit is not None:
        doc["unit"] = unit


def _share(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["share"] = draw(st.sampled_from(["*", _of(draw, columns, "int", "float")]))
    _defaulted(draw, doc, "float")


def _text(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["text"] = draw(st.sampled_from(templates(columns)))
    doc["measure"] = draw(st.sampled_from(["words", "sentences", "characters"]))
    if draw(st.booleans()):
        doc["pool"] = draw(st.sampled_from(["mean", "sum", "max", "min", "std"]))
    _spoken(draw, doc)
    _defaulted(draw, doc, "int" if doc.get("pool") in ("max", "min") else "float")
    if doc.get("pool") == "sum":
        doc.pop("default", None)


def _spoken(draw: st.DrawFn, doc: dict[str, Any]) -> None:
    if draw(st.integers(0, 2)) == 0:
        one = st.sampled_from(["en", "zh", "de", "und"])
        doc["languages"] = draw(st.lists(one, min_size=1, max_size=2, unique=True))


def _summed(kind: Any) -> Any:
    """What there is no running sum for is left out."""

    def summed(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
        kind(draw, doc, columns)
        doc.pop("distinct", None)
        if doc.get("pool") in ("max", "min"):
            doc["pool"] = "std"

    return summed


def _embed(draw: st.DrawFn, doc: dict[str, Any], columns: Mapping[str, str]) -> None:
    doc["embed"] = draw(st.sampled_from(templates(columns)))
    doc["encoder"] = draw(st.sampled_from(["tiny", "tiny", "words", "terms"]))
    if draw(st.integers(0, 2)) == 0:
        doc["prefix"] = draw(st.sampled_from(["", "passage: "]))
    _spoken(draw, doc)
    mean: dict[str, Any] = {}
    if draw(st.booleans()):
        mean["weight"] = draw(st.sampled_from([name for name in ("q", "n") if columns[name] in ("int", "float")]))
    if draw(st.booleans()):
        mean["half_life"] = draw(st.sampled_from(["1h", "1d", "30d"]))
    if draw(st.integers(0, 3)) == 0:
        mean["newest"] = draw(st.integers(1, 3))
    written: bool = draw(st.booleans())
    if mean or written:
        doc["pool"] = {"mean": mean} if mean else "mean"


KINDS = [
    _count, _distinct, _top, _share, _embed, _text, _latest, _entropy, _histogram, _rfm,
    _quantile, _trend, _trend,
    *map(_numeric, ["sum", "mean", "std", "median"]),
    *map(_picked, ["min", "max", "first", "last", "mode"]),
    _sequence, _gap, _streak, _by(_count), _by(_numeric("sum")), _by(_numeric("mean")),
]  # fmt: skip
SUMS = [
    _summed(_count), _summed(_text), _share, _histogram, _trend, _trend, *map(_numeric, ["sum", "mean", "std"]),
]  # fmt: skip
