"""Which digests are known, and where: a sorted array, searched by all wanted digests at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Digests = npt.NDArray[np.uint64]  # [n, 2]: a 16-byte digest as two big-endian halves
DIGEST = pa.binary(16)


def as_digests(digests: pa.Array | pa.ChunkedArray) -> Digests:
    """Return digests (of 16 bytes) as uint64 [n, 2]; ValueError for nulls or another length."""
    if isinstance(digests, pa.ChunkedArray):
        digests = digests.combine_chunks()
    if digests.null_count:
        raise ValueError(f"{digests.null_count} of {len(digests)} digests are null")
    if digests.type != DIGEST:
        try:
            digests = digests.cast(DIGEST)
        except pa.ArrowInvalid as error:
            raise ValueError(f"digests are not of 16 bytes: {error}") from error
    data = digests.buffers()[1]
    if not len(digests) or data is None:
        return np.empty((0, 2), np.uint64)
    start = digests.offset * 16
    words = np.frombuffer(data, dtype=">u8", count=len(digests) * 2, offset=start)
    return words.astype(np.uint64).reshape(-1, 2)


def as_arrow(digests: Digests) -> pa.Array:
    """Return the binary(16) array of `digests`."""
    data = pa.py_buffer(digests.astype(">u8").tobytes())
    return pa.Array.from_buffers(DIGEST, len(digests), [None, data])


class DigestIndex:
    """Places (part, row) of digests; parts are numbered in the order they were added."""

    def __init__(self) -> None:
        self._keys: Digests = np.empty((0, 2), np.uint64)  # sorted
        self._place: npt.NDArray[np.int64] = np.empty(0, np.int64)  # row counted through all parts, by sorted key
        self._starts: npt.NDArray[np.int64] = np.zeros(1, np.int64)  # first row of each part, and the end

    def __len__(self) -> int:
        return len(self._keys)

    def extend(self, parts: Sequence[Digests]) -> None:
        """Add the digests of further parts. A digest that is known already keeps its first place."""
        if not parts:
            return
        added = np.concatenate(parts)
        end = self._starts[-1]
        keys = np.concatenate([self._keys, added])
        place = np.concatenate([self._place, end + np.arange(len(added))])
        order = np.lexsort((place, keys[:, 1], keys[:, 0])) if len(keys) else np.empty(0, np.int64)
        keys, place = keys[order], place[order]
        first = _first_of_equals(keys)
        self._keys, self._place = keys[first], place[first]
        self._starts = np.concatenate([self._starts, end + np.cumsum([len(part) for part in parts])])

    def find(self, wanted: Digests) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return part, row in it, and whether known, of each wanted digest; where not, part and row mean
        nothing.
        """
        position, found = self._search(wanted)
        if not len(self._keys):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.int64), found
        place = self._place[np.minimum(position, len(self._keys) - 1)]
        part = np.searchsorted(self._starts, place, "right") - 1
        return part, place - self._starts[part], found

    def missing(self, wanted: Digests) -> pa.Array:
        """Return the wanted digests that are not known, each once, ascending."""
        _, found = self._search(wanted)
        absent = wanted[~found]
        absent = absent[np.lexsort((absent[:, 1], absent[:, 0]))]
        return as_arrow(absent[_first_of_equals(absent)])

    def _search(self, wanted: Digests) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        high = self._keys[:, 0]
        position = np.searchsorted(high, wanted[:, 0], "left").astype(np.int64)
        found = np.zeros(len(wanted), np.bool_)
        open_ = np.arange(len(wanted))
        while len(open_):  # more than one round only where two digests share their first 8 bytes
            open_ = open_[position[open_] < len(high)]
            open_ = open_[high[position[open_]] == wanted[open_, 0]]
            equal = self._keys[position[open_], 1] == wanted[open_, 1]
            found[open_[equal]] = True
            open_ = open_[~equal]
            position[open_] += 1
        return position, found


def _first_of_equals(sorted_keys: Digests) -> npt.NDArray[np.bool_]:
    first = np.ones(len(sorted_keys), np.bool_)
    first[1:] = (sorted_keys[1:] != sorted_keys[:-1]).any(axis=1)
    return first
