"""Numbers of texts, and the languages they are in."""

from pathlib import Path

import pytest

from limner.language.languages import LANGUAGES
from limner.language.template import Template
from limner.workers.sources import languages, texts
from limner.workers.sources.measures import measured, sentences, words
from limner.workers.sources.request import RowMeasure, RowText
from tests.oracle import texts as plain
from tests.workers.sources import world

TEXTS = [
    "Don't stop. I paid 3.50, or 1,000.5?", "e.g. so", "我喜欢 tea。好\uff01\uff01", "コーヒー は うまい",
    "cafe\u0301 a-b_c", "one\ntwo\r\n", 'He said "Stop." Go', "...", "x..y", "'quoted' 'n' l'\u00e9t\u00e9",
    "한국어 텍스트", "कमल हिन्दी",
    "ภาษาไทย", "🙂🙂", "a\u0301'b '", "\uff11\uff12.\uff15", "3.,5 .5 5.", "'''a", "好'a a'好",
    "(Yes.) [No!] »Ja.« end", "wait... what?! …and", "a\x85b\u2028c", "ﾊﾝｶｸ", "〇々",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_words_and_sentences_are_those_of_the_plain_rule(text: str) -> None:
    assert (words(text), sentences(text)) == (plain.words(text), plain.sentences(text))


def test_characters_are_counted_without_surplus_white_space() -> None:
    assert measured("characters", None, "  a \t b\n") == 3
    assert measured("characters", None, " \n ") is None


def test_long_texts_of_signs_take_no_time() -> None:
    assert sentences("." * 300_000 + "x") == 1
    assert sentences('."' * 300_000 + "x") == 1
    assert words("é'" * 300_000) == 1


def test_tokens_are_those_of_the_model_and_none_is_added_or_cut(tmp_path: Path) -> None:
    """The tokenizer's own truncation, padding and special tokens are left aside."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "[CLS]": 1, "milk": 2, "##y": 3, "and": 4}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert measured("tokens", tmp_path, "milk and  milky milk") == 5
    assert measured("tokens", tmp_path, " ") is None


def test_the_languages_of_specs_are_those_of_the_library() -> None:
    assert {*languages._identifier().labels, "und"} == set(LANGUAGES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Great product, I love it", "en"),
        ("我喜欢这个产品", "zh"),
        ("私はこれが好きです", "ja"),
        ("Das Brot war leider schon alt", "de"),
        ("milk", "und"),
        ("OK", "und"),
        ("!!!", "und"),
        ("12", "und"),
    ],
)
def test_a_language_is_told_where_there_is_enough_of_it(text: str, expected: str) -> None:
    assert languages.language(text) == expected


def test_texts_are_looked_at_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows there are; what is in another language has neither digest nor number."""
    asked: list[str] = []
    monkeypatch.setattr(texts, "language", lambda text: asked.append(text) or ("zh" if "好" in text else "en"))
    rows = [None, "", " ", "好 a", "好  a", *["good. milk"] * 5000, *["好"] * 5000]
    world.write(tmp_path, "events", {"user": [1] * len(rows), "ts": world.micros(*range(len(rows))), "t": rows})
    text = RowText(Template("{t}"), "p: ", ("zh",))
    result, found = world.prepared(
        tmp_path,
        world.specs(world.source(event_timestamp="ts")),
        ["t"],
        texts={"d": text},
        measures={"n": RowMeasure(text, "words"), "m": RowMeasure(RowText(Template("{t}")), "sentences")},
    )
    assert sorted(asked) == sorted(["好 a", "好 a", "good. milk", "好"] * 2)
    by_text = {row["t"]: (row["d"] is not None, row["n"], row["m"]) for row in found}
    nothing = (False, None, None)
    assert by_text == {
        None: nothing, "": nothing, " ": nothing, "好 a": (True, 2, 1), "好  a": (True, 2, 1),
        "good. milk": (False, None, 2), "好": (True, 1, 1),
    }  # fmt: skip
    assert len(found) == len(rows)
    staged = world.pq.read_table(result.texts["d"])
    assert sorted(staged["text"].to_pylist()) == ["p: 好", "p: 好 a"]
