"""Views over the views of a generated case, and what they are worth: derived of what each member is worth then."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from limner.language.features import Embed
from limner.language.models import FeatureView
from limner.language.outputs import Output, output_names
from tests.oracle.derived import derived
from tests.oracle.generate import STEPS
from tests.oracle.instants import from_micros, last_tick
from tests.oracle.oracle import Key, Oracle


@st.composite
def over(draw: st.DrawFn, entity: str, members: Mapping[str, Sequence[Output]], fit: int) -> dict[str, Any]:
    """The document of a view over all of `members`, by name with what they write; `fit` (µs) is that of its fits."""
    features: dict[str, Any] = {}
    for member, outputs in members.items():
        for output in draw(st.lists(st.sampled_from(outputs), min_size=1, max_size=3, unique_by=lambda o: o.name)):
            doc = draw(_feature(f"{member}.{output.name}", output, from_micros(fit).isoformat()))
            features[f"f{len(features)}"] = doc
    every, at = draw(st.sampled_from([*STEPS, ("event", None), ("event", None)]))
    doc = {"feature_view": "over", "entity": entity, "views": list(members), "every": every, "features": features}
    return doc | ({"at": at} if at else {})


def usable(outputs: Sequence[Output]) -> list[Output]:
    """Those that a derived feature of the oracle can be made of: single values, and vectors of encoders."""
    return [
        each
        for each in outputs
        if isinstance(each.feature, Embed) or not (each.type.list or each.type.map or each.type.dim)
    ]


@st.composite
def _feature(draw: st.DrawFn, operand: str, output: Output, fit: str) -> dict[str, Any]:
    kind = output.type
    if kind.dim is not None:
        return {"vector": [{"embedding": operand}]}
    found: list[dict[str, Any]] = [{"expression": f"{operand} is null"}, {"hash": operand, "buckets": 3}]
    if kind.base in ("int", "float"):
        found += [{"expression": f"{operand} + 1"}, {"bucket": operand, "bounds": [0, 2]}]
        found += [{"ratio": [operand, operand]}, {"zscore": operand, "fit": fit}, {"minmax": operand, "fit": fit}]
    return draw(st.sampled_from(found))


class Over:
    """The oracle of a view over views, from those of its members."""

    def __init__(self, view: FeatureView, members: Mapping[str, Oracle]) -> None:
        self.view = view
        self.members = members
        self.entities: set[Key] = {key for member in members.values() for key in member.entities}

    def at(self, instant: int, key: Key) -> dict[str, Any] | None:
        """The values at an instant of the grid (µs); None while no member has any."""
        known: dict[str, Any] = {}
        there = False
        for name, member in self.members.items():
            values = member.at(last_tick(member.view.grid, instant), key)
            there |= values is not None
            known |= {f"{name}.{out}": values[out] if values else None for out in output_names(member.view)}
        found = derived(self.view, known, instant, self._population)
        return {name: found[name] for name in output_names(self.view)} if there else None

    def _population(self, instant: int, output: str) -> list[Any]:
        tick = last_tick(self.view.grid, instant)
        rows = []
        for key in self.entities:
            values = [(n, m, m.at(last_tick(m.view.grid, tick), key)) for n, m in self.members.items()]
            if any(each is not None for _, _, each in values):
                found = {f"{n}.{o}": v[o] if v else None for n, m, v in values for o in output_names(m.view)}
                rows.append(found[output])
        return rows
