"""A text reaches the encoder once, as Triton itself counts, through `feast materialize`."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from limner.cli import stock_feast
from limner.feature_repo.apply import apply
from limner.feature_repo.plan import plan
from tests.integration.shop import Shop, make_shop
from tests.integration.triton_server import TritonServer

MIDDLE, END = datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 4, 8, tzinfo=UTC)
pytestmark = pytest.mark.integration


@pytest.fixture
def shop(tmp_path: Path, triton: TritonServer) -> Shop:
    made = make_shop(tmp_path / "shop", triton.settings.url)
    shutil.copytree(triton.root / "models", made.root / "models")
    stock_feast.run(made.root, ["apply"])
    return made


def texts_before(shop: Shop, instant: datetime) -> set[str]:
    rows = pq.read_table(shop.root / "events.parquet").to_pylist()
    return {f"{r['category']} {r['title']}" for r in rows if r["happened_at"] < instant and r["amount"] >= 0}


def test_each_distinct_text_is_inferred_once_over_runs_and_definitions(shop: Shop, triton: TritonServer) -> None:
    probe = triton.server_rows("tiny")
    triton.client(triton.models["tiny"]).check()
    probe = triton.server_rows("tiny") - probe  # what asking whether Triton is well costs

    def sent(*command: str) -> int:
        before = triton.server_rows("tiny")
        stock_feast.run(shop.root, list(command))
        return triton.server_rows("tiny") - before

    first, all_of_them = texts_before(shop, MIDDLE), texts_before(shop, END)
    assert 100 < len(first) < len(all_of_them)
    assert sent("materialize", "2026-03-02T00:00:00", MIDDLE.isoformat()) == len(first) + probe
    assert sent("materialize", "2026-03-02T00:00:00", MIDDLE.isoformat()) == 0
    assert sent("materialize-incremental", END.isoformat()) == len(all_of_them - first) + probe

    spec = shop.root / "specs" / "shop.yaml"
    spec.write_text(spec.read_text().replace("over: 7d}", "over: 14d}"))
    reviewed = plan(shop.root)
    assert reviewed.counts()["changed"] > 0
    apply(reviewed)
    assert sent("materialize", "2026-03-02T00:00:00", END.isoformat()) == 0
    assert plan(shop.root).empty
