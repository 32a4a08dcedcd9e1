"""The small project of `world`, with views of sums only beside one that is not."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.workers.stream.world import SPECS, World

SOURCES = SPECS[: SPECS.index("---\nfeature_view")]
SHORT = SPECS[SPECS.index("---\nfeature_view: short") :]
SUMS = """
---
feature_view: sums
entity: user
sources: [clicks, visits]
every: event
features:
  clicks: {count: "*", over: [5s, 1m, this_day, last_week, lifetime], from: clicks}
  spend: {sum: amount, over: [10s, lifetime], where: "kind != 'a'", from: clicks}
  mean: {mean: price, over: [30s, last_day], from: clicks}
  spread: {std: price, over: [30s, lifetime], from: clicks, default: -1}
  part: {share: price, where: amount > 10, over: 19s, from: clicks}
  faster: {trend: "*", as: ratio, over: [5s, 30s], from: clicks}
  slope: {trend: price, over: 1m, from: clicks}
  hours: {histogram: hour, share: true, over: [10s, lifetime], from: clicks}
  words: {text: "{kind} {brand}", measure: characters, over: 20s, from: clicks}
  visits: {count: "*", over: 40s, where: "visit <> '1'", from: visits}
  both: {ratio: [clicks_1m, visits]}
---
feature_view: ever
entity: user
source: clicks
every: event
features:
  all: {count: "*", where: amount > 10}
  spend: {sum: price}
---
feature_view: brief
entity: user
source: clicks
every: event
features:
  some: {count: "*", over: 5s, where: amount > 10}
  mean: {mean: price, over: 20s}
  last: {sum: n, over: 10s}
"""


class SumsWorld(World):
    """As `World`."""

    def __init__(self, root: Path, before: Sequence[tuple[str, Mapping[str, Any]]] = ()) -> None:
        super().__init__(root, before, SOURCES + SHORT + SUMS)
