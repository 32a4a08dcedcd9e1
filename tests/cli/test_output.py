"""JSON is JSON for any value a feature can have, and people get readable values."""

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from limner.cli import output
from limner.cli.commands.history import to_csv


def test_json_holds_every_kind_of_value(capsys: pytest.CaptureFixture[str]) -> None:
    """Instants in ISO 8601 UTC, vectors as lists, NaN and infinities as null."""
    moment = datetime(2026, 1, 31, 6, tzinfo=UTC)
    value = {
        "at": moment,
        "vector": np.array([0.5, np.nan], np.float32),
        "n": np.int64(3),
        "bad": float("inf"),
        "none": None,
    }
    output.emit_json(value)
    expected = {"at": "2026-01-31T06:00:00Z", "vector": [0.5, None], "n": 3, "bad": None, "none": None}
    assert json.loads(capsys.readouterr().out) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.1 + 0.2, "0.3"),
        (1234567.891, "1.23457e+06"),
        (["a", "b"], "a, b"),
        ([], "-"),
        ({"web": 0.1 + 0.2, "app": 2}, "web 0.3, app 2"),
        ({}, "-"),
        ([0.125] * 384, "[0.1250, 0.1250, 0.1250, 0.1250, … 384 numbers]"),
        (datetime(2026, 1, 31, 6, tzinfo=UTC), "2026-01-31 06:00:00Z"),
    ],
)
def test_people_get_short_values(value: object, text: str) -> None:
    """A vector of 384 numbers is shown by its first four."""
    assert output.brief(value) == text


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "1970-01-01 00:00:00Z"), (-1, "1969-12-31 23:59:59.999999Z"), (None, "-")]
)
def test_instants_are_exact_to_the_microsecond(micros: int | None, text: str) -> None:
    """Also before 1970."""
    assert output.instant(micros) == text


def test_a_training_set_as_csv_holds_lists_and_maps_as_json() -> None:
    """A cell that is not one number or text is JSON."""
    table = pa.table(
        {
            "n": [1, None],
            "tags": pa.array([["a", "b"], []], pa.list_(pa.string())),
            "spend": pa.array([{"web": 2.5, "app": 1.0}, None], pa.map_(pa.string(), pa.float64())),
        }
    )
    expected = 'n,tags,spend\n1,"[""a"", ""b""]","{""web"": 2.5, ""app"": 1.0}"\n,[],\n'
    assert to_csv(table) == expected
