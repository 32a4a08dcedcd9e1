"""What the shop sells: tags, categories and products, the same for every block of shoppers."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from limner.simulate.streams import Purpose, stream
from limner.simulate.words import words

TAGS: tuple[str, ...] = tuple(words("categories"))
CATEGORIES: tuple[str, ...] = tuple(name for tag in TAGS for name in words("categories")[tag]["categories"])
IN_TAG = 4  # categories of a tag; category c is of tag c // IN_TAG
POPULARITY = np.array([0.4, 0.3, 0.2, 0.1])  # of a tag's categories, in their order
IN_CATEGORY = 50  # products of a category, the cheapest first; product p is of category p // IN_CATEGORY
PRODUCTS = len(CATEGORIES) * IN_CATEGORY
QUALITY = 0.6  # standard deviation of products' hidden quality

assert len(CATEGORIES) == len(TAGS) * IN_TAG


@dataclass(frozen=True)
class Catalog:
    """By product, counted from 0 (its id is one more): price in whole cents, hidden quality, brand of its tag."""

    price: np.ndarray
    quality: np.ndarray
    brand: np.ndarray


@cache
def catalog(seed: int) -> Catalog:
    """Price = the category's median x e^N(0, 0.45); quality ~ N(0, QUALITY), whatever the price."""
    rng = stream(seed, Purpose.CATALOG)
    listed = words("categories")
    medians = np.array([category["price"] for tag in TAGS for category in listed[tag]["categories"].values()])
    prices = medians[:, None] * np.exp(rng.normal(0, 0.45, (len(CATEGORIES), IN_CATEGORY)))
    return Catalog(
        price=np.round(np.sort(prices, axis=1), 2).reshape(-1),
        quality=rng.normal(0, QUALITY, PRODUCTS),
        brand=rng.integers(0, min(len(listed[tag]["brands"]) for tag in TAGS), PRODUCTS),
    )


def tag_of(category: np.ndarray) -> np.ndarray:
    """The tags of categories."""
    return category // IN_TAG
