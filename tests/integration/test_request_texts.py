"""A text of a request against stored vectors, through the real Triton: in training sets, in Feast and in the store."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from feast import FeatureStore

import limner
from limner.cli import stock_feast
from limner.feature_repo.apply import apply
from limner.feature_repo.plan import plan
from limner.language.errors import LimnerError
from tests.integration.shop import Shop, make_shop
from tests.integration.triton_server import TritonServer

END = datetime(2026, 4, 8, tzinfo=UTC)
REQUESTS = """
---
request_view: search
entity: user
request: {{query: string, direction: {{vector: {dim}}}}}
features:
  near: {{cosine: taste.likes, with: query}}
  near_as_query: {{cosine: taste.likes, with: query, prefix: "query: "}}
  along: {{cosine: taste.likes, with: direction}}
---
profile: finder
features: [search]
"""
QUERIES = ["fresh bread", "dark  chocolate", "fresh bread", None, " "]
USERS = [1, 2, 3, 4, 999]
pytestmark = pytest.mark.integration


@pytest.fixture
def shop(tmp_path: Path, triton: TritonServer) -> Shop:
    made = make_shop(tmp_path / "shop", triton.settings.url)
    shutil.copytree(triton.root / "models", made.root / "models")
    spec = made.root / "specs" / "shop.yaml"
    spec.write_text(spec.read_text() + REQUESTS.format(dim=triton.models["tiny"].dim))
    return made


def cosine(left: Any, right: Any) -> float:
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_a_text_is_encoded_by_the_encoder_of_the_stored_vector(shop: Shop, triton: TritonServer) -> None:
    before = triton.server_rows("tiny")
    stock_feast.run(shop.root, ["apply"])
    assert triton.server_rows("tiny") == before  # applying runs no sample
    stock_feast.run(shop.root, ["materialize", "2026-03-02T00:00:00", END.isoformat()])
    client, dim = triton.client(triton.models["tiny"]), triton.models["tiny"].dim
    own, store = limner.Store(shop.root), FeatureStore(repo_path=str(shop.repo))
    service = store.get_feature_service("finder")
    asked = list(zip(USERS, QUERIES, strict=True))
    rows = [{"user_id": user, "query": query, "direction": [0.5] * dim} for user, query in asked]

    before = triton.server_rows("tiny")
    table = own.read("finder", USERS, request=[{k: v for k, v in row.items() if k != "user_id"} for row in rows])
    assert triton.server_rows("tiny") - before == 4  # two texts, each with and without a prefix of its own
    served = store.get_online_features(service, rows).to_dict()
    frame = pd.DataFrame(rows).assign(event_timestamp=pd.Timestamp(END))
    trained = store.get_historical_features(frame, service).to_df()

    for position, (user, query) in enumerate(asked):
        stored = own.profile("taste", user)
        for name, prefix in (("near", ""), ("near_as_query", "query: ")):
            text = " ".join((query or "").split())
            known = stored is not None and bool(text)
            expected = cosine(stored["likes"], client.encode([prefix + text]).vectors[0]) if known else None
            for found in (table.column(name)[position].as_py(), served[name][position], trained[name][position]):
                assert (found is None or np.isnan(found)) if expected is None else abs(found - expected) < 1e-6
        along = None if stored is None else cosine(stored["likes"], [0.5] * dim)
        found = table.column("along")[position].as_py()
        assert found == served["along"][position]
        assert found is None if along is None else (found == trained["along"][position] and abs(found - along) < 1e-9)
    own.close()


def test_vectors_of_two_encoders_never_meet(shop: Shop, triton: TritonServer) -> None:
    """After an encoder was exchanged, until a run has computed its vectors: null online, an error offline."""
    stock_feast.run(shop.root, ["apply"])
    stock_feast.run(shop.root, ["materialize", "2026-03-02T00:00:00", END.isoformat()])
    spec = shop.root / "specs" / "shop.yaml"
    spec.write_text(spec.read_text().replace("max_tokens: 32", "max_tokens: 16"))
    apply(plan(shop.root))
    request = {"query": "fresh bread", "direction": [0.5] * triton.models["tiny"].dim}
    own, store = limner.Store(shop.root), FeatureStore(repo_path=str(shop.repo))
    found = own.profile("finder", 1, request=request)
    assert found is not None
    assert (found["near"], found["near_as_query"], found["along"] is None) == (None, None, False)
    assert store.get_online_features(["search:near"], [{"user_id": 1, **request}]).to_dict()["near"] == [None]
    frame = pd.DataFrame([{"user_id": 1, **request, "event_timestamp": pd.Timestamp(END)}])
    asked = store.get_historical_features(frame, ["search:near"])
    with pytest.raises(LimnerError, match="a text can only be compared with vectors of the same encoder"):
        asked.to_df()
    assert len(store.get_historical_features(frame, ["search:along"]).to_df()) == 1
    own.close()
