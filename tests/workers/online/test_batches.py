"""Packed values as one Arrow record batch: the same as column by column, as Python values."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from limner.workers.online.batches import EVENT_TIMESTAMP, FLAT, Form
from limner.workers.online.pack import Layout
from limner.workers.online.unpack import Unpacked
from tests.workers.online.test_pack import tables


@given(tables(), st.data())
def test_a_batch_has_what_was_packed(case: tuple[Layout, pa.Table], data: st.DataObject) -> None:
    """Any columns in any order, any number of rows, with a key before and event timestamps behind, null or not."""
    layout, table = case
    packed = [*layout.pack(table), None]
    flat = [n for n, shape in enumerate(layout.shapes) if shape in FLAT]
    chosen = data.draw(st.permutations(flat)) if flat else []
    chosen = chosen[: data.draw(st.integers(0, len(chosen)))]
    picked = data.draw(st.lists(st.integers(0, len(packed) - 1), max_size=200))
    stamps = [None if packed[n] is None else n for n in picked]
    form = Form(layout, chosen, key="its_key", stamped=True)
    batch = form.batch(Unpacked(layout, [packed[n] for n in picked]), picked, stamps)
    batch.validate(full=True)
    rows = [*table.to_pylist(), dict.fromkeys(table.column_names)]
    assert batch.num_rows == len(picked)
    assert batch.column("its_key").to_pylist() == picked
    assert batch.column(EVENT_TIMESTAMP).cast(pa.int64()).to_pylist() == stamps
    for position in chosen:
        column = layout.columns[position]
        found = batch.column(column.name)
        assert found.type == column.arrow
        assert found.to_pylist() == [rows[n][column.name] for n in picked]
        assert found.null_count == sum(rows[n][column.name] is None for n in picked)
