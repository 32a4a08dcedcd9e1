"""What a request may bring: each type, what stands for it, and what is refused."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from limner.language.errors import LimnerError
from limner.workers.online.pack import Column
from limner.workers.request.fields import columns_of, typed

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def read(base: Any, value: Any, dim: int | None = None) -> Any:
    return columns_of([{"x": value}], [Column("x", base, dim=dim)])["x"][0].as_py()


@pytest.mark.parametrize(
    ("base", "value", "expected"),
    [
        ("int", 3, 3),
        ("int", np.int32(3), 3),
        ("int", 3.0, 3),
        ("int", None, None),
        ("int", float("nan"), None),
        ("float", 3, 3.0),
        ("float", 2**60 + 1, float(2**60 + 1)),
        ("float", 2.5, 2.5),
        ("float", np.float32(0.5), 0.5),
        ("float", float("nan"), None),
        ("string", "x", "x"),
        ("bool", True, True),
        ("timestamp", NOON, NOON),
        ("timestamp", NOON.replace(tzinfo=None), NOON),
        ("timestamp", NOON.astimezone(timezone(timedelta(hours=8))), NOON),
        ("timestamp", "2026-01-01T13:00:00+01:00", NOON),
        ("timestamp", "2026-01-01T12:00", NOON),
        ("timestamp", pd.Timestamp("2026-01-01T12:00"), NOON),
        ("timestamp", np.datetime64("2026-01-01T12:00:00", "s"), NOON),
    ],
)  # fmt: skip
def test_a_value_is_read_as_its_field_says(base: str, value: Any, expected: Any) -> None:
    assert read(base, value) == expected


def test_a_vector_is_float32() -> None:
    assert read("float", [0.1, 1], 2) == [float(np.float32(0.1)), 1.0]
    assert read("float", np.array([1.5, 2.5]), 2) == [1.5, 2.5]
    assert read("float", None, 2) is None


@pytest.mark.parametrize(
    ("base", "value", "dim", "says"),
    [
        ("int", 2.5, None, "an integer"),
        ("int", "3", None, "is an integer: found '3'"),
        ("int", True, None, "is an integer: found True"),
        ("float", "3", None, "is a number: found '3'"),
        ("float", float("inf"), None, "found an infinite one"),
        ("string", 3, None, "is a string: found 3"),
        ("bool", 1, None, "is true or false: found 1"),
        ("timestamp", "noon", None, "is an instant such as"),
        ("timestamp", 5, None, "is an instant such as 2026-01-31T12:00:00Z: found 5"),
        ("float", [1.0], 2, "is a vector of 2 numbers: found 1"),
        ("float", 1.0, 2, "is a vector of 2 numbers: found 1.0"),
        ("float", [1.0, float("nan")], 2, "found one that is null or not finite"),
        ("float", [1.0, 1e300], 2, "found one that is null or not finite"),
        ("float", ["a", "b"], 2, "is a vector of 2 numbers"),
    ],
)
def test_another_type_is_refused(base: str, value: Any, dim: int | None, says: str) -> None:
    with pytest.raises(LimnerError, match=f"the request's 'x' is .*{says}|{says}"):
        read(base, value, dim)


def test_columns_of_a_training_set_are_read_alike() -> None:
    """Nanoseconds are cut to the microsecond below, dictionaries and chunks are no obstacle."""
    stamps = pa.array([-1, 1_999], pa.timestamp("ns"))
    assert typed(stamps, Column("x", "timestamp")).cast(pa.int64()).to_pylist() == [-1, 1]
    words = pa.chunked_array([pa.array(["a", None]).dictionary_encode(), pa.array(["b"]).dictionary_encode()])
    assert typed(words, Column("x", "string")).to_pylist() == ["a", None, "b"]
    gaps = pa.array(pd.Series([1, None, 3]), from_pandas=True)
    assert typed(gaps, Column("x", "int")).to_pylist() == [1, None, 3]
    assert typed(pa.nulls(2), Column("x", "float", dim=3)).type == pa.list_(pa.float32())
