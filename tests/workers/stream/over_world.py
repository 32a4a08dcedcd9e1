"""The small project of `world`, with views over its views that are derived, fitted and asked of a model."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limner.language.derivation import output_names_of
from limner.language.features import Pin
from limner.language.learning.binding import with_versions
from limner.language.models import FeatureView
from limner.language.outputs import output_names
from limner.workers.models.learned import Learned, Logistic
from limner.workers.models.versions import LEARNED, Version, digests, register
from tests.oracle.instants import from_micros
from tests.oracle.members import Over
from tests.oracle.oracle import Key, Oracle
from tests.workers.stream.world import BEGIN, SECOND, SPECS, World

SOURCES = SPECS[: SPECS.index("---\nfeature_view")]
OVER = f"""
---
feature_view: now
entity: user
source: clicks
every: event
features:
  clicks: {{count: "*", over: [5s, lifetime]}}
  spend: {{sum: amount, over: 5s}}
  kinds: {{top: 2, of: kind, over: 30s}}
  last: {{last: at}}
  taste: {{embed: "{{kind}} {{brand}}", encoder: tiny, over: 20s}}
  share: {{ratio: [clicks_5s, clicks_lifetime]}}
---
feature_view: short
entity: user
source: visits
every: event
features: {{visits: {{count: "*", over: [10s, 40s]}}}}
---
feature_view: over
entity: user
views: [now, short]
every: event
features:
  keen: {{expression: "now.clicks_5s > short.visits_10s"}}
  often: {{ratio: [now.share, short.visits_40s]}}
  kind: {{expression: "now.last is null"}}
  taste: {{vector: [{{embedding: now.taste}}]}}
  usual: {{zscore: now.clicks_lifetime, fit: "{from_micros(BEGIN).isoformat()}"}}
  risk: {{predict: risk}}
---
feature_view: top
entity: user
views: [over, short]
every: event
features:
  level: {{bucket: over.risk, bounds: [0.4, 0.6]}}
  both: {{expression: "over.keen and short.visits_40s > 0"}}
---
model: risk
entity: user
propensity:
  features: [{{now: [clicks_5s, spend]}}, {{short: [visits_40s]}}]
  label: {{count: "*", from: clicks, next: 60d, is: "= 0"}}
  every: 1d
cut_off: 2026-01-01
"""
INPUTS = ("now.clicks_5s", "now.spend", "short.visits_40s")
CUT_OFFS = {BEGIN - 3600 * SECOND: (0.5, -0.125, 0.25), BEGIN + SECOND // 2: (-0.75, 0.125, 0.25)}


class OverWorld(World):
    """As `World`; of the model `risk` there are versions with the cut-offs and weights of `versions`."""

    def __init__(self, root: Path, before: Sequence[tuple[str, Mapping[str, Any]]] = (), specs: str = "") -> None:
        super().__init__(root, before, specs or SOURCES + OVER)
        self.versions: dict[int, tuple[float, ...]] = {}
        for cut_off, weights in CUT_OFFS.items():
            self.learn(cut_off, weights)
        self.pin()

    def learn(self, cut_off: int, weights: tuple[float, ...]) -> None:
        """A new version, which nobody asks yet."""
        self.versions[cut_off] = weights

    def pin(self) -> None:
        """From now on views ask all versions that there are."""
        pins = []
        for cut_off, weights in sorted(self.versions.items()):
            some = (0.0,) * len(INPUTS), (0.0,) * len(INPUTS), (1.0,) * len(INPUTS)
            scorer = Logistic(fill=some[0], center=some[1], width=some[2], weights=weights, intercept=0.125)
            files = {LEARNED: Learned(inputs=INPUTS, scorer=scorer).model_dump_json().encode()}
            version = Version(
                model="risk", kind="propensity", definition="", cut_off=cut_off, seed=0, data="", examples={},
                metrics={}, files=digests(files),
            )  # fmt: skip
            for data in ("data", "again"):
                register(self.root / data, version, files)
            pins.append(Pin(cut_off=cut_off, version=version.id))
        self.specs = with_versions(self.specs, {"risk": tuple(pins)})

    def oracle(self, view: str) -> Any:
        """Brute force, of views over views, too."""
        spec = self.specs.views[view]
        if not spec.views:
            return super().oracle(view)
        return Asking(spec, {each: self.oracle(each) for each in spec.views}, self.says)

    def says(self, instant: int, inputs: Mapping[str, Any]) -> float | None:
        """The probability, worked out by hand."""
        spoken = [weights for cut_off, weights in sorted(self.versions.items()) if cut_off <= instant]
        if not spoken:
            return None
        score = 0.125 + sum(weight * (inputs[name] or 0.0) for weight, name in zip(spoken[-1], INPUTS, strict=True))
        odds = math.exp(-abs(score))
        return 1 / (1 + odds) if score >= 0 else odds / (1 + odds)


class Asking:
    """The oracle of a view over views that asks the model `risk`, or does not."""

    def __init__(self, view: FeatureView, members: Mapping[str, Oracle], says: Any) -> None:
        self.view, self.members, self.says = view, members, says
        plain = {name: feature for name, feature in view.features.items() if feature.kind != "predict"}
        self.plain = Over(view.model_copy(update={"features": plain}), members)
        self.entities = self.plain.entities

    def at(self, instant: int, key: Key) -> dict[str, Any] | None:
        """The values at an instant (µs); None while no member has any."""
        found = self.plain.at(instant, key)
        if found is None:
            return None
        inputs: dict[str, Any] = {}
        for name, member in self.members.items():
            values = member.at(instant, key)
            inputs |= {f"{name}.{out}": values[out] if values else None for out in output_names(member.view)}
        asked = [name for name, feature in self.view.features.items() if feature.kind == "predict"]
        return found | {
            out: self.says(instant, inputs) for name in asked for out in output_names_of(self.view.features, name)
        }
