"""Packed values as one Arrow record batch: the same as column by column, as Python values."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.workers.online.batches import EVENT_TIMESTAMP, FLAT, Form
from limner.workers.online.pack import Column, Layout
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


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_nothing_of_what_memory_held_before_is_in_a_batch(rows: int) -> None:
    """Bitmaps are padded: bytes that nobody wrote would be sent along, and make equal batches differ."""
    columns = [Column("score", "float"), Column("paid", "bool"), Column("word", "string")]
    table = pa.table({"score": pa.array([0.5] * rows), "paid": pa.array([True] * rows), "word": pa.array(["a"] * rows)})
    layout = Layout(columns)
    form, found = Form(layout, [0, 1, 2]), Unpacked(layout, layout.pack(table))
    size = form.batch(found).get_total_buffer_size() // 8
    messages = set()
    for filler in (0, -1):
        for words in range(size // 2, 4 * size + 64):
            np.full(words, filler)  # freed at once: the next array of its size is likely to get its memory
        messages.add(form.batch(found).serialize().to_pybytes())
    assert len(messages) == 1
