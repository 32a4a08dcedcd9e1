"""A verdict takes every baseline and the draws of both."""

import json

import numpy as np
import pytest

from limner.language.errors import LimnerError
from limner.workers.evaluation.compare import Comparison, Measure, compare
from limner.workers.evaluation.weighted import mean

HARD = np.random.default_rng(5).normal(size=200)


def compared(**offsets: float) -> Comparison:
    """Contenders that are as good as each other plus so much, over the same rows."""
    random = np.random.default_rng(6)
    contenders = {name: {"gain": mean(HARD + add + 0.01 * random.normal(size=200))} for name, add in offsets.items()}
    return compare(contenders, [Measure("gain")], np.arange(200), draws=200)


@pytest.mark.parametrize(
    ("offsets", "verdict", "unbeaten"),
    [
        ({"model": 0.2, "majority": 0.0, "habit": 0.1}, "beats", []),
        ({"model": 0.2, "majority": 0.0, "habit": 0.2}, "ties", ["habit"]),
        ({"model": 0.2, "majority": 0.0, "habit": 0.3}, "loses", ["habit"]),
    ],
)
def test_a_model_is_as_good_as_its_strongest_baseline_lets_it(
    offsets: dict[str, float], verdict: str, unbeaten: list[str]
) -> None:
    """Beating the weak ones does not help."""
    found = compared(**offsets)
    assert (found.model, found.verdict, found.unbeaten()) == ("model", verdict, unbeaten)


def test_a_comparison_is_plain_data() -> None:
    """JSON with rounded figures and no NaN, the same each time."""
    found = compare(
        {name: {"gain": mean(HARD), "none": mean(np.full(200, np.nan))} for name in ("model", "other")},
        [Measure("gain"), Measure("none")],
        np.arange(200),
        draws=20,
    )
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["intervals"]["model"]["none"]["value"] is None
    assert told["intervals"]["model"]["gain"]["value"] == round(float(HARD.mean()), 6)
    assert told["differences"]["other"]["gain"]["verdict"] == told["verdict"] == "ties"


def test_a_model_alone_is_not_evaluated() -> None:
    """A figure without a baseline says little."""
    with pytest.raises(LimnerError, match="baseline"):
        compared(model=1.0)
