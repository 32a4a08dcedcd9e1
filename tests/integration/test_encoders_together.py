"""Encoders of every sort, for real: side by side in one view, and all that needs no server without one."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from limner import Store
from limner.benchmarks.ports import free_ports
from limner.language.repo import load
from tests.integration.shop import SPECS, START, Shop, make_shop
from tests.integration.triton_server import TritonServer
from tests.running import Limner

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore")]
END = START + timedelta(days=20)
FIT = START + timedelta(days=10)
TERMS = f"""
---
encoder: words
hashing: {{features: 64, ngrams: [1, 2]}}
---
encoder: terms
tfidf: {{source: purchases, text: "{{title}}", fit: "{FIT.isoformat()}", features: 8}}
---
feature_view: counted
entity: user
source: purchases
every: 1d
features:
  words: {{embed: "{{title}}", encoder: words}}
  terms: {{embed: "{{title}}", encoder: terms, over: 30d}}
  length: {{text: "{{category}} {{title}}", measure: words}}
"""
SERVED = """
---
encoder: pieces
model: models/tiny
max_tokens: 8
split: {overlap: 2, most: 3}
precision: float32
---
feature_view: voices
entity: user
source: purchases
every: 1d
features:
  plain: {embed: "{title}", encoder: tiny}
  asked: {embed: "{title}", encoder: tiny, prefix: "the big "}
  bare: {embed: "{title}", encoder: tiny, prefix: ""}
  pieces: {embed: "{title} {category} {title}", encoder: pieces}
  words: {embed: "{title}", encoder: words}
  undetermined: {embed: "{title}", encoder: words, languages: [und]}
  tokens: {text: "{title}", measure: tokens, encoder: tiny, pool: sum}
"""


def bought(shop: Shop, user: int) -> list[dict[str, Any]]:
    """The rows of a user that count and are known at the end."""
    rows = pq.read_table(shop.root / "events.parquet").to_pylist()
    return [row for row in rows if row["user_id"] == user and row["amount"] >= 0 and row["happened_at"] < END]


def materialized(shop: Shop) -> list[dict[str, Any]]:
    """Apply and materialize with the stock command; returns the online values of a few users."""
    for arguments in (["apply"], ["materialize", START.isoformat(), END.isoformat()]):
        done = shop.feast(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    return [{"user_id": user} for user in range(5)]


def hashed(texts: list[str]) -> np.ndarray:
    from sklearn.feature_extraction.text import HashingVectorizer

    return np.asarray(HashingVectorizer(n_features=64, ngram_range=(1, 2)).transform(texts).toarray()).mean(axis=0)


def test_terms_are_counted_without_any_server(tmp_path: Path, limner: Limner) -> None:
    """Nothing listens where Triton would be: Ray's workers count. What tfidf learns is of its instant."""
    (port,) = free_ports(1)
    shop = make_shop(tmp_path, f"127.0.0.1:{port}", users=12, events=400, days=20)
    base = SPECS[: SPECS.index("---\nencoder: tiny")]
    (shop.root / "specs" / "shop.yaml").write_text(base.rstrip() + TERMS)
    checked = limner("-C", shop.root, "doctor")
    assert "not needed: the specs declare no encoder with a model" in checked.out
    refused = limner("-C", shop.root, "triton", "up")
    assert refused.code == 1
    assert "declare no encoder with a model" in refused.err
    planned = limner("-C", shop.root, "plan", "--json")
    assert planned.code == 0, planned.err
    users = materialized(shop)
    found = read(shop, "counted", users)
    for user, row in zip(users, found, strict=True):
        rows = bought(shop, user["user_id"])
        titles = [row["title"] for row in rows]
        np.testing.assert_allclose(row["words"], hashed(titles), atol=1e-6)
        assert row["length"] == pytest.approx(sum(1 + len(title.split()) for title in titles) / len(titles))
        np.testing.assert_allclose(row["terms"], tfidf(shop, titles), atol=1e-6)
    (learned,) = (shop.root / "data" / "encoders").glob("*.json")
    before = learned.read_bytes()
    again = shop.feast("materialize", START.isoformat(), (END + timedelta(days=1)).isoformat())
    assert again.returncode == 0, again.stdout + again.stderr
    assert learned.read_bytes() == before


def tfidf(shop: Shop, titles: list[str]) -> np.ndarray:
    """Scikit-learn fitted on the distinct titles known at the fit."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = pq.read_table(shop.root / "events.parquet").to_pylist()
    known = {row["title"] for row in rows if row["happened_at"] < FIT and row["amount"] >= 0}
    total = Counter(word for title in known for word in title.split())
    most = sorted(sorted(total, key=lambda word: (-total[word], word))[:8])
    fitted = TfidfVectorizer(vocabulary=most).fit(sorted(known))
    return np.asarray(fitted.transform(titles).toarray()).mean(axis=0)


def read(shop: Shop, view: str, users: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Online values, read without Feast."""
    found: list[dict[str, Any]] = Store(shop.root).read(view, users).to_pylist()
    return found


def test_encoders_stand_side_by_side_in_one_view(triton: TritonServer, tmp_path: Path) -> None:
    """Two models, one of them with three prefixes, and hashes: each feature is a mean of its own encoder's vectors."""
    shop = make_shop(tmp_path, triton.settings.url, users=12, events=300, days=20)
    (shop.root / "models").symlink_to(triton.root / "models")
    specs = shop.root / "specs" / "shop.yaml"
    specs.write_text(SPECS[: SPECS.index("---\nfeature_view: taste")] + TERMS.lstrip() + SERVED)
    encoders = load(specs.parent).encoders
    tiny, pieces = triton.serve(encoders["tiny"]), triton.serve(encoders["pieces"])
    users = materialized(shop)
    tokenizer = Tokenizer.from_file(str(tiny.folder / "tokenizer.json"))
    for user, row in zip(users, read(shop, "voices", users), strict=True):
        rows = bought(shop, user["user_id"])
        titles = [row["title"] for row in rows]
        twice = [f"{row['title']} {row['category']} {row['title']}" for row in rows]
        for name, model, texts in (
            ("plain", tiny, titles),
            ("bare", tiny, titles),
            ("asked", tiny, [f"the big {title}" for title in titles]),
            ("pieces", pieces, twice),
        ):
            expected = triton.client(model).encode(texts).vectors.astype(np.float64).mean(axis=0)
            np.testing.assert_allclose(row[name], expected, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(row["words"], hashed(titles), atol=1e-6)
        assert row["tokens"] == sum(len(tokenizer.encode(title, add_special_tokens=False).ids) for title in titles)
        assert row["plain"] == row["bare"]
        assert row["plain"] != row["asked"]
