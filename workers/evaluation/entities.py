"""Entities of a table: which rows are of one, and a part of them that does not depend on the company they are in."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def codes(table: pa.Table, keys: Sequence[str]) -> tuple[npt.NDArray[np.intp], list[str]]:
    """The place of each row's entity among the distinct ones, (rows,), and their keys as texts, sorted."""
    texts = ["\x1f".join(map(str, each)) for each in zip(*(table[key].to_pylist() for key in keys), strict=True)]
    names, places = np.unique(np.array(texts, dtype=object), return_inverse=True)
    return places.reshape(-1).astype(np.intp), names.tolist()


def least(places: npt.NDArray[np.intp], names: Sequence[str], most: int) -> npt.NDArray[np.bool_]:
    """The rows of those entities whose keys' SHA-256 is least, as many as have at most `most` rows together; one at
    least. (rows,)
    """
    if len(places) <= most:
        return np.ones(len(places), dtype=bool)
    digests = np.array([hashlib.sha256(name.encode()).digest() for name in names], dtype=object)
    order = np.argsort(digests, kind="stable")
    counts = np.bincount(places, minlength=len(names))[order].cumsum()
    kept = np.zeros(len(names), dtype=bool)
    kept[order[: max(1, int(np.searchsorted(counts, most, side="right")))]] = True
    return kept[places]
