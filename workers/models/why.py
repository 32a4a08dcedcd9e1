"""Why a model says what it says of one entity: what each of the features it reads adds to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from limner.language.closure import from_closure
from limner.language.errors import LimnerError
from limner.language.features import Asking
from limner.language.models import KeyType
from limner.language.suggest import did_you_mean
from limner.workers.history.asof import row_as_of
from limner.workers.history.manifest import History
from limner.workers.history.served import pointers
from limner.workers.history.version import read_version
from limner.workers.models.columns import Number, by_input, wide
from limner.workers.models.contents import read_content
from limner.workers.models.learned import Learned, Logistic
from limner.workers.models.segment_why import Asked, SegmentWhy, segment_why
from limner.workers.models.segmentation import Segmentation
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.windows.timeline import tick_at_or_before


@dataclass(frozen=True)
class Part:
    """What one feature adds to the score, log-odds; `stands_for`: the median, where the value is null."""

    feature: str
    value: Any
    adds: float
    stands_for: float | None = None


@dataclass(frozen=True)
class Why:
    """A probability as it is served, as of `instant` (µs), and the score behind it: `base` and all that parts add."""

    view: str
    feature: str
    model: str
    version: str
    cut_off: int
    instant: int
    probability: float
    score: float
    base: float
    parts: tuple[Part, ...]


def why(root: Path, data: Path, key: str, feature: str, others: Sequence[str] = ()) -> Why | SegmentWhy:
    """Explain what is served of one entity: `feature` may be `view.feature`. The part that adds most comes first.

    LimnerError where no model gives the feature, or has said nothing yet; `others`: what else can be explained.
    """
    plan, name = _asked(root, data, feature, others)
    history = History(plan.folder / plan.fingerprint)
    coverage = history.coverage()
    assert coverage is not None
    instant = tick_at_or_before(plan.view.grid, coverage[1])
    keys = key_of(plan.specs.entities[plan.view.entity].join_keys, key)
    row = row_as_of(history, keys, instant)
    asked = plan.view.features[name]
    assert isinstance(asked, Asking)
    pins = [pin for pin in asked.pins if pin.cut_off <= instant]
    if row is None:
        raise LimnerError(f"{plan.name} knows nothing of {key}")
    if not pins:
        raise LimnerError(f"model {asked.model} says nothing yet: fit it, `limner apply`, and materialize")
    content = read_content(data, asked.model, pins[-1].version)
    values = _values(plan, keys, instant, content.inputs)
    said = Asked(plan, name, asked.model, pins[-1].version, pins[-1].cut_off, instant, values)
    if isinstance(content, Segmentation):
        return segment_why(said, content, root, data)
    return _predicted(said, content)


def _predicted(asked: Asked, learned: Learned) -> Why:
    values = asked.values
    rows = wide(learned.reads, {each: pa.array([values[each]]) for each in learned.inputs})
    adds = by_input(learned.inputs, learned.reads, learned.scorer.contributions(rows))[0]
    parts = [_part(learned, each, values[each], float(adds[place])) for place, each in enumerate(learned.inputs)]
    return Why(
        view=asked.plan.name,
        feature=asked.feature,
        model=asked.model,
        version=asked.version,
        cut_off=asked.cut_off,
        instant=asked.instant,
        probability=float(learned.probability(rows)[0]),
        score=float(learned.scorer.score(rows)[0]),
        base=learned.scorer.base,
        parts=tuple(sorted(parts, key=lambda part: (-abs(part.adds), part.feature))),
    )


def _asked(root: Path, data: Path, feature: str, others: Sequence[str]) -> tuple[ViewPlan, str]:
    """The plan of the view as it is served that has the feature, and the feature's name there."""
    view, _, name = feature.rpartition(".")
    found: list[tuple[ViewPlan, str]] = []
    foretold: list[str] = []
    for each, pointer in sorted(pointers(data / "history").items()):
        version = read_version(data / "history" / each / pointer.fingerprint)
        if version is None:
            continue
        specs = from_closure(version.closure)
        named = [key for key, value in specs.views[each].features.items() if isinstance(value, Asking)]
        foretold += [f"{each}.{key}" for key in named]
        if name in named and view in ("", each):
            found.append((plan_view(specs, each, root, data), name))
    if not found:
        text = f"no model gives {feature!r} in what is served: {did_you_mean(feature, [*foretold, *others])}"
        raise LimnerError(text)
    if len(found) > 1:
        raise LimnerError(f"several views have {name!r}: give one of {', '.join(f'{p.name}.{n}' for p, n in found)}")
    return found[0]


def _values(plan: ViewPlan, keys: Mapping[str, int | str], instant: int, inputs: Sequence[str]) -> dict[str, Any]:
    """What the members' histories say of the entity at the instant, by `view.feature`."""
    found: dict[str, Any] = {}
    for member in plan.members:
        row = row_as_of(History(member.folder), keys, instant) or {}
        for each in inputs:
            view, _, output = each.partition(".")
            if view == member.view:
                found[each] = row.get(output)
    return found


def _part(learned: Learned, name: str, value: Any, adds: float) -> Part:
    scorer, filled = learned.scorer, None
    if isinstance(scorer, Logistic) and value is None:
        fills = zip(learned.reads, scorer.fill, strict=True)
        filled = next((fill for each, fill in fills if each == Number(input=name)), None)
    return Part(name, value, adds, filled)


def key_of(kinds: Mapping[str, KeyType], text: str) -> dict[str, int | str]:
    """The join keys' values, in the order in which they are declared."""
    values = text.split(",") if len(kinds) > 1 else [text]
    try:
        pairs = zip(kinds.items(), values, strict=True)
        return {name: int(value) if kind == "int" else value for (name, kind), value in pairs}
    except ValueError:
        raise LimnerError(f"{text!r} is no key: expected {','.join(kinds)}") from None
