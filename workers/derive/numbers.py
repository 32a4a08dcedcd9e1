"""Arithmetic of expressions: int64 that leaves 64 bits is null, floats are IEEE 754, division by zero is null.

Logarithms and exponentials go through `math`, value by value: NumPy's vector units round some of them otherwise,
depending on where in a batch a number stands.
"""

import math
from collections.abc import Callable

import numpy as np

from limner.workers.derive.values import Array, Bools, Value, as_float

_LEAST = np.int64(-(2**63))
_SAFE = 2.0**62


def binary(op: str, left: Value, right: Value) -> Value:
    """`+`, `-`, `*`, `/` and `%`; whole numbers stay whole, except with `/`."""
    null = left.null | right.null
    with np.errstate(all="ignore"):
        if op != "/" and left.kind == right.kind == "int":
            data, lost = _WHOLE[op](left.data, right.data)
            return Value("int", data, null | lost)
        a, b = as_float(left), as_float(right)
        if op in "/%":
            null = null | (b == 0)
            return Value("float", a / b if op == "/" else np.fmod(a, b), null)
        return Value("float", {"+": np.add, "-": np.subtract, "*": np.multiply}[op](a, b), null)


def unary(op: str, value: Value) -> Value:
    """`negate` and `abs`."""
    data = np.negative(value.data) if op == "negate" else np.abs(value.data)
    lost = value.data == _LEAST if value.kind == "int" else np.zeros(1, bool)
    return Value(value.kind, data, value.null | lost)


def function(op: str, value: Value) -> Value:
    """ln, log1p, exp, sqrt, round (half away from zero), floor, ceil: floats; null outside of their domain."""
    data, null = as_float(value), value.null
    outside = _OUTSIDE[op](data) if op in _OUTSIDE else np.zeros(1, bool)
    with np.errstate(all="ignore"):
        return Value("float", _FUNCTIONS[op](data), null | outside)


def _round(data: Array) -> Array:
    whole = np.trunc(data)
    return np.where(np.abs(data - whole) >= 0.5, whole + np.copysign(1.0, data), whole)


def log1p(data: Array) -> Array:
    """ln(1 + x) by W. Kahan's formula, which is accurate near 0 and written in SQL the same way."""
    whole = 1.0 + data
    return np.where(whole == 1.0, data, each(log, whole) * (data / (whole - 1.0)))


def log(value: float) -> float:
    """The natural logarithm; NaN where there is none."""
    return math.log(value) if value > 0 else math.nan


def each(function: Callable[[float], float], data: Array) -> Array:
    """`function` of every value, computed once a distinct value."""
    distinct, where = np.unique(data, return_inverse=True)
    return np.array([function(value) for value in distinct.tolist()], np.float64)[where].reshape(data.shape)


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _add(a: Array, b: Array) -> tuple[Array, Bools]:
    total = a + b
    return total, ((a ^ total) & (b ^ total)) < 0


def _subtract(a: Array, b: Array) -> tuple[Array, Bools]:
    rest = a - b
    return rest, ((a ^ b) & (a ^ rest)) < 0


def _multiply(a: Array, b: Array) -> tuple[Array, Bools]:
    product = a * b
    large = np.abs(a.astype(np.float64) * b.astype(np.float64)) > _SAFE
    if large.any():
        a, b = np.broadcast_arrays(a, b)
        places = np.flatnonzero(large)
        exact = [int(x) * int(y) for x, y in zip(a[places], b[places], strict=True)]
        large[places] = [not -(2**63) <= value < 2**63 for value in exact]
    return product, large


def _remainder(a: Array, b: Array) -> tuple[Array, Bools]:
    """The sign is the dividend's."""
    nothing = (b == 0) | ((a == _LEAST) & (b == -1))
    return np.fmod(a, np.where(nothing, 1, b)), nothing


_WHOLE: dict[str, Callable[[Array, Array], tuple[Array, Bools]]] = {
    "+": _add, "-": _subtract, "*": _multiply, "%": _remainder,
}  # fmt: skip
_OUTSIDE: dict[str, Callable[[Array], Bools]] = {
    "ln": lambda data: data <= 0, "log1p": lambda data: data <= -1, "sqrt": lambda data: data < 0,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round": _round,
    "sqrt": np.sqrt,
    "ln": lambda data: each(log, data),
    "exp": lambda data: each(_exp, data),
    "log1p": log1p,
}
