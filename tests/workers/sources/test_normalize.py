"""Text normalization: each step, their order, and that its cost is linear."""

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.language.models import TextCleaning
from limner.workers.sources.normalize import normalizer
from tests.workers.sources import world


def clean(text: str, **rules: object) -> str:
    off = {"unicode": "none", "html": "keep", "control": "keep", "whitespace": "keep"}
    return normalizer(TextCleaning.model_validate({**off, **rules}))(text)


@pytest.mark.parametrize(
    ("text", "rules", "wanted"),
    [
        ("\ufb01ne\u2460\uff21", {"unicode": "NFKC"}, "fine1A"),
        ("e\u0301", {"unicode": "NFC"}, "é"),
        ("<p>Good&nbsp;<b>soup</b>&amp; rice</p>", {"html": "strip"}, " Good\xa0 soup & rice "),
        (
            "a<!-- <b> -->b<script>alert('<i>')</script>c<STYLE>p{}</Style>d",
            {"html": "strip"},
            "a b c d",
        ),
        ("1 < 2 and 3 > 2; x<y", {"html": "strip"}, "1 < 2 and 3 > 2; x<y"),
        ("line one<br/>line two", {"html": "strip"}, "line one line two"),
        ("a\x00b\x07c\u200bd\ufeffe\tf", {"control": "strip"}, "abcde\tf"),
        (
            "👨\u200d👩\u200d👧 \u0645\u06cc\u200c\u062e\u0648",
            {"control": "strip"},
            "👨\u200d👩\u200d👧 \u0645\u06cc\u200c\u062e\u0648",
        ),
        (" a \t\r\n b\u3000c\xa0 ", {"whitespace": "collapse"}, "a b c"),
        ("ÀB", {"case": "lower"}, "àb"),
        ("abcdef", {"max_chars": 3}, "abc"),
        ("👍👍👍", {"max_chars": 2}, "👍👍"),
    ],
)
def test_each_step_does_what_it_says(text: str, rules: dict[str, object], wanted: str) -> None:
    assert clean(text, **rules) == wanted


def test_steps_run_in_the_documented_order() -> None:
    everything = normalizer(TextCleaning(case="lower", max_chars=9))
    assert everything("\uff1cb\uff1e  \uff37ow\x00 &lt;i&gt;\n\nSoup") == "wow <i> s"


@given(st.text())
def test_a_normalized_text_has_no_runs_of_space_no_controls_and_is_in_its_form(text: str) -> None:
    done = normalizer(TextCleaning(html="keep"))(text)
    assert done == " ".join(done.split())
    assert not any(unicodedata.category(character) == "Cc" for character in done)
    assert normalizer(TextCleaning(html="keep"))(unicodedata.normalize("NFKC", text)) == done


@pytest.mark.parametrize("piece", ["<!--", "<script", "<", "&", "<a", "</", "<!a", "&#"])
def test_hostile_html_takes_time_linear_in_its_length(piece: str) -> None:
    start = time.process_time()
    clean(piece * 100_000, html="strip")
    assert time.process_time() - start < 5


def test_a_source_normalizes_its_text_columns_before_conditions_see_them(tmp_path: Path) -> None:
    names = ["  ANN\u00a0 Lee ", "<b>bob</b>", None, "ﬂo"] * 1000
    world.write(tmp_path, "events", {"user": list(range(4000)), "ts": world.micros(*range(4000)), "name": names})
    source = world.source(event_timestamp="ts", clean={"text": {"name": {"case": "lower"}}, "drop": ["name = 'bob'"]})
    result, rows = world.prepared(tmp_path, world.specs(source), ["name"])
    assert [row["name"] for row in rows] == ["ann lee", None, "flo"] * 1000
    assert result.dropped == {"name = 'bob'": 1000}
