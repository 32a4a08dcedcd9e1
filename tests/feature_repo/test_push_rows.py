"""A data frame as events: each value as JSON says it, whatever pandas makes of its column."""

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.feature_repo.push_rows import rows_of
from limner.language.errors import LimnerError
from limner.workers.stream.events import RefusedError, _object

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
INTS = st.integers(-(2**63), 2**63 - 1)
SAFE = st.integers(-(2**53), 2**53)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INSTANTS = st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1))
JSON = st.recursive(
    st.none() | st.booleans() | SAFE | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def values(*columns: "pd.Series[Any]") -> list[list[Any]]:
    """What the events say, a list a column."""
    frame = pd.concat(columns, axis=1, keys=[f"c{n}" for n in range(len(columns))]) if columns else pd.DataFrame()
    rows = [json.loads(body) for body in rows_of(frame)]
    return [[row[f"c{n}"] for row in rows] for n in range(len(columns))]


def same(found: Any, wanted: Any) -> bool:
    """Equal, and of equal types but for whole floats."""
    return bool(found == wanted and isinstance(found, bool) == isinstance(wanted, bool))


@given(st.lists(st.none() | INTS | st.booleans() | FLOATS | TEXTS | JSON, min_size=1, max_size=8))
def test_objects_are_themselves(given_values: list[Any]) -> None:
    """A column of anything."""
    (found,) = values(pd.Series(given_values, dtype=object))
    assert all(same(a, b) for a, b in zip(found, given_values, strict=True))


@given(st.lists(INTS, min_size=1), st.data())
def test_integers_are_exact_with_and_without_missing_values(numbers: list[int], data: st.DataObject) -> None:
    """As pandas, Arrow or NumPy hold them; beside NaN as far as floats are exact."""
    holes = data.draw(st.lists(st.booleans(), min_size=len(numbers), max_size=len(numbers)))
    some: list[int | None] = [None if hole else number for number, hole in zip(numbers, holes, strict=True)]
    small = [None if each is None else each % 2**53 for each in some]
    nullable, arrow = pd.Series(some, dtype="Int64"), pd.Series(some, dtype=pd.ArrowDtype(pa.int64()))
    beside = pd.Series([math.nan if each is None else float(each) for each in small])
    found = values(pd.Series(numbers, dtype="int64"), nullable, arrow, beside, nullable.astype(object))
    assert found == [numbers, some, some, small, some]
    assert all(type(each) in (int, type(None)) for column in found for each in column)


@given(st.lists(st.none() | st.floats(allow_infinity=False), min_size=1))
def test_floats_are_exact(numbers: list[float | None]) -> None:
    """To the last bit and the sign of zero; NaN is null."""
    wanted = [None if each is None or math.isnan(each) else each for each in numbers]
    narrow = np.array([0.1 if each is None or abs(each) > 1e38 else each for each in numbers], "float32")
    found = values(
        pd.Series(numbers, dtype="float64"),
        pd.Series(numbers, dtype=pd.ArrowDtype(pa.float64())),
        pd.Series(list(narrow), dtype=object),
    )
    for column in found[:2]:
        assert column == wanted
        pairs = zip(column, wanted, strict=True)
        assert all(b is None or math.copysign(1, a) == math.copysign(1, b) for a, b in pairs)
    assert found[2] == [None if math.isnan(each) else float(each) for each in narrow]


@given(st.lists(st.none() | INSTANTS, min_size=1), st.integers(-720, 840))
def test_instants_keep_their_microsecond_and_their_meaning(instants: list[datetime | None], minutes: int) -> None:
    """Aware ones are the same instant, naive ones the same text, as pandas, Python and Arrow hold them."""
    zone = timezone(timedelta(minutes=minutes))
    aware = [None if each is None else each.replace(tzinfo=zone) for each in instants]
    found = values(
        pd.Series(instants, dtype="datetime64[us]"),
        pd.Series(instants, dtype=object),
        pd.Series(pd.to_datetime(pd.Series(aware, dtype=object), utc=True)),
        pd.Series(aware, dtype=object),
        pd.Series([each and each.astimezone(UTC) for each in aware], dtype=pd.ArrowDtype(pa.timestamp("us", "UTC"))),
    )
    for column in found[:2]:
        assert column == [None if each is None else each.isoformat() for each in instants]
    for column in found[2:]:
        assert [each and datetime.fromisoformat(each) for each in column] == aware
        assert all(each is None or each.endswith("+00:00") for each in column)


def test_other_types_are_what_a_person_would_write() -> None:
    frame = pd.DataFrame(
        {
            "list": [np.array([1.0, math.nan]), (1, None)],
            "decimal": [Decimal("1.10"), Decimal("NaN")],
            "date": [date(2026, 1, 2), None],
            "id": [UUID(int=1), np.str_("x")],
            "kind": pd.Categorical(["a", None]),
            "flag": pd.array([True, None], dtype="boolean"),
            "cell": [np.float32(0.5), np.datetime64("2026-01-02T03:04:05.000001")],
            "fine": [pd.Timestamp("2026-01-02T03:04:05.000000001"), pd.NaT],
            "odd": [pd.NA, {"a": [np.int64(1), np.bool_(True)]}],
        },
        index=[7, 7],
    )
    first, second = (json.loads(body) for body in rows_of(frame))
    assert first == {
        "list": [1, None], "decimal": "1.10", "date": "2026-01-02", "id": "00000000-0000-0000-0000-000000000001",
        "kind": "a", "flag": True, "cell": 0.5, "fine": "2026-01-02T03:04:05.000000001", "odd": None,
    }  # fmt: skip
    assert second == {
        "list": [1, None], "decimal": None, "date": None, "id": "x", "kind": None, "flag": None,
        "cell": "2026-01-02T03:04:05.000001", "fine": None, "odd": {"a": [1, True]},
    }  # fmt: skip


@pytest.mark.parametrize("value", [b"x", timedelta(1), {1}, 1j, np.longdouble(1), {1: 2}, np.timedelta64(1, "s")])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(LimnerError, match="column 'x', row 1: JSON knows no "):
        rows_of(pd.DataFrame({"x": pd.Series([1, value], dtype=object)}))


def test_columns_need_names_of_their_own() -> None:
    with pytest.raises(LimnerError, match="column 'x' comes twice"):
        rows_of(pd.DataFrame([[1, 2]], columns=["x", "x"]))
    with pytest.raises(LimnerError, match="column 0: the names"):
        rows_of(pd.DataFrame([[1, 2]]))


def test_an_infinity_is_left_for_the_worker_to_refuse() -> None:
    """Of the event that it is in."""
    first, second = rows_of(pd.DataFrame({"x": [math.inf, 1.5]}))
    with pytest.raises(RefusedError, match="Infinity is no number"):
        _object(first)
    assert _object(second) == {"x": 1.5}
