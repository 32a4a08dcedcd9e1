"""A text is finished by Python only where that changes it: DuckDB must know when."""

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.workers.sources.texts import UNFINISHED, finished

SPACES = "".join(filter(str.isspace, map(chr, range(0x110000))))
TEXTS = st.text(st.one_of(st.sampled_from(SPACES + "  ab.é我"), st.characters(exclude_categories=["Cs"])), max_size=12)


def unfinished(texts: list[str]) -> list[bool]:
    """Which of them DuckDB would hand to Python."""
    rows = pa.table({"n": range(len(texts)), "text": pa.array(texts, pa.string())})
    with duckdb.connect() as database:
        database.register("rows", rows)
        found = database.execute("SELECT regexp_matches(text, $1) FROM rows ORDER BY n", [UNFINISHED]).fetchall()
    return [bool(row[0]) for row in found]


def test_of_all_characters_white_space_is_what_python_takes_for_it() -> None:
    texts = [f"a{chr(code)}b" for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    assert unfinished(texts) == [finished(text, "") != text for text in texts]


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=20))
def test_a_text_that_is_left_alone_is_finished(texts: list[str]) -> None:
    """And what Python sees it changes, or finds empty."""
    assert unfinished(texts) == [finished(text, "") != text for text in texts]
