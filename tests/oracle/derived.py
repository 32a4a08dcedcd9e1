"""Derived features in the plainest Python: from the values of one row, and of all entities as of a fit's instant."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np

from limner.language.derivation import derivations, in_order
from limner.language.derived_base import Derived
from limner.language.models import FeatureView
from tests.oracle.conditions import value_of
from tests.oracle.instants import to_micros
from tests.oracle.values import root

Row = dict[str, Any]
Population = Callable[[int, str], Sequence[Any]]
"""Instant (µs) and output: the values that all entities had as of that instant."""
DIM = 4  # of every encoder
LARGEST = float(np.finfo(np.float32).max)


def derived(view: FeatureView, values: Mapping[str, Any], instant: int, population: Population) -> Row:
    """The derived outputs of a view at an instant, from the values of its other outputs."""
    known = dict(values)
    for name in in_order(view.features):
        feature = view.features[name]
        assert isinstance(feature, Derived)
        for each in derivations(view.features, name):
            operands = {operand: [(output, known[output]) for output in outputs] for operand, outputs in each.inputs}
            known[each.name] = _value(feature, operands, instant, population)
    return {name: value for name, value in known.items() if name not in values}


def _value(feature: Any, operands: dict[str, list[tuple[str, Any]]], instant: int, population: Population) -> Any:  # noqa: PLR0911 - one a kind
    if feature.kind == "expression":
        return value_of(feature.expression.text, {name: only[0][1] for name, only in operands.items()})
    if feature.kind == "vector":
        return _vector(feature, operands, instant, population)
    if feature.kind == "ratio":
        above, below = (operands[name][0][1] for name in feature.ratio)
        return None if above is None or not below else _finite(float(above) / float(below))
    ((output, value),) = operands[getattr(feature, feature.kind)]
    if feature.kind == "one_hot":
        return _one_hot(value, feature.categories, feature.other)
    if value is None or (feature.fitted is not None and instant < feature.fitted):
        return None
    match feature.kind:
        case "bucket":
            reached = sum(_reaches(value, bound) for bound in feature.bounds)
            return reached if feature.labels is None else feature.labels[reached]
        case "log1p":
            return value_of("log1p(x)", {"x": value})
        case "hash":
            value = to_micros(value) if isinstance(value, datetime) else value
            whole = isinstance(value, float) and value == int(value)
            text = value if isinstance(value, str) else str(int(value) if whole else value).lower()
            return int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) % feature.buckets
    return _standard(feature.kind, value, population(feature.fitted, output))


def _reaches(value: Any, bound: Any) -> bool:
    """Whole numbers beside each other are compared as such, others as floats."""
    if isinstance(value, float) or isinstance(bound, float):
        return float(value) >= float(bound)
    return bool(value >= bound)


def _standard(how: str, value: Any, everybody: Sequence[Any]) -> float | None:
    """Compared with what all entities had."""
    there = [float(each) for each in everybody if each is not None]
    if not there:
        return None
    if how == "minmax":
        center, width = min(there), max(there) - min(there)
    else:
        exact = [Fraction(each) for each in there]
        mean = sum(exact, Fraction(0)) / len(exact)
        center = float(mean)
        width = root(sum((each**2 for each in exact), Fraction(0)) / len(exact) - mean**2)
    return None if width == 0 or math.isinf(width) else _finite((float(value) - center) / width)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _one_hot(value: Any, categories: Sequence[Any], other: bool) -> list[float]:
    places = [float(value is not None and each == value) for each in categories]
    return [*places, float(value is not None and not any(places))] if other else places


def _vector(
    feature: Any, operands: dict[str, list[tuple[str, Any]]], instant: int, population: Population
) -> list[float] | None:
    if feature.fit is not None and instant < feature.fit:
        return None
    found: list[float] = []
    for part in feature.vector:
        if hasattr(part, "scalars"):
            places = [
                _scaled(part.scale, value, output, feature.fit, population)
                for name in part.scalars
                for output, value in operands[name]
            ]
        elif hasattr(part, "categories"):
            places = _one_hot(operands[part.categories][0][1], part.values, part.other)
        else:
            vector = operands[part.embedding][0][1]
            places = [0.0] * DIM if vector is None else [float(np.float32(each)) for each in vector]
        found += [each * float(part.weight) for each in places]
    found = [min(max(each, -LARGEST), LARGEST) for each in found]
    if feature.normalize:
        square = 0.0
        for each in found:
            square += each * each
        length = math.sqrt(square)
        found = [each / length if length > 0 else each for each in found]
    return [float(np.float32(each)) for each in found]


def _scaled(how: str, value: Any, output: str, fit: int, population: Population) -> float:
    if value is None:
        return 0.0
    if how == "none":
        return float(value)
    scaled = value_of("log1p(x)", {"x": value}) if how == "log1p" else _standard(how, value, population(fit, output))
    return 0.0 if scaled is None else float(scaled)
