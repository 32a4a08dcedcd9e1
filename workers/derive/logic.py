"""Comparison, logic of three values, and text in expressions."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.language.durations import parse_instant
from limner.workers.derive.values import Array, Bools, Value, as_float


def alike(values: Sequence[Value]) -> list[Value]:
    """All of one type: numbers are floats where one of them is, texts beside a timestamp are instants."""
    kinds = {value.kind for value in values}
    if kinds == {"int", "float"}:
        return [Value("float", as_float(value), value.null) for value in values]
    if kinds == {"timestamp", "string"}:
        return [_instant(value) if value.kind == "string" else value for value in values]
    return list(values)


def compare(op: str, left: Value, right: Value) -> Value:
    """One of the six comparisons; texts by their UTF-8 bytes, false before true, NaN after all numbers."""
    left, right = alike((left, right))
    null = left.null | right.null
    if op in (">", ">="):
        op, left, right = {">": "<", ">=": "<="}[op], right, left
    if op == "<>":
        return Value("bool", ~_equal(left, right), null)
    data = _equal(left, right) if op in ("=", "<=") else np.zeros(1, bool)
    return Value("bool", data | _less(left, right) if op in ("<", "<=") else data, null)


def conjunction(left: Value, right: Value) -> Value:
    """`and`: false if either is, else null if either is."""
    no = (~left.null & ~_truth(left)) | (~right.null & ~_truth(right))
    return Value("bool", ~no, ~no & (left.null | right.null))


def negation(value: Value) -> Value:
    """`not`."""
    return Value("bool", ~_truth(value), value.null)


def disjunction(left: Value, right: Value) -> Value:
    """`or`: true if either is, else null if either is."""
    return negation(conjunction(negation(left), negation(right)))


def member(value: Value, options: Sequence[Value]) -> Value:
    """`in`: whether it is one of some constants."""
    value, *options = alike((value, *options))
    found = np.zeros(1, bool)
    for option in options:
        found = found | _equal(value, option)
    return Value("bool", found, value.null)


def choose(condition: Value, then: Value, otherwise: Value) -> Value:
    """`if`: null conditions count as false."""
    then, otherwise = alike((then, otherwise))
    yes = _truth(condition) & ~condition.null
    return Value(then.kind, np.where(yes, then.data, otherwise.data), np.where(yes, then.null, otherwise.null))


def coalesce(values: Sequence[Value]) -> Value:
    """The first that is not null."""
    first, *rest = alike(values)
    for value in rest:
        data = np.where(first.null, value.data, first.data)
        first = Value(first.kind, data, first.null & value.null)
    return first


def extreme(op: str, values: Sequence[Value]) -> Value:
    """`least` and `greatest` of those that are not null."""
    best, *rest = alike(values)
    for value in rest:
        before = _less(value, best) if op == "least" else _less(best, value)
        taken = ~value.null & (best.null | before)
        best = Value(best.kind, np.where(taken, value.data, best.data), best.null & value.null)
    return best


def text(op: str, value: Value) -> Value:
    """`lower`, `upper` (letter by letter) and `length` (characters)."""
    if op == "length":
        return Value("int", np.array([len(each) for each in value.data], np.int64), value.null)
    return Value("string", _mapped(op, value.data), value.null)


def like(value: Value, pattern: str, *, fold: bool) -> Value:
    """Whether the whole text matches: `%` any text, `_` any character, `\\` nothing special; `fold`: in lower case."""
    texts = _mapped("lower", value.data) if fold else value.data
    wanted = str(_mapped("lower", np.array([pattern], object))[0]) if fold else pattern
    parts = {"%": ".*", "_": "."}
    matches = re.compile("".join(parts.get(c) or re.escape(c) for c in wanted), re.DOTALL).fullmatch
    return Value("bool", np.array([matches(each) is not None for each in texts], bool), value.null)


def _mapped(op: str, data: Array) -> Array:
    function = pc.utf8_lower if op == "lower" else pc.utf8_upper
    mapped: Array = function(pa.array(data, pa.string())).to_numpy(zero_copy_only=False)
    return mapped


def _instant(value: Value) -> Value:
    micros = [0 if null else parse_instant(each) for each, null in zip(value.data, value.null, strict=True)]
    return Value("timestamp", np.array(micros, np.int64), value.null)


def _truth(value: Value) -> Bools:
    return np.asarray(value.data, bool)


def _equal(left: Value, right: Value) -> Bools:
    equal = np.asarray(left.data == right.data, bool)
    return equal | (_nan(left) & _nan(right)) if left.kind == "float" else equal


def _less(left: Value, right: Value) -> Bools:
    less = np.asarray(left.data < right.data, bool)
    return less | (~_nan(left) & _nan(right)) if left.kind == "float" else less


def _nan(value: Value) -> Bools:
    return np.isnan(value.data)
