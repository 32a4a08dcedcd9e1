"""Every mistake in broken/ gives the text in golden/, word for word."""

import os
from pathlib import Path

import pytest

from limner.language.columns import check
from limner.language.errors import SpecError
from limner.language.repo import load_texts
from tests.language.examples import BASE, HERE, RAW

BROKEN = sorted((HERE / "broken").glob("*.yaml"))


def _message(path: Path) -> str:
    """What a user reads who made the mistake in `path`: from loading, or else from holding it against the columns."""
    with pytest.raises(SpecError) as caught:
        check(load_texts({"base.yaml": BASE, "spec.yaml": path.read_text()}), RAW)
    return f"{caught.value}\n"


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_mistake_is_explained_word_for_word(path: Path) -> None:
    golden = HERE / "golden" / f"{path.stem}.txt"
    if os.environ.get("LIMNER_WRITE_GOLDEN"):
        golden.write_text(_message(path))
    assert _message(path) == golden.read_text()
