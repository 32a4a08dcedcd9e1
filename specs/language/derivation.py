"""Which outputs a feature has, and which outputs of the view each derived one is made of.

Derived features look at a view's other features by name; what they look at depends on nothing but the spec.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from limner.language.derived_base import Derived
from limner.language.feature_base import Fault, FeatureBase
from limner.language.suggest import did_you_mean, listed

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
    return _derivations(features, name, {name: {"": name}})


def _derivations(features: Features, name: str, known: dict[str, dict[str, str]]) -> tuple[Derivation, ...]:
    feature = features[name]
    assert isinstance(feature, Derived)
    found = {operand.name: _windows(features, operand.name, known) for operand in feature.operands()}
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


def _windows(features: Features, name: str, known: dict[str, dict[str, str]]) -> dict[str, str]:
    """The outputs that an operand stands for: by window if it is a feature of several, else by the empty text."""
    feature = features.get(name)
    if feature is None:
        return {"": name}
    if name not in known:
        known[name] = {"": name}  # until it is known: what leads back to itself stands for itself
        if isinstance(feature, Derived):
            outputs = tuple(each.name for each in _derivations(features, name, known))
        else:
            outputs = feature.names(name)
        if outputs != (name,) and not _short(features, name):
            known[name] = {output.removeprefix(f"{name}_"): output for output in outputs}
    return known[name]


def _short(features: Features, name: str) -> bool:
    """Whether a feature is short for several, none of which has its name."""
    return features[name].expand(name) != ((name, features[name]),)


def _owners(features: Features) -> dict[str, str]:
    """The feature behind each name that a derived one can use: that of all its windows, and that of each."""
    own = {name: name for name in features if not _short(features, name)}
    return own | {output: name for name in features for output in output_names_of(features, name)}


def misused(features: Features, *, dotted: bool = False) -> Iterator[Fault]:
    """Operands that are no features, that have no window in common, or that lead back to where they came from.

    With `dotted`, names with a dot are features of other views, of which this says nothing.
    """
    valid = _owners(features)
    for name, feature in features.items():
        if not isinstance(feature, Derived):
            continue
        unknown = False
        for operand in feature.operands():
            if operand.name not in valid and not (dotted and "." in operand.name):
                unknown = True
                text = f"the view has no feature {operand.name!r}: {did_you_mean(operand.name, valid)}"
                if operand.name in features:
                    outputs = listed(output_names_of(features, operand.name), "and")
                    text = f"{operand.name!r} is short for {outputs}: name one of them"
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
        for operand in features[way[-1]].operands():
            follows = owner.get(operand.name)
            if follows == name:
                return [*way, name]
            if follows is not None and follows not in seen:
                seen.add(follows)
                stack.append([*way, follows])
    return []


def in_order(features: Features) -> list[str]:
    """The derived features, each after those it is made of; there must be no cycle."""
    owner = _owners(features)
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
    owner = _owners(features)
    wanted: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in wanted:
            wanted.add(name)
            left += [owner[operand.name] for operand in features[name].operands() if operand.name in owner]
    return {name: feature for name, feature in features.items() if name in wanted}
