"""What stands where in a vector feature: a pure function of the spec and of the types of what it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass

from limner.language.features.fusion import Categories, Embedding, Scalars, Vector
from limner.language.outputs import Output
from limner.language.types import OutputType


@dataclass(frozen=True)
class Place:
    """Places `first` to `last` (both included, from 0): what stands there, and how it was made a number."""

    first: int
    last: int
    what: str
    how: str


def layout(output: Output, types: Mapping[str, OutputType]) -> tuple[Place, ...]:
    """The places of a vector output before it is projected, in order; `types` by output.

    A part that is as long as an encoder's vectors takes as many places as the types say.
    """
    feature = output.feature
    assert isinstance(feature, Vector)
    inputs = dict(output.inputs)
    places: list[Place] = []

    def add(length: int, what: str, how: str, weight: float) -> None:
        first = places[-1].last + 1 if places else 0
        factor = "" if weight == 1 else f", times {weight:g}"
        places.append(Place(first, first + length - 1, what, how + factor))

    for part in feature.vector:
        match part:
            case Scalars(scalars=names, scale=scale, weight=weight):
                for each in (each for name in names for each in inputs[name]):
                    add(1, each, {"none": "as it is"}.get(scale, scale), weight)
            case Categories(categories=name, values=values, other=other, weight=weight):
                (each,) = inputs[name]
                for value in values:
                    add(1, f"{each} = {value}", "1 or 0", weight)
                if other:
                    add(1, f"{each}: any other", "1 or 0", weight)
            case Embedding(embedding=name, weight=weight):
                (each,) = inputs[name]
                add(types[each].dim or 0, each, "embedding", weight)
    return tuple(places)
