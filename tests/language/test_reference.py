"""The reference page is the one that the models and the examples give."""

import os

from limner.language.reference import reference
from tests.language.examples import HERE

DOCS = HERE.parents[1] / "docs"
EXAMPLES = {path.stem: path.read_text() for path in sorted((DOCS / "examples").glob("*.yaml"))}


def test_the_page_is_up_to_date() -> None:
    """`make reference` writes it."""
    page = reference(EXAMPLES)
    if os.environ.get("LIMNER_WRITE_GOLDEN"):
        (DOCS / "reference.md").write_text(page)
    assert (DOCS / "reference.md").read_text() == page


def test_every_example_has_an_entry() -> None:
    """One whose kind is gone would never be shown."""
    page = reference(EXAMPLES)
    assert [name for name in EXAMPLES if f"### {name.partition('.')[0]}\n" not in page] == []
