"""Rates are those of the ledger's own runs, and say from how many."""

from pathlib import Path

import pytest

from limner.workers.costs.measure import KEY, Cost, Encoding, Measuring
from limner.workers.costs.rates import Rates, Run, read_rates
from limner.workers.ledger import Ledger
from limner.workers.report import RowsPrepared, TextsEncoded, silent


def cost(rows: int, seconds: float, **more: object) -> Cost:
    return Cost(rows=rows, seconds=seconds, sources=["s"], **more)  # type: ignore[arg-type]


def test_small_runs_do_not_count_beside_large_ones() -> None:
    """A nightly run is mostly starting; the median of the large ones is the rate."""
    runs = [Run("a", cost(10, 3.0)), Run("a", cost(1000, 10.0)), Run("a", cost(900, 18.0)), Run("a", cost(800, 4.0))]
    rate = Rates(tuple(runs)).seconds_per_row("a", ["s"])
    assert rate is not None
    assert (rate.value, rate.origin) == (0.01, "3 runs of this view")


def test_a_new_view_is_compared_with_the_most_alike() -> None:
    """Views of the same source, else all; without any run there is no rate."""
    rates = Rates((Run("a", cost(100, 5.0)), Run("b", Cost(rows=100, seconds=1.0, sources=["t"]))))
    cases = [(["s"], "1 run of views of the same source", 0.05), (["u"], "2 runs of other views", 0.03)]
    for sources, origin, value in cases:
        rate = rates.seconds_per_row("new", sources)
        assert rate is not None
        assert (rate.origin, rate.value) == (origin, pytest.approx(value))
    assert Rates().seconds_per_row("new", ["s"]) is None
    assert Rates().encoding("f") is None


def test_an_encoder_is_known_by_its_fingerprint() -> None:
    """Another encoder's speed says nothing."""
    encoded = {"bert": Encoding("f" * 64, texts=10, characters=1000, seconds=2.0, device="gpu")}
    rates = Rates((Run("a", cost(10, 1.0, encoded=encoded)),))
    found = rates.encoding("f" * 64)
    assert found is not None
    assert (found[0].value, found[1]) == (0.002, "gpu")
    assert rates.encoding("e" * 64) is None


def test_what_a_run_records_is_what_a_plan_reads(tmp_path: Path) -> None:
    """Through the ledger, runs without a record left out; without a ledger nothing is made."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    assert read_rates(url) == Rates()
    assert list(tmp_path.iterdir()) == []
    heard: list[object] = []
    measuring = Measuring(heard.append)
    for event in (RowsPrepared("a", "s", 70, 60), TextsEncoded("bert", 0, 5, 0), TextsEncoded("bert", 5, 5, 0, 44)):
        measuring(event)
    measured = measuring.done()
    assert len(heard) == 3
    assert (measured.rows, measured.encoded["bert"].texts, measured.encoded["bert"].characters) == (70, 5, 44)
    ledger = Ledger(url)
    run = ledger.start_run("materialize", ["a", "b"])
    ledger.finish_run(run, "done", summary={"a": {KEY: measured.to_json()}, "b": {"rows_read": 3}})
    ledger.close()
    assert read_rates(url).runs == (Run("a", measured),)


def test_all_known_texts_take_no_time() -> None:
    """An encoder that is not asked has no speed."""
    measuring = Measuring(silent)
    measuring(TextsEncoded("bert", 0, 0, 9))
    assert measuring.done().encoded == {}
