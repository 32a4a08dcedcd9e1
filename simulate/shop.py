"""The shop's own tables: its products, described in words, and its coupons."""

import numpy as np
import pyarrow as pa

from limner.simulate.catalog import CATEGORIES, IN_CATEGORY, IN_TAG, PRODUCTS, TAGS, catalog
from limner.simulate.offers import VALID, campaigns, discounts
from limner.simulate.options import Options
from limner.simulate.streams import Purpose, stream
from limner.simulate.tables import instants
from limner.simulate.words import words


def products(options: Options) -> pa.Table:
    """Name and description are in the options' language; with `both`, every other product's are Chinese."""
    known = catalog(options.seed)
    rng = stream(options.seed, Purpose.CATALOG, block=1)
    listed = words("categories")
    entries = [(tag, entry) for tag in TAGS for entry in listed[tag]["categories"].values()]
    names, descriptions, brands = [], [], []
    for product in range(PRODUCTS):
        language = ("en", "zh")[product % 2] if options.language == "both" else options.language
        tag, entry = entries[product // IN_CATEGORY]
        own, about = words(language)["product"], words(language)["tags"][tag]
        brand = listed[tag]["brands"][known.brand[product]]
        slots = {"item": entry[language], "brand": brand, "style": _one(rng, own["styles"])}
        name = _one(rng, own["name"]).format(**slots)
        slots |= {"use": _one(rng, about["uses"]), "feature": _one(rng, about["features"])}
        between = "" if language == "zh" else " "
        names.append(name[:1].upper() + name[1:])
        descriptions.append(between.join(_one(rng, own[part]).format(**slots) for part in ("use", "feature")))
        brands.append(brand)
    return pa.table(
        {
            "product_id": np.arange(PRODUCTS) + 1,
            "name": names,
            "description": descriptions,
            "category": [CATEGORIES[product // IN_CATEGORY] for product in range(PRODUCTS)],
            "brand": brands,
            "price": known.price,
        }
    )


def coupons(options: Options) -> pa.Table:
    """Every coupon of every campaign: what it is for, how much it takes off, when it is valid."""
    begins = np.repeat(campaigns(options), len(TAGS))
    own = [", ".join(CATEGORIES[tag * IN_TAG : (tag + 1) * IN_TAG]) for tag in range(len(TAGS))]
    return pa.table(
        {
            "coupon_id": np.arange(len(begins)) + 1,
            "categories": pa.array(own * len(campaigns(options)), pa.string()),
            "discount": discounts(options).reshape(-1),
            "valid_from": instants(begins),
            "valid_until": instants(begins + VALID),
        }
    )


def _one(rng: np.random.Generator, phrases: list[str]) -> str:
    return phrases[int(rng.integers(len(phrases)))]
