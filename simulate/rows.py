"""Events as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

KINDS = ("search", "browse", "add_to_cart", "buy", "review")
SEARCH, BROWSE, CART, BUY, REVIEW = range(len(KINDS))
NONE = -1  # of a whole number


@dataclass(frozen=True)
class Rows:
    """A row an event. What a kind of event does not have is NONE, or NaN."""

    visit: np.ndarray  # place among the block's visits
    who: np.ndarray  # place among the block's shoppers
    at: np.ndarray  # µs since 1970
    kind: np.ndarray
    intent: np.ndarray  # of a search
    category: np.ndarray  # of a search: hidden
    product: np.ndarray
    price: np.ndarray
    quantity: np.ndarray
    amount: np.ndarray
    coupon: np.ndarray  # id
    rating: np.ndarray  # 1 to 5
    sentiment: np.ndarray  # of a review, a place in words.SENTIMENTS: hidden
    mood: np.ndarray  # of a review: hidden

    def __len__(self) -> int:
        return len(self.at)

    def take(self, places: np.ndarray) -> "Rows":
        """The rows at these places, or where a mask is true."""
        return Rows(**{field.name: getattr(self, field.name)[places] for field in fields(Rows)})


def rows(kind: int, *, visit: np.ndarray, who: np.ndarray, at: np.ndarray, **others: np.ndarray) -> Rows:
    """Events of a kind; columns that are not given are NONE or NaN."""
    count = len(at)
    none = np.full(count, NONE, dtype=np.int64)
    nan = np.full(count, np.nan)
    columns = {field.name: nan if field.name in {"price", "amount", "mood"} else none for field in fields(Rows)}
    return Rows(**{**columns, "visit": visit, "who": who, "at": at, "kind": np.full(count, kind), **others})


def together(parts: Sequence[Rows]) -> Rows:
    """All rows, one part after the other."""
    return Rows(**{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Rows)})
