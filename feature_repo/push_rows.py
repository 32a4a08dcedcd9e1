"""Rows of a data frame as the JSON that events are."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from limner.language.errors import LimnerError

_EXACT = 2**53  # a whole number of up to so much is the same as a float


class _UnwrittenError(Exception):
    """The value is nothing that JSON says."""


def rows_of(frame: pd.DataFrame) -> list[bytes]:
    """A JSON object a row; the index is left out. LimnerError names a column that JSON cannot say, or that comes twice.

    None, NaN, NaT and NA are null. A float that is a whole number is written without a fraction: integers beside a
    missing value are floats in pandas. Instants are ISO 8601, with an offset in UTC, naive as they are: the source says
    in which time zone. Decimals and UUIDs are texts. An infinity is written as what JSON does not know, so that the
    event is refused, and no other one with it.
    """
    names = [str(name) for name in frame.columns]
    wrong = [name for name in frame.columns if not isinstance(name, str)]
    if wrong:
        raise LimnerError(f"column {wrong[0]!r}: the names of columns have to be texts")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LimnerError(f"column {twice[0]!r} comes twice")
    columns = [_column(name, frame.iloc[:, place]) for place, name in enumerate(names)]
    rows = zip(*columns, strict=True)
    return [json.dumps(dict(zip(names, row, strict=True))).encode() for row in rows]


def _column(name: str, values: "pd.Series[Any]") -> list[Any]:
    found = []
    for place, value in enumerate(values.tolist()):
        try:
            found.append(_plain(value))
        except (_UnwrittenError, RecursionError, OverflowError):
            kind = type(value).__name__
            raise LimnerError(
                f"column {name!r}, row {place}: JSON knows no {kind}: give a text, number, instant, list or object"
            ) from None
    return found


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one a type
    """As `json` writes it."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    match value:
        case bool() | int():
            return value
        case str() | UUID():
            return str(value)
        case float():
            return _number(float(value))
        case Decimal():
            return None if value.is_nan() else format(value, "f")
        case np.datetime64():
            return _plain(pd.Timestamp(value))
        case datetime():
            return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
        case date() | time():
            return value.isoformat()
        case np.ndarray():
            return [_plain(each) for each in value.tolist()] if value.ndim else _plain(value.item())
        case np.bool_() | np.number() if type(value.item()) in (bool, int, float):
            return _plain(value.item())
        case Mapping():
            return _object(value)
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return [_plain(each) for each in value]
    raise _UnwrittenError


def _object(value: Mapping[Any, Any]) -> dict[str, Any]:
    if not all(isinstance(key, str) for key in value):
        raise _UnwrittenError
    return {key: _plain(each) for key, each in value.items()}


def _number(value: float) -> float | int | None:
    if math.isnan(value):
        return None
    whole = value.is_integer() and abs(value) <= _EXACT and (value != 0 or math.copysign(1, value) > 0)
    return int(value) if whole else value
