"""Kinds of the values of a column that are not null, in the plainest Python."""

import math
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from limner.language.feature_base import FeatureBase
from tests.oracle.cleaning import ordered


def aggregate(feature: FeatureBase, values: list[Any]) -> Any:
    """`values` are not null and in canonical order."""
    kind = feature.kind
    if kind == "distinct" or (kind == "count" and feature.distinct):  # type: ignore[attr-defined]
        return len(set(values))
    if kind in ("count", "sum"):
        return len(values) if kind == "count" else total(values)
    return KINDS[kind](values, feature) if values else None


def _top(values: list[Any], feature: FeatureBase) -> list[Any]:
    ranked = sorted(Counter(values).items(), key=lambda item: (-item[1], ordered(item[0])))
    return [value for value, _ in ranked[: feature.top]]  # type: ignore[attr-defined]


def _quantile(values: list[Any], q: Fraction) -> float:
    """The value at place (n - 1) q of the sorted ones, between two places linearly."""
    place = (len(values) - 1) * q
    low, high = (Fraction(sorted(values)[each]) for each in (math.floor(place), math.ceil(place)))
    return float(low + (place - math.floor(place)) * (high - low))


def _entropy(values: list[Any]) -> float:
    """ln N - (1/N) sum c ln c, each term rounded, the sum exact."""
    occurs = Counter(values).values()
    if len(occurs) == 1:
        return 0.0
    return max(0.0, math.log(len(values)) - math.fsum(n * math.log(n) for n in occurs) / len(values))


def _sequence(values: list[Any], feature: FeatureBase) -> list[Any]:
    """The newest, newest first; of equal ones all, or the first that is met."""
    newest: list[Any] = []
    for value in reversed(values):
        if not (feature.distinct and value in newest):  # type: ignore[attr-defined]
            newest.append(value)
    return newest[: feature.sequence]  # type: ignore[attr-defined]


# By kind: values (at least one) and the feature.
KINDS: dict[str, Callable[[list[Any], FeatureBase], Any]] = {
    "mean": lambda values, _: float(total(values)) / len(values),
    "std": lambda values, _: _std(values),
    "min": lambda values, _: min(values, key=ordered),
    "max": lambda values, _: max(values, key=ordered),
    "first": lambda values, _: values[0],
    "last": lambda values, _: values[-1],
    "top": _top,
    "sequence": _sequence,
    "median": lambda values, _: _quantile(values, Fraction(1, 2)),
    "quantile": lambda values, feature: _quantile(values, Fraction(str(feature.q))),  # type: ignore[attr-defined]
    "mode": lambda values, _: min(values, key=lambda value: (-values.count(value), ordered(value))),
    "entropy": lambda values, _: _entropy(values),
}


def total(values: Iterable[Any]) -> int | float:
    """The exact sum, rounded once if any value is a float."""
    values = list(values)
    exact = _exact(values)
    return float(exact) if any(isinstance(value, float) for value in values) else int(exact)


def _exact(values: Iterable[Any]) -> Fraction:
    return sum(map(Fraction, values), Fraction(0))


def _std(values: list[Any]) -> float | None:
    """The exact sample variance's square root, rounded once."""
    n = len(values)
    if n < 2:
        return None
    squares = sum((Fraction(value) ** 2 for value in values), Fraction(0))
    return root((squares - _exact(values) ** 2 / n) / (n - 1))


def root(square: Fraction) -> float:
    """The square root, rounded once: the nearest float, of two that are equally near the even one."""
    wide = Context(prec=60, Emin=-5000, Emax=5000)
    near = float(wide.sqrt(wide.divide(Decimal(square.numerator), Decimal(square.denominator))))
    if near in (0.0, math.inf):
        return near
    for low, high in ((math.nextafter(near, 0), near), (near, math.nextafter(near, math.inf))):
        if high == math.inf:
            continue
        middle = (Fraction(low) + Fraction(high)) / 2
        if low == near and (square > middle**2 or (square == middle**2 and _odd(low))):
            return high
        if high == near and (square < middle**2 or (square == middle**2 and _odd(high))):
            return low
    return near


def _odd(value: float) -> bool:
    """Whether the last bit of a float is 1."""
    return bool(struct.unpack("<q", struct.pack("<d", value))[0] & 1)
