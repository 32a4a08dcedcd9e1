"""Specs and columns that the tests of the language share."""

from pathlib import Path

import pytest

from limner.language.errors import SpecError
from limner.language.models import LogicalType
from limner.language.repo import Specs, load_texts

HERE = Path(__file__).parent
BASE = (HERE / "base.yaml").read_text()

RAW: dict[str, dict[str, LogicalType]] = {
    "purchases": {
        "household_id": "int", "basket_id": "int", "product_id": "int", "quantity": "int", "sales_value": "float",
        "price": "float", "channel": "string", "gift": "bool", "bought_at": "timestamp",
    },
    "products": {
        "product_id": "int", "brand": "string", "department": "string", "title": "string", "price": "float",
    },
    "clicks": {
        "id": "int", "ts": "timestamp", "title": "string", "amount": "int", "product_id": "int", "price": "float",
    },
    "visits": {"household_id": "string", "ts": "timestamp"},
    "sales": {"product_id": "int", "bought_at": "timestamp"},
    "returns": {"household_id": "int", "basket_id": "int", "at": "timestamp"},
    "links": {"id": "int", "household_id": "int", "linked_at": "timestamp"},
}  # fmt: skip


def specs(*documents: str, base: bool = True) -> Specs:
    """Load documents beside base.yaml; a document is called spec.yaml in errors."""
    texts = {"spec.yaml": "\n---\n".join(documents)}
    return load_texts({"base.yaml": BASE, **texts} if base else texts)


def view(features: str, *, more: str = "") -> str:
    """A feature view `taste` over the source of base.yaml."""
    return f"feature_view: taste\nentity: household\nsource: purchases\nevery: 1d\n{more}\nfeatures: {features}\n"


def complaint(*documents: str) -> str:
    """The text of the error that loading the documents gives."""
    with pytest.raises(SpecError) as caught:
        specs(*documents)
    return str(caught.value)
