"""The proof's own pieces: nothing of after an instant is known at it, and figures come from results alone."""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from limner.benchmarks.proof import examples, pairs, sequences
from limner.benchmarks.proof.categories import events_of
from limner.benchmarks.proof.journey import CUT_OFF, Journey, micros, read
from limner.benchmarks.proof.page import page
from limner.benchmarks.proof.result import Result
from limner.benchmarks.proof.text_cnn import TextCnn
from limner.language.errors import LimnerError
from limner.workers.evaluation.evaluate import of_classes
from limner.workers.evaluation.weighted import Array

_TABLES = {
    "products": "SELECT i AS product_id, 'C' || i % 30 AS product_category, 'T' || i AS product_type, "
    "'D' AS department, 'National' AS brand FROM range(40) r(i)",
    "transactions": "SELECT i % 60 AS household_id, i // 3 AS basket_id, (random() * 40)::INT % 40 AS product_id, "
    "random() * 20 AS sales_value, 0.1 AS retail_disc, random() AS coupon_disc, "
    "TIMESTAMP '2017-01-01' + INTERVAL (i // 3 * 15) MINUTE AS transaction_timestamp FROM range(100000) r(i)",
    "demographics": "SELECT i AS household_id, '55-64' AS age FROM range(30) r(i)",
    "campaigns": "SELECT i % 5 AS campaign_id, i % 60 AS household_id FROM range(200) r(i)",
    "campaign_descriptions": "SELECT i AS campaign_id, 'Type A' AS campaign_type, "
    "DATE '2017-07-01' + (i * 30)::INT AS start_date, DATE '2017-12-20' AS end_date FROM range(5) r(i)",
    "coupons": "SELECT i % 5 AS campaign_id, i % 40 AS product_id, i AS coupon_upc FROM range(90) r(i)",
    "coupon_redemptions": "SELECT i % 60 AS household_id, i % 5 AS campaign_id, i AS coupon_upc, "
    "DATE '2017-07-01' + (i % 184)::INT AS redemption_date FROM range(300) r(i)",
}
_LATER = {
    "transactions": ("transaction_timestamp", "sales_value = sales_value * 3, product_id = 39 - product_id"),
    "coupon_redemptions": ("redemption_date", "household_id = 59 - household_id"),
}


def journey(folder: Path, altered: bool) -> Journey:
    """A small year of shopping; `altered`: all that happens from the cut-off on is something else."""
    folder.mkdir()
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.execute("SELECT setseed(0.5)")
        for name, query in _TABLES.items():
            connection.execute(f"CREATE TABLE {name} AS {query}")
            if altered and name in _LATER:
                instant, change = _LATER[name]
                connection.execute(f"UPDATE {name} SET {change} WHERE {instant} >= DATE '{CUT_OFF}'")
            connection.execute(f"COPY {name} TO '{folder / name}.parquet'")
    return read(folder)


def test_nothing_after_an_instant_is_known_at_it(tmp_path: Path) -> None:
    """Whatever happens after the cut-off, features there are the same to the bit; labels of it are not."""
    one, other = journey(tmp_path / "one", altered=False), journey(tmp_path / "other", altered=True)
    assert one.fingerprint != other.fingerprint
    for build in (examples.of_churn, examples.of_coupons):
        found, changed = build(one, CUT_OFF), build(other, CUT_OFF)
        assert len(found.households) > 20
        assert found.features.tobytes() == changed.features.tobytes()
        assert (found.households == changed.households).all()
    assert (examples.of_coupons(one, CUT_OFF).labels != examples.of_coupons(other, CUT_OFF).labels).any()
    known, also = pairs.pairs_at(one, CUT_OFF, 0), pairs.pairs_at(other, CUT_OFF, 0)
    assert known.features.tobytes() == also.features.tobytes()
    earlier = pairs.pairs_at(one, date(2017, 11, 1), 0)
    assert len(earlier.items) <= len(known.items)


def test_a_text_is_classified_the_same_in_any_company() -> None:
    """The same texts and seed give the same network, and a text's probabilities do not depend on its batch."""
    texts = ["质量很好非常满意", "质量太差了", "很好", "太差"] * 8
    truth = np.array([1, 0, 1, 0] * 8)
    once, again = (TextCnn.fit(texts, truth, 2, seed=3, epochs=16, size=16, filters=16) for _ in range(2))
    found = once.probabilities([*texts, "好" * 300])
    assert (found == again.probabilities([*texts, "好" * 300])).all()
    assert found[:4].argmax(axis=1).tolist() == [1, 0, 1, 0]
    assert once.probabilities(["很好"])[0] == pytest.approx(found[2], abs=1e-6)


def two(second: Array) -> Array:
    return np.stack([1 - second, second], axis=1)


def test_the_page_says_what_was_missed() -> None:
    """A floor that is missed and a baseline that is not beaten stand in the table as such."""
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 200)
    contenders = {"model": two(random.random(200)), "half | half": two(np.full(200, 0.5))}
    evaluation = of_classes(truth, ["no", "yes"], contenders, np.arange(200), draws=50)
    result = Result("churn", "Will it?", evaluation, {"cut-off": "2017-12-01"}, floor=0.9)
    assert result.met is False
    told = page([result, result], "python -m limner.benchmarks.proof", {"python": "3"})
    assert "0.9: **missed**" in told
    assert "**ties**: half / half" in told
    assert told.count("*churn*: cut-off: 2017-12-01.") == 1


def test_the_data_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what installs it."""
    monkeypatch.setattr("limner.benchmarks.proof.result.find_spec", lambda name: None)
    with pytest.raises(LimnerError, match=r"limner\[bench\]"):
        read()


def test_a_network_is_measured_on_the_month_it_knows_nothing_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says at the cut-off is the same to the bit, whatever comes after."""
    monkeypatch.setattr(sequences, "EPOCHS", 1)
    monkeypatch.setattr(sequences, "DIM", 4)
    found = []
    for name in ("one", "other"):
        events = events_of(journey(tmp_path / name, altered=name == "other"))["baskets"]
        found.append(sequences._learned(events.before(micros(CUT_OFF)), 0)[0])
    assert (found[0] == found[1]).all()
    assert found[0].shape == (60, 30)
    ranks = sequences._ranks(np.array([[0.1, 0.5, 0.5], [3.0, 2.0, 1.0]]))
    assert ranks.tolist() == [[-2, 0, -1], [0, -1, -2]]
    alone, both = sequences.run(read(tmp_path / "one"), draws=20)
    assert alone.evaluation.comparison.model == "recurrent network"
    assert len(both.evaluation.comparison.differences) == 2


def test_the_page_in_docs_is_one_that_a_run_writes() -> None:
    """Its words are those of the code, its tables have the code's columns, and no row misses its floor unseen."""
    written = (Path(__file__).parents[2] / "docs" / "proof.md").read_text(encoding="utf-8")
    head, _, rest = page([], "COMMAND", {}).partition("COMMAND")
    assert written.startswith(head)
    for line in rest.splitlines()[1:]:
        assert line.startswith("Versions") or line in written.splitlines(), line
    rows = [line for line in written.splitlines() if line.startswith("| ")]
    assert len(rows) > 15
    assert {row.count(" | ") for row in rows} == {5, 6}
    assert not [row for row in rows if "missed" in row]
