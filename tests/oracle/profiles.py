"""How many cases a property is tried on: the same ones each time, or ever new ones with LIMNER_EXPLORE=<factor>."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

FACTOR = float(os.environ.get("LIMNER_EXPLORE", "0"))
# LIMNER_SHRINK=0 shows the first counterexample as it was found.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
if os.environ.get("LIMNER_SHRINK") == "0":
    PHASES.remove(Phase.shrink)


def many(cases: int) -> Callable[[Any], Any]:
    """Settings for `cases` cases, times LIMNER_EXPLORE (and then at random) where it is set."""
    return settings(
        max_examples=max(1, round(cases * FACTOR)) if FACTOR else cases,
        derandomize=not FACTOR,
        phases=PHASES,
        database=None,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
