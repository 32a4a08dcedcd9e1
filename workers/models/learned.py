"""What was learned, as data: numbers only, so that a version can be read by anybody and executes nothing."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from limner.workers.derive.numbers import each
from limner.workers.derive.values import Array
from limner.workers.models.columns import Column, Number, wide


class Data(BaseModel):
    """Frozen, of finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Logistic(Data):
    """`intercept + sum(weight * (x - center) / width)`, log-odds; where x is null, `fill` stands for it."""

    kind: Literal["logistic"] = "logistic"
    fill: tuple[float, ...]
    center: tuple[float, ...]
    width: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def score(self, rows: Array) -> Array:
        """[rows] log-odds."""
        found: Array = self.base + _total(self.contributions(rows))
        return found

    @property
    def base(self) -> float:
        """The score of an example that is average in everything."""
        return self.intercept

    def contributions(self, rows: Array) -> Array:
        """[rows, inputs] what each input adds to the base."""
        filled = np.where(np.isnan(rows), np.array(self.fill), rows)
        added: Array = np.array(self.weights) * ((filled - np.array(self.center)) / np.array(self.width))
        return added


class Tree(Data):
    """Nodes in an order where a node comes before its children. `left` 0: a leaf.

    A row goes left where its input is at most `threshold`, or is null and `null_left` says so. `value` is that of a
    leaf, and of another node the mean of the leaves below it, weighted by the examples that came there.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    null_left: tuple[bool, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    @model_validator(mode="after")
    def _ends(self) -> "Tree":
        sizes = {len(each) for each in (self.feature, self.threshold, self.null_left, self.left, self.right)}
        if sizes != {len(self.value)} or not self.value:
            raise ValueError("a tree has as many of everything as nodes, and one at least")
        for node, (left, right) in enumerate(zip(self.left, self.right, strict=True)):
            if left and not (node < left < len(self.value) and node < right < len(self.value)):
                raise ValueError(f"node {node} of a tree does not come before its children")
        return self

    def walk(self, rows: Array, added: Array) -> None:
        """Add to `added` [rows, inputs], at each split, how the value changes on the way of each row."""
        value, left, right = np.array(self.value), np.array(self.left), np.array(self.right)
        feature, threshold, null_left = np.array(self.feature), np.array(self.threshold), np.array(self.null_left)
        where = np.flatnonzero(np.full(len(rows), left[0] > 0))
        node = np.zeros(len(where), np.int64)
        while len(where):
            asked = feature[node]
            x = rows[where, asked]
            goes_left = np.where(np.isnan(x), null_left[node], x <= threshold[node])
            child = np.where(goes_left, left[node], right[node])
            added[where, asked] += value[child] - value[node]
            inner = left[child] > 0
            where, node = where[inner], child[inner]

    def leaves(self, rows: Array) -> Array:
        """[rows] the value of the leaf that each row comes to."""
        left, right = np.array(self.left), np.array(self.right)
        feature, threshold, null_left = np.array(self.feature), np.array(self.threshold), np.array(self.null_left)
        node = np.zeros(len(rows), np.int64)
        while (inner := np.flatnonzero(left[node] > 0)).size:
            here = node[inner]
            x = rows[inner, feature[here]]
            goes_left = np.where(np.isnan(x), null_left[here], x <= threshold[here])
            node[inner] = np.where(goes_left, left[here], right[here])
        found: Array = np.array(self.value)[node]
        return found


class Boosting(Data):
    """`start` and what the leaves of all trees add, log-odds."""

    kind: Literal["boosting"] = "boosting"
    start: float
    trees: tuple[Tree, ...]

    def score(self, rows: Array) -> Array:
        """[rows] log-odds."""
        found = np.full(len(rows), self.start)
        for tree in self.trees:  # one tree after the other: a row's sum does not depend on other rows
            found += tree.leaves(rows)
        return found

    @property
    def base(self) -> float:
        """The score of an example of which nothing is known."""
        return self.start + math.fsum(tree.value[0] for tree in self.trees)

    def contributions(self, rows: Array) -> Array:
        """[rows, inputs] what each input adds to the base on the ways through the trees (A. Saabas, 2014)."""
        added = np.zeros(rows.shape)
        for tree in self.trees:
            tree.walk(rows, added)
        return added


class Sigmoid(Data):
    """`1 / (1 + exp(-(slope * score + offset)))` (J. Platt, 1999)."""

    kind: Literal["sigmoid"] = "sigmoid"
    slope: float = 1.0
    offset: float = 0.0

    def probability(self, score: Array) -> Array:
        """[rows] between 0 and 1."""
        return each(_sigmoid, self.slope * score + self.offset)


class Isotonic(Data):
    """A rising line through points (score, probability), level beyond the first and the last."""

    kind: Literal["isotonic"] = "isotonic"
    at: Annotated[tuple[float, ...], Field(min_length=1)]
    to: Annotated[tuple[float, ...], Field(min_length=1)]

    def probability(self, score: Array) -> Array:
        """[rows] between 0 and 1."""
        at, to = np.array(self.at), np.array(self.to)
        high = np.clip(np.searchsorted(at, score), 0, len(at) - 1)
        low = np.maximum(high - 1, 0)
        width = at[high] - at[low]
        part = np.clip(np.where(width > 0, (score - at[low]) / np.where(width > 0, width, 1.0), 1.0), 0.0, 1.0)
        found: Array = to[low] + (to[high] - to[low]) * part
        return found


class Learned(Data):
    """A version's content: `inputs` (`view.feature`), the columns it takes them for, a score, a probability.

    Without `columns` each input is a number.
    """

    inputs: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    scorer: Annotated[Logistic | Boosting, Field(discriminator="kind")]
    calibration: Annotated[Sigmoid | Isotonic, Field(discriminator="kind")] = Sigmoid()

    @model_validator(mode="after")
    def _fits(self) -> "Learned":
        if not {each.input for each in self.columns} <= {*self.inputs}:
            raise ValueError("a column is of an input that there is not")
        match self.scorer:
            case Logistic(fill=fill, center=center, width=width, weights=weights):
                if {len(fill), len(center), len(width), len(weights)} != {len(self.reads)}:
                    raise ValueError("there is not a weight for each column")
            case Boosting(trees=trees):
                if any(not 0 <= each < len(self.reads) for tree in trees for each in tree.feature):
                    raise ValueError("a tree asks for a column that there is not")
        return self

    @property
    def reads(self) -> tuple[Column, ...]:
        """The columns of its matrix."""
        return self.columns or tuple(Number(input=name) for name in self.inputs)

    def probability(self, rows: Array) -> Array:
        """[rows] between 0 and 1, of rows [rows, columns] with NaN for null; each depends on its row alone."""
        return self.calibration.probability(self.scorer.score(rows))

    def says(self, _wanted: str, columns: Mapping[str, pa.Array]) -> pa.Array:
        """[rows] the probability."""
        return pa.array(self.probability(wide(self.reads, columns)) + 0.0)


def _total(parts: Array) -> Array:
    """The sum of each row, one column after the other: it does not depend on other rows."""
    total = np.zeros(len(parts))
    for place in range(parts.shape[1]):
        total += parts[:, place]
    return total


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    odds = math.exp(x)
    return odds / (1.0 + odds)
