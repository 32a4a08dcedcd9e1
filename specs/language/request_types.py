"""Types of the features of a request view: what each reads is of a kind that it can use."""

from collections.abc import Iterator, Mapping

from limner.language.condition_types import typed
from limner.language.errors import Problem
from limner.language.features import Embed
from limner.language.models import LogicalType, RequestView, VectorField
from limner.language.outputs import Output, OutputType
from limner.language.places import Origin
from limner.language.request_features import Age, Calculation, Cosine, RequestFeature, in_order

Outputs = Mapping[str, Mapping[str, Output]]
"""View -> output name -> output. A vector of an unknown length has dim 0."""


class RequestTypes:
    """The types of one request view's fields and features. `problems` are what was found wrong on the way.

    A feature that reads what is not in `outputs`, or what has a problem of its own, has no type and no problem.
    """

    def __init__(self, origin: Origin, view: RequestView, outputs: Outputs) -> None:
        self.outputs = outputs
        self.fields = {name: _of_field(kind) for name, kind in view.request.items()}
        self.features: dict[str, OutputType] = {}
        self.problems: list[Problem] = []
        for name in in_order(view.features):
            feature = view.features[name]
            types = {read: self._type(read) for _, read in feature.reads}
            known = {read: kind for read, kind in types.items() if kind is not None}
            if len(known) == len(types):
                found = list(self._faults(feature, known))
                self.problems += [origin.problem(("features", name, key), text) for key, text in found]
                if not found:
                    self.features[name] = _gives(feature, known)

    def output(self, name: str) -> Output | None:
        """The output behind `view.feature`."""
        view, _, feature = name.partition(".")
        return self.outputs.get(view, {}).get(feature)

    def encoder(self, name: str) -> str | None:
        """The encoder that made the texts' vector behind `view.feature`."""
        output = self.output(name)
        return output.feature.encoder if output is not None and isinstance(output.feature, Embed) else None

    def _type(self, name: str) -> OutputType | None:
        if "." in name:
            output = self.output(name)
            return None if output is None else output.type
        return self.fields.get(name) or self.features.get(name)

    def _faults(self, feature: RequestFeature, types: Mapping[str, OutputType]) -> Iterator[tuple[str, str]]:
        """(key, message)."""
        match feature:
            case Age():
                for key, name in feature.reads:
                    if types[name] != OutputType("timestamp"):
                        yield key, f"{name} is {types[name].words}, but age takes instants"
            case Cosine():
                yield from self._cosine(feature, types[feature.cosine], types[feature.other])
            case Calculation():
                for name, kind in types.items():
                    if not _single(kind):
                        yield "expression", f"{name} is {kind.words}, but an expression takes single values"
                        return
                try:
                    typed(feature.expression.tree, _bases(types))
                except ValueError as error:
                    yield "expression", str(error)

    def _cosine(self, feature: Cosine, left: OutputType, right: OutputType) -> Iterator[tuple[str, str]]:
        encoder = self.encoder(feature.cosine)
        if left.dim is None:
            yield "cosine", f"{feature.cosine} is {left.words}, but cosine takes a vector"
        elif right == OutputType("string"):
            if encoder is None:
                yield "with", (f"{feature.other} is a string, and {feature.cosine} is no vector of texts: "
                               "only embed has an encoder, which could make a vector of it")  # fmt: skip
        elif feature.prefix is not None:
            yield "prefix", f"prefix is put in front of a text, and {feature.other} is {right.words}"
        elif right.dim is None:
            yield "with", f"{feature.other} is {right.words}, but a vector is compared with a vector or a string"
        elif 0 not in (left.dim, right.dim) and left.dim != right.dim:
            yield "with", (f"{feature.other} is {right.words} and {feature.cosine} {left.words}: "
                           "vectors that are compared have one length")  # fmt: skip
        elif encoder is not None and self.encoder(feature.other) not in (None, encoder):
            yield "with", (f"{feature.other} is made by the encoder {self.encoder(feature.other)!r} and "
                           f"{feature.cosine} by {encoder!r}: vectors of two encoders cannot be compared")  # fmt: skip


def _of_field(kind: LogicalType | VectorField) -> OutputType:
    return OutputType("float", list=True, dim=kind.vector) if isinstance(kind, VectorField) else OutputType(kind)


def _gives(feature: RequestFeature, types: Mapping[str, OutputType]) -> OutputType:
    if isinstance(feature, Calculation):
        return OutputType(typed(feature.expression.tree, _bases(types))[1])
    return OutputType("float")


def _single(kind: OutputType) -> bool:
    return kind == OutputType(kind.base)


def _bases(types: Mapping[str, OutputType]) -> dict[str, LogicalType]:
    return {name: kind.base for name, kind in types.items()}
