"""The packaged phrases, as Arrow arrays from which many are taken at once."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

SENTIMENTS = ("negative", "neutral", "positive")
LANGUAGES = ("en", "zh")


@cache
def words(name: str) -> Any:
    """Return a file of phrases as it is written: `en`, `zh` or `categories`."""
    return yaml.safe_load((files("limner.simulate") / "words" / f"{name}.yaml").read_text(encoding="utf-8"))


class Lists:
    """Lists of phrases, one a group (a sentiment, a category, ...), laid end to end."""

    def __init__(self, lists: Sequence[Sequence[str]]) -> None:
        self._phrases = pa.array([phrase for phrases in lists for phrase in phrases], pa.string())
        self._sizes = np.array([len(phrases) for phrases in lists])
        self._first = np.cumsum(self._sizes) - self._sizes

    def pick(self, rng: np.random.Generator, group: np.ndarray, where: np.ndarray | None = None) -> pa.Array:
        """A phrase of each row's group; null where not `where`. Draws a number a row, whatever `where` says."""
        place = self._first[group] + (rng.random(len(group)) * self._sizes[group]).astype(np.int64)
        return self._phrases.take(pa.array(place, mask=None if where is None else ~where))

    def of(self, group: np.ndarray) -> pa.Array:
        """The first phrase of each row's group."""
        return self._phrases.take(pa.array(self._first[group]))


def one(phrases: Sequence[str]) -> Lists:
    """Lists of a single group."""
    return Lists([phrases])


def joined(columns: Sequence[pa.Array], between: str) -> pa.Array:
    """Put the columns' phrases of each row together; nulls are left out. A row of nulls is an empty text."""
    first, *others = columns
    empty = first.is_null()
    for column in others:
        empty = pc.and_(empty, column.is_null())
    # Arrow's "skip" leaves out rows in which every column is null, and answers with fewer rows.
    return pc.binary_join_element_wise(pc.if_else(empty, "", first), *others, between, null_handling="skip")
