"""Which outputs a feature has, and which outputs of the view each derived one is made of.

Derived features look at a view's other features by name; what they look at depends on nothing but the spec.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from limner.language.derived_base import Derived
from limner.language.feature_base import Fault, FeatureBase
from limner.language.suggest import did_you_mean

Features = Mapping[str, FeatureBase]


@dataclass(frozen=True)
class Derivation:
    """One output of a derived feature; `inputs` are the outputs that stand for its operands, by the operand's name."""

    name: str
    inputs: tuple[tuple[str, tuple[str, ...]], ...]


def output_names_of(features: Features, name: str) -> tuple[str, ...]:
    """The outputs of the feature `name`, in order."""
    feature = features[name]
    if isinstance(feature, Derived):
        return tuple(each.name for each in derivations(features, name))
    return feature.names(name)


def derivations(features: Features, name: str) -> tuple[Derivation, ...]:
    """One for each window that the operands have in common; a feature of one window goes with each.

    What cannot be resolved (`misused` says why) stands for itself.
    """
    return _derivations(features, name, (name,))


def _derivations(features: Features, name: str, above: tuple[str, ...]) -> tuple[Derivation, ...]:
    feature = features[name]
    assert isinstance(feature, Derived)
    found = {operand.name: _windows(features, operand.name, above) for operand in feature.operands()}
    if feature.together:
        return (Derivation(name, tuple((operand, tuple(each.values())) for operand, each in found.items())),)
    several = [each for each in found.values() if "" not in each]
    if not several:
        return (Derivation(name, tuple((operand, (each[""],)) for operand, each in found.items())),)
    return tuple(
        Derivation(
            f"{name}_{window}",
            tuple((operand, (each[window if "" not in each else ""],)) for operand, each in found.items()),
        )
        for window in several[0]
        if all(window in each for each in several)
    )


def _windows(features: Features, name: str, above: tuple[str, ...]) -> dict[str, str]:
    """The outputs that an operand stands for: by window if it is a feature of several, else by the empty text."""
    feature = features.get(name)
    if feature is None or name in above or not _many(feature, features, name, above):
        return {"": name}
    outputs = (
        tuple(each.name for each in _derivations(features, name, (*above, name)))
        if isinstance(feature, Derived)
        else feature.names(name)
    )
    return {output.removeprefix(f"{name}_"): output for output in outputs}


def _many(feature: FeatureBase, features: Features, name: str, above: tuple[str, ...]) -> bool:
    if isinstance(feature, Derived):
        return [each.name for each in _derivations(features, name, (*above, name))] != [name]
    return feature.expand(name) == ((name, feature),) and feature.names(name) != (name,)


def misused(features: Features, *, dotted: bool = False) -> Iterator[Fault]:
    """Operands that are no features, that have no window in common, or that lead back to where they came from.

    With `dotted`, names with a dot are features of other views, of which this says nothing.
    """
    valid = {output: name for name in features for output in (name, *output_names_of(features, name))}
    for name, feature in features.items():
        if not isinstance(feature, Derived):
            continue
        unknown = False
        for operand in feature.operands():
            if operand.name not in valid and not (dotted and "." in operand.name):
                unknown = True
                text = f"the view has no feature {operand.name!r}: {did_you_mean(operand.name, valid)}"
                yield (name, *operand.path), text, False
        cycle = _cycle(features, valid, name)
        if cycle:
            yield (name,), f"depends on itself: {' -> '.join(cycle)}", True
        elif not unknown and not derivations(features, name):
            text = "its operands have no window in common: name one window of each, such as spend_30d"
            yield (name,), text, True


def _cycle(features: Features, owner: Mapping[str, str], name: str) -> list[str]:
    """The way from a feature back to itself; empty if there is none."""
    stack = [[name]]
    seen = set()
    while stack:
        way = stack.pop()
        feature = features[way[-1]]
        for operand in feature.operands() if isinstance(feature, Derived) else ():
            follows = owner.get(operand.name)
            if follows == name:
                return [*way, name]
            if follows is not None and follows not in seen:
                seen.add(follows)
                stack.append([*way, follows])
    return []


def in_order(features: Features) -> list[str]:
    """The derived features, each after those it is made of; there must be no cycle."""
    owner = {output: name for name in features for output in (name, *output_names_of(features, name))}
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        feature = features[name]
        if isinstance(feature, Derived) and name not in done:
            for operand in feature.operands():
                if operand.name in owner:
                    visit(owner[operand.name])
            done[name] = None

    for name in features:
        visit(name)
    return list(done)


def with_operands(features: Features, names: Iterable[str]) -> dict[str, FeatureBase]:
    """The features named, with all those that they are made of, in the order of the spec."""
    owner = {output: name for name in features for output in (name, *output_names_of(features, name))}
    wanted: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        feature = features[name]
        if name not in wanted:
            wanted.add(name)
            operands = feature.operands() if isinstance(feature, Derived) else ()
            left += [owner[operand.name] for operand in operands if operand.name in owner]
    return {name: feature for name, feature in features.items() if name in wanted}
