"""Intervals by resampling entities: repeatable, paired, and as wide as the truth asks."""

import numpy as np
import pytest

from limner.language.errors import LimnerError
from limner.workers.evaluation import bootstrap, metrics
from limner.workers.evaluation.bootstrap import resample
from limner.workers.evaluation.weighted import mean


def test_an_interval_is_repeatable_and_holds_the_value() -> None:
    """The same seed gives the same interval, another seed another one."""
    values, clusters = np.random.default_rng(1).normal(size=300), np.arange(300)
    once, again, other = (resample({"m": mean(values)}, clusters, seed=seed)["m"].interval() for seed in (1, 1, 2))
    assert once == again != other
    assert once.low < once.value < once.high


def test_the_size_of_a_block_does_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks bound memory and nothing else."""
    values, clusters = np.arange(20.0), np.repeat(np.arange(10), 2)
    whole = resample({"m": mean(values)}, clusters, draws=50)["m"].draws
    monkeypatch.setattr(bootstrap, "_CELLS", 60)
    assert (resample({"m": mean(values)}, clusters, draws=50)["m"].draws == whole).all()


@pytest.mark.parametrize("rows_each", [1, 5])
def test_intervals_of_a_mean_cover_the_truth(rows_each: int) -> None:
    """Of 300 samples of 80 entities whose rows are alike, the 95 % intervals of nearly 95 % hold the mean, 0."""
    random = np.random.default_rng(7)
    clusters = np.repeat(np.arange(80), rows_each)
    held = 0
    for turn in range(300):
        values = random.normal(size=80)[clusters] + 0.3 * random.normal(size=len(clusters))
        found = resample({"m": mean(values)}, clusters, draws=300, seed=turn)["m"].interval()
        held += found.low <= 0 <= found.high
    assert 0.90 <= held / 300 <= 0.98


def test_rows_as_if_they_were_independent_would_be_too_sure() -> None:
    """Resampling rows instead of entities gives an interval that is far too narrow."""
    clusters = np.repeat(np.arange(50), 20)
    values = np.random.default_rng(3).normal(size=50)[clusters]
    by_entity = resample({"m": mean(values)}, clusters)["m"].interval()
    by_row = resample({"m": mean(values)}, np.arange(len(values)))["m"].interval()
    assert (by_entity.high - by_entity.low) > 3 * (by_row.high - by_row.low)


def test_intervals_of_an_auc_cover_the_truth() -> None:
    """Two normal populations one deviation apart have an AUC of 0.7602."""
    random = np.random.default_rng(11)
    labels, held = np.repeat([0, 1], [120, 60]), 0
    for turn in range(200):
        metric = metrics.roc_auc(labels, random.normal(size=180) + labels)
        found = resample({"auc": metric}, np.arange(180), draws=200, seed=turn)["auc"].interval()
        held += found.low <= 0.7602 <= found.high
    assert 0.90 <= held / 200 <= 0.99


def test_a_difference_is_paired() -> None:
    """Two models that err together are told apart though their own intervals overlap."""
    random = np.random.default_rng(5)
    hard = random.normal(size=200)
    found = resample({"model": mean(hard + 0.1), "other": mean(hard + 0.01 * random.normal(size=200))}, np.arange(200))
    assert found["model"].interval().low < found["other"].interval().high
    assert found["model"].less(found["other"]).verdict == "beats"
    assert found["other"].less(found["model"]).verdict == "loses"
    assert found["model"].less(found["other"], better="less").verdict == "loses"
    assert found["model"].less(found["model"]).verdict == "ties"


def test_equal_models_rarely_beat_each_other() -> None:
    """Of 200 comparisons of two models that are as good, about one in twenty is decided."""
    random = np.random.default_rng(13)
    decided = 0
    for turn in range(200):
        found = resample(
            {name: mean(random.normal(size=100)) for name in ("one", "other")}, np.arange(100), draws=200, seed=turn
        )
        decided += found["one"].less(found["other"]).verdict != "ties"
    assert decided <= 24


def test_draws_that_leave_a_metric_undefined_are_counted() -> None:
    """One positive row is often not drawn: such draws are told, not made up."""
    metric = metrics.roc_auc([1, 0, 0, 0], [0.9, 0.1, 0.2, 0.3])
    found = resample({"auc": metric}, np.arange(4), draws=400)["auc"].interval()
    assert (found.value, found.low, found.high) == (1, 1, 1)
    assert 60 < found.undefined < 200


def test_one_entity_has_no_interval() -> None:
    """It says nothing about others."""
    with pytest.raises(LimnerError, match="two entities"):
        resample({"m": mean([1.0, 2.0])}, np.array([4, 4]))
