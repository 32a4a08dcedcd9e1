"""What is read of a row: places of its item and its other categories, and how long after the row before it came."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.workers.windows.column import Ints

NONE, OTHER, FIRST = 0, 1, 2
"""Places of what there is not, of what is rare or new, and of the most frequent one; the others follow it."""
MOST = 5000
"""At most so many items have a place of their own: of more, the most frequent."""
_MINUTE = 60_000_000  # µs
_DOUBLINGS = 20  # of a minute: two years
START, SAME = 0, 1
GAPS = 3 + _DOUBLINGS
"""How many kinds of gaps there are: before the first row, none, less than a minute, and doublings of it."""


def texts(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Categories as text: integers in digits, true and false by name."""
    found = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return found.cast(pa.string())


def learned(values: pa.Array, least: int) -> tuple[str, ...]:
    """The texts that occur at least so often: frequent ones first, of equal ones the lesser text."""
    counts: Counter[str] = Counter()
    for each in pc.value_counts(values.drop_null()).to_pylist():
        counts[each["values"]] += each["counts"]
    kept = ((count, each) for each, count in counts.items() if count >= least)
    return tuple(each for _, each in sorted(kept, key=lambda pair: (-pair[0], pair[1].encode())))[:MOST]


def places(values: pa.Array, known: Iterable[str]) -> Ints:
    """[rows] the place of each text; that of none is null's."""
    found = pc.index_in(values, pa.array(list(known), pa.string())).fill_null(OTHER - FIRST)
    return np.where(np.asarray(values.is_null()), NONE, np.asarray(found.to_numpy(), np.int64) + FIRST)


def gaps(micros: Ints) -> Ints:
    """Kinds of gaps of so many µs between a row and the one before it, which is not later."""
    # The exponent of a number says how often it can be halved, exactly.
    doublings = np.minimum(np.frexp((micros // _MINUTE).astype(np.float64))[1], _DOUBLINGS)
    return np.where(micros <= 0, SAME, 2 + doublings).astype(np.int64)
