"""The page on the spec language: its examples are one working project, and it leaves no key out."""

import re

import pytest
from pydantic import BaseModel

from limner.language.columns import check
from limner.language.features import KINDS, MeanPool
from limner.language.keys import keys
from limner.language.learning.classifier import Classifier, TextLabel
from limner.language.learning.interests import Interests, TagTexts, TextRows, Truth
from limner.language.learning.propensity import Label, Population, Propensity
from limner.language.learning.segments import Segments
from limner.language.learning.sequence import SequenceEncoder
from limner.language.learning.tuning import Tuning
from limner.language.models import DOCUMENTS, Clean, LogicalType, Range, Stream, TextCleaning
from limner.language.repo import load_texts
from limner.language.syntax import FUNCTIONS
from limner.language.term_encoders import Hashing, Tfidf, Word2Vec
from tests.language.examples import HERE

PAGE = (HERE.parents[1] / "docs" / "spec-language.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COLUMNS: dict[str, dict[str, LogicalType]] = {
    "purchases": {
        "shopper_id": "int", "basket_id": "int", "product_id": "int", "quantity": "int", "sales_value": "string",
        "discount": "float", "upper_limit": "float", "rating": "int", "channel": "string", "comment": "string",
        "gift": "bool", "bought_at": "timestamp", "loaded_at": "timestamp",
    },
    "products": {"product_id": "int", "brand": "string", "department": "string", "product_type": "string"},
    "reviews": {"shopper_id": "int", "written_at": "string"},
    "app_events": {"at": "string", "device": "string"},
    "device_links": {
        "device_id": "string", "shopper_id": "int", "linked_at": "timestamp", "loaded_at": "timestamp",
    },
    "clicks": {"clicked_at": "timestamp", "dt": "string"},
    "taps": {"shopper_id": "string", "tap_id": "string", "tapped_at": "string", "received_at": "string"},
}  # fmt: skip


def test_the_examples_are_one_working_project() -> None:
    specs = load_texts({f"example {i}": text for i, text in enumerate(EXAMPLES)})
    check(specs, COLUMNS)
    kinds = {feature.kind for view in specs.views.values() for feature in view.features.values()}
    assert kinds == {kind.kind for kind in KINDS}


EXPLAINED = (
    *DOCUMENTS.values(), Clean, Range, TextCleaning, MeanPool, Hashing, Tfidf, Word2Vec, Propensity, Segments,
    Label, Population, Classifier, TextLabel, Interests, TagTexts, TextRows, Truth, SequenceEncoder, Tuning,
    Stream, *KINDS,
)  # fmt: skip


@pytest.mark.parametrize(
    "model",
    EXPLAINED,
    ids=lambda model: model.__name__,
)
def test_every_key_is_explained(model: type[BaseModel]) -> None:
    assert [key for key in keys(model) if f"`{key}`" not in PAGE and f"`{key}: " not in PAGE] == []


def test_every_function_of_conditions_is_explained() -> None:
    assert [name for name in FUNCTIONS if f"`{name}" not in PAGE] == []


def test_every_link_within_the_page_leads_somewhere() -> None:
    titles = {title.strip().lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\(#([a-z-]+)\)", PAGE)) <= titles
