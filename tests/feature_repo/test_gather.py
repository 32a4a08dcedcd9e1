"""Values by their places are the same whichever way they are taken."""

import pyarrow as pa
import pytest

from limner.feature_repo import gather as module
from limner.feature_repo.gather import gather

_VECTOR = pa.list_(pa.float32())
_MAP = pa.map_(pa.string(), pa.int64())


@pytest.mark.parametrize(("chunks", "kind"), [
    ([[[1.0, 2.0], None, [3.0, 4.0]], [None, [5.0, 6.0]]], _VECTOR),
    ([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 0.0]]], _VECTOR),
    ([[[1.0, None], [None, 4.0], None, None, [9.0, 0.0]]], _VECTOR),
    ([[[1.0], [3.0, 4.0], None, [], [9.0]]], _VECTOR),
    ([[None] * 5], _VECTOR),
    ([[[]] * 5], _VECTOR),
    ([["a", None], ["b"], ["", "c"]], pa.string()),
    ([[["a"], None, [], ["b", None], ["c"]]], pa.list_(pa.string())),
    ([[[("a", 1)], None, [], [("b", None)], [("c", 3), ("d", 4)]]], _MAP),
])  # fmt: skip
@pytest.mark.parametrize("large", [False, True])
def test_values_by_place(
    chunks: list[list[object]], kind: pa.DataType, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors with and without nulls, lists of several lengths, texts and maps; some places null, some repeated."""
    monkeypatch.setattr(module, "_ROWS", 3)
    column = pa.chunked_array([pa.array(chunk, kind) for chunk in chunks])
    wide = {_VECTOR: pa.large_list(pa.float32()), pa.string(): pa.large_string()}
    values = column.to_pylist()
    places = [4, 4, 1, None, 0, 3, 2, None]
    got = gather(column.cast(wide.get(kind, kind)) if large else column, pa.array(places, pa.int32()), kind)
    got.validate(full=True)
    assert got.type == kind
    assert got.to_pylist() == [None if place is None else values[place] for place in places]


@pytest.mark.parametrize("kind", [_VECTOR, pa.string(), pa.int64()])
def test_nothing_was_found(kind: pa.DataType) -> None:
    """Places that are all null have nulls of the right type; no places, no values."""
    empty = pa.chunked_array([], kind)
    assert gather(empty, pa.array([None, None], pa.int32()), kind).to_pylist() == [None, None]
    assert gather(empty, pa.array([], pa.int32()), kind).type == kind
