"""Views over views: the views that one is made of, near and far, and rules between them."""

from collections.abc import Iterator, Mapping

from limner.language.errors import Problem
from limner.language.features import Asking, encoders_of
from limner.language.learning.binding import models_of
from limner.language.models import FeatureView
from limner.language.outputs import output_names
from limner.language.places import Origin
from limner.language.suggest import did_you_mean, listed

Views = Mapping[str, FeatureView]


def reachable(views: Views, view: FeatureView) -> tuple[str, ...]:
    """As `below`, of views that may be missing, or lead back to themselves."""
    found: dict[str, None] = {}
    left = list(view.views)
    while left:
        each = left.pop()
        if each in views and each not in found:
            found[each] = None
            left += views[each].views
    return tuple(found)


def below(views: Views, name: str) -> tuple[str, ...]:
    """The views that one is made of, and those they are made of, each after its own members."""
    found: dict[str, None] = {}

    def visit(each: str) -> None:
        for member in views[each].views:
            if member not in found:
                visit(member)
                found[member] = None

    visit(name)
    return tuple(found)


def encoders_below(views: Views, name: str) -> tuple[str, ...]:
    """The encoders that a view and its members use, sorted."""
    return tuple(
        sorted({e for each in (name, *below(views, name)) for e in encoders_of(views[each].features.values())})
    )


def models_below(views: Views, name: str) -> tuple[str, ...]:
    """The models that a view and its members ask, sorted."""
    return tuple(sorted({model for each in (name, *below(views, name)) for model in models_of(views[each])}))


def depth(views: Views, name: str) -> int:
    """How many views lie below one: 0 for a view over sources; a view is computed after those of lesser depth."""
    return max((1 + depth(views, member) for member in views[name].views), default=0)


def unfit(origin: Origin, view: FeatureView, views: Views, names: frozenset[str]) -> Iterator[Problem]:
    """Members that are not there, are about another entity or lead back to the view, and features they do not have.

    `names` are those of all views, readable or not.
    """
    for i, member in enumerate(view.views):
        path = ("views", i)
        if member not in names:
            yield origin.problem(path, f"there is no feature view {member!r}: {did_you_mean(member, names)}")
            continue
        way = _way_back(views, member, view.feature_view)
        if way:
            yield origin.problem(path, f"is made of itself: {' -> '.join((view.feature_view, *way))}")
        if member not in views:
            continue
        if views[member].entity != view.entity:
            text = (f"the view {member!r} is about {views[member].entity!r}, this one about {view.entity!r}: "
                    "a view can be made of views of its own entity")  # fmt: skip
            yield origin.problem(path, text)
        yield from _missing(origin, view, member, output_names(views[member]))
    if view.views:
        yield from _strangers(origin, view)
        yield from _unused(origin, view)


def _missing(origin: Origin, view: FeatureView, member: str, outputs: tuple[str, ...]) -> Iterator[Problem]:
    for name, feature in view.features.items():
        for operand in feature.operands():
            owner, dot, output = operand.name.partition(".")
            if dot and owner == member and output not in outputs:
                text = f"the view {member!r} has no feature {output!r}: {did_you_mean(output, outputs)}"
                yield origin.problem(("features", name, *operand.path), text)


def _strangers(origin: Origin, view: FeatureView) -> Iterator[Problem]:
    for name, feature in view.features.items():
        if isinstance(feature, Asking):
            owners = dict.fromkeys(operand.name.partition(".")[0] for operand in feature.operands())
            lacking = [owner for owner in owners if owner not in (*view.views, view.feature_view)]
            if lacking:
                text = f"the model {feature.model!r} reads {listed(lacking, 'and')}: add to views what it reads"
                yield origin.problem(("features", name, feature.kind), text)
            continue
        for operand in feature.operands():
            owner, dot, _ = operand.name.partition(".")
            if dot and owner not in view.views:
                text = f"{operand.name!r}: this view is not made of {owner!r}: {did_you_mean(owner, view.views)}"
                yield origin.problem(("features", name, *operand.path), text)


def _unused(origin: Origin, view: FeatureView) -> Iterator[Problem]:
    """Members of a view that asks models: what these read is known only now."""
    asks = [feature for feature in view.features.values() if isinstance(feature, Asking)]
    used = view.operands()
    for i, member in enumerate(view.views):
        if asks and all(feature.inputs for feature in asks) and not used[member]:
            text = f"no feature is made of {member!r}: use one of its features, {member}.NAME, or leave the view out"
            yield origin.problem(("views", i), text)


def _way_back(views: Views, start: str, goal: str) -> tuple[str, ...]:
    """The views from `start` to `goal`, both included; empty if none leads there."""
    stack: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    while stack:
        way = stack.pop()
        if way[-1] == goal:
            return way
        for member in views[way[-1]].views if way[-1] in views else ():
            if member not in seen or member == goal:
                seen.add(member)
                stack.append((*way, member))
    return ()
