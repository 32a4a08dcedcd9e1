"""Casts: what each kind of column gives as each logical type, and what cannot be read."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.language.errors import LimnerError
from limner.workers.sources.duck import connection
from limner.workers.sources.instants import Instants
from limner.workers.sources.values import read_as
from tests.workers.sources import world

BAD = object()


def cast(values: Any, physical: str, target: Any) -> list[Any]:
    with connection(None, threads=1) as database:
        database.register("given", pa.table({"x": values}))
        expression = read_as(target, "x", physical, "Europe/Paris", Instants(database))
        return [row[0] for row in database.execute(f"SELECT {expression} FROM given").fetchall()]


@pytest.mark.parametrize(
    ("target", "text", "value"),
    [
        ("int", "12", 12), ("int", " -7 ", -7), ("int", "+3", 3), ("int", "12.0", 12), ("int", "12.", 12),
        ("int", "9223372036854775807", 2**63 - 1), ("int", "9223372036854775808", BAD), ("int", "12.5", BAD),
        ("int", "1_000", BAD), ("int", "0x1F", BAD), ("int", "1e3", BAD), ("int", "abc", BAD), ("int", "", BAD),
        ("float", "1.5", 1.5), ("float", ".5", 0.5), ("float", "1e-300", 1e-300), ("float", " 2. ", 2.0),
        ("float", "1_0", BAD), ("float", "1,5", BAD), ("float", "x", BAD), ("float", "", BAD),
        ("bool", "TRUE", True), ("bool", "no", False), ("bool", "1", True), ("bool", "2", BAD), ("bool", "", BAD),
        ("string", " a ", " a "), ("string", "", ""),
    ],
)  # fmt: skip
def test_text_is_read_strictly(target: str, text: str, value: Any) -> None:
    assert cast(pa.array([text, None]), "VARCHAR", target) == [None if value is BAD else value, None]


@pytest.mark.parametrize(
    ("target", "given_value", "kind", "value"),
    [
        ("int", 3.0, pa.float64(), 3), ("int", 3.5, pa.float64(), BAD), ("int", 1e300, pa.float64(), BAD),
        ("int", float("nan"), pa.float64(), BAD), ("int", True, pa.bool_(), 1), ("int", 2**64 - 1, pa.uint64(), BAD),
        ("float", 7, pa.int64(), 7.0), ("float", False, pa.bool_(), 0.0),
        ("float", Decimal("1.50"), pa.decimal128(9, 2), 1.5),
        ("string", 7, pa.int64(), "7"), ("string", 0.1, pa.float64(), "0.1"), ("string", 1e16, pa.float64(), "1e+16"),
        ("string", True, pa.bool_(), "true"), ("bool", 0, pa.int64(), False), ("bool", 0.5, pa.float64(), BAD),
        ("string", 1_500_000, pa.timestamp("us", "UTC"), "1970-01-01T00:00:01.500000+00:00"),
        ("string", 0, pa.timestamp("us"), "1969-12-31T23:00:00+00:00"),
    ],
)  # fmt: skip
def test_typed_columns_are_read_without_guessing(target: str, given_value: Any, kind: Any, value: Any) -> None:
    names = {
        "double": "DOUBLE", "bool": "BOOLEAN", "uint64": "UBIGINT", "int64": "BIGINT",
        "decimal128(9, 2)": "DECIMAL(9,2)", "timestamp[us]": "TIMESTAMP",
        "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
    }  # fmt: skip
    assert cast(pa.array([given_value], kind), names[str(kind)], target) == [None if value is BAD else value]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_floats_as_text_read_back_the_same(values: list[float]) -> None:
    written = cast(pa.array(values), "DOUBLE", "string")
    assert [float(text) for text in written] == values
    assert written == [repr(value) for value in values]
    assert cast(pa.array(written), "VARCHAR", "float") == values


def test_timestamps_cannot_be_cast_to_numbers() -> None:
    with pytest.raises(LimnerError, match="holds timestamps, which cannot be read as int"):
        cast(world.micros(0), "TIMESTAMP WITH TIME ZONE", "int")


def test_a_failed_cast_puts_the_row_into_quarantine_with_its_column_and_type(tmp_path: Path) -> None:
    world.write(tmp_path, "events", {"user": [1, 2, 3], "ts": world.micros(1, 2, 3), "n": ["5", "five", None]})
    specs = world.specs(world.source(event_timestamp="ts", clean={"cast": {"n": "int"}}))
    result, rows = world.prepared(tmp_path, specs, ["n"])
    assert [(row["user"], row["n"]) for row in rows] == [(1, 5), (3, None)]
    assert result.quarantined == {"cannot read n as int": 1}
    assert [(row["reason"], row["n"], row["user"]) for row in world.quarantined(result)] == [
        ("cannot read n as int", "five", "2")
    ]


def test_not_a_number_is_null_although_the_files_statistics_do_not_know_it(tmp_path: Path) -> None:
    world.write(tmp_path, "events", {"user": [1, 2], "ts": world.micros(1, 2), "x": [1.0, float("nan")]})
    source = world.source(event_timestamp="ts", clean={"missing": {"x": "quarantine"}})
    result, rows = world.prepared(tmp_path, world.specs(source), ["x"])
    assert [row["x"] for row in rows] == [1.0]
    assert result.quarantined == {"x is missing": 1}


def test_not_a_number_is_null_and_an_infinity_is_quarantined(tmp_path: Path) -> None:
    values = [1.0, float("nan"), float("inf"), float("-inf")]
    world.write(
        tmp_path, "events", {"user": [1, 2, 3, 4], "ts": world.micros(1, 2, 3, 4), "x": values, "y": values[::-1]}
    )
    result, rows = world.prepared(tmp_path, world.specs(world.source(event_timestamp="ts")), ["x"])
    assert [(row["user"], row["x"]) for row in rows] == [(1, 1.0), (2, None)]
    assert result.quarantined == {"x is not finite": 2}
