"""The packed value: what goes in comes out, bit for bit, and nothing is guessed."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.language.errors import LimnerError
from limner.workers.online.pack import EPOCH, Column, Layout

INT64 = st.integers(-(2**63), 2**63 - 1)
MICROS = st.integers(-(2**52), 2**52)
BASES = {
    "int": INT64,
    "float": st.floats(allow_nan=False),
    "string": st.text(max_size=20),
    "bool": st.booleans(),
    "timestamp": MICROS.map(lambda n: EPOCH + timedelta(microseconds=n)),
}


def values_of(column: Column) -> st.SearchStrategy[object]:
    if column.dim is not None:
        one = st.lists(st.floats(width=32, allow_nan=False), min_size=column.dim, max_size=column.dim)
    elif column.keyed:
        entries = st.dictionaries(st.text(max_size=8), BASES[column.base], max_size=3)
        one = entries.map(lambda found: dict(sorted(found.items())))
    else:
        one = st.lists(BASES[column.base], max_size=4) if column.many else BASES[column.base]
    return st.none() | one


@st.composite
def tables(draw: st.DrawFn) -> tuple[Layout, pa.Table]:
    kinds = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(BASES)), st.sampled_from(["one", "many", "vector", "keyed"])),
            min_size=1,
            max_size=8,
        )
    )
    columns = [
        Column(f"c{n}", "float", dim=3)
        if shape == "vector"
        else Column(f"c{n}", base, many=shape == "many", keyed=shape == "keyed")
        for n, (base, shape) in enumerate(kinds)
    ]
    rows = draw(st.integers(0, 4))
    data = {c.name: pa.array([draw(values_of(c)) for _ in range(rows)], c.arrow) for c in columns}
    return Layout(columns), pa.table(data)


@given(tables())
def test_every_value_comes_back(case: tuple[Layout, pa.Table]) -> None:
    """Rows come back one by one and column by column, of every type, null or not."""
    layout, table = case
    packed = layout.pack(table)
    expected = table.to_pylist(maps_as_pydicts="strict")
    for value, row in zip(packed, expected, strict=True):
        layout.check(value)
        assert {c.name: layout.get(value, n) for n, c in enumerate(layout.columns)} == row
    for position, column in enumerate(layout.columns):
        array = layout.arrow([*packed, None], position)
        array.validate(full=True)
        assert array.type == column.arrow
        assert array.to_pylist() == [*table.column(column.name).to_pylist(), None]  # a map's entries in order


def test_a_column_costs_its_own_bytes() -> None:
    """A profile of 20 numbers and a vector of 384 takes 4 bytes more than they do."""
    layout = Layout([*(Column(f"n{n}", "float") for n in range(20)), Column("v", "float", dim=384)])
    assert layout.size == 20 * 8 + 384 * 4 + 1 + 3


def test_a_vector_of_another_length_is_refused() -> None:
    """A vector that does not fit its column is an error, not a shifted profile."""
    layout = Layout([Column("v", "float", dim=3)])
    with pytest.raises(LimnerError, match="another length than 3"):
        layout.pack(pa.table({"v": pa.array([[1.0, 2.0]], pa.list_(pa.float32()))}))


def test_two_wrong_lengths_do_not_make_a_right_one() -> None:
    """Vectors of 2 and 4 values are not taken for two of 3."""
    layout = Layout([Column("v", "float", dim=3)])
    with pytest.raises(LimnerError, match="another length than 3"):
        layout.pack(pa.table({"v": pa.array([[1.0, 2.0], [3.0, 4.0, 5.0, 6.0]], pa.list_(pa.float32()))}))


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x02" + bytes(20)])
def test_damaged_bytes_are_refused(value: bytes) -> None:
    """A value cut short or of another version is an error that says what to do."""
    with pytest.raises(LimnerError, match="limner materialize"):
        Layout([Column("n", "int")]).check(value)


def test_matrix_leaves_out_rows_without_a_vector() -> None:
    """The matrix of a vector column holds the rows that have one, and says which."""
    layout = Layout([Column("v", "float", dim=2)])
    packed = layout.pack(pa.table({"v": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32()))}))
    matrix, rows = layout.matrix(packed, 0)
    assert matrix.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert rows == [0, 2]


def test_timestamps_keep_their_microseconds() -> None:
    """An instant before 1970 with an odd microsecond survives."""
    moment = datetime(1905, 3, 4, 5, 6, 7, 891_011, tzinfo=UTC)
    layout = Layout([Column("t", "timestamp")])
    (packed,) = layout.pack(pa.table({"t": pa.array([moment], pa.timestamp("us", tz="UTC"))}))
    assert layout.get(packed, 0) == moment
