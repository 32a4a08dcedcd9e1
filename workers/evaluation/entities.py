"""Entities of a table: which rows are of one, and a part of them that does not depend on the company they are in."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from limner.workers.keys import by_digest, texts_of


def codes(table: pa.Table, keys: Sequence[str]) -> tuple[npt.NDArray[np.intp], list[str]]:
    """The place of each row's entity among the distinct ones, (rows,), and their keys as texts, sorted."""
    found = texts_of(table, keys).combine_chunks().dictionary_encode()
    order = pc.sort_indices(found.dictionary)
    rank = np.argsort(order.to_numpy())
    return rank[found.indices.to_numpy()].astype(np.intp), found.dictionary.take(order).to_pylist()


def least(places: npt.NDArray[np.intp], names: Sequence[str], most: int) -> npt.NDArray[np.bool_]:
    """The rows of those entities whose keys' SHA-256 is least, as many as have at most `most` rows together; one at
    least. (rows,)
    """
    if len(places) <= most:
        return np.ones(len(places), dtype=bool)
    order = by_digest(pa.array(names, pa.string()))
    counts = np.bincount(places, minlength=len(names))[order].cumsum()
    kept = np.zeros(len(names), dtype=bool)
    kept[order[: max(1, int(np.searchsorted(counts, most, side="right")))]] = True
    return kept[places]
