"""From the spec of a request view to its program: types, operands, encoders, all looked up."""

import json
from collections.abc import Mapping

from limner.language.canonical import written
from limner.language.closure import encoder_documents
from limner.language.durations import MICROS
from limner.language.errors import SpecError
from limner.language.outputs import OutputType
from limner.language.repo import Specs
from limner.language.request_features import Age, Calculation, Cosine, RequestFeature, in_order
from limner.language.request_types import RequestTypes
from limner.workers.online.pack import Column
from limner.workers.plan import ViewPlan
from limner.workers.request import program as steps
from limner.workers.request.program import Operand, Program, Step, TextEncoder


def plan_request(specs: Specs, name: str, plans: Mapping[str, ViewPlan]) -> Program:
    """The program of the request view `name` over views as they are planned; the order of keys leaves no trace in it.

    SpecError where types do not fit, the lengths of vectors among them.
    """
    view = specs.requests[name]
    outputs = {each: {output.name: output for output in plan.outputs} for each, plan in plans.items()}
    types = RequestTypes(specs.origin("request_view", name), view, outputs)
    if types.problems:
        raise SpecError(types.problems)
    read = sorted({each for feature in view.features.values() for _, each in feature.reads if "." in each})
    return Program(
        name=name,
        request=tuple(_column(field, kind) for field, kind in sorted(types.fields.items())),
        operands=tuple(_operand(each, types) for each in read),
        features=tuple(_column(feature, kind) for feature, kind in sorted(types.features.items())),
        steps=tuple(_step(each, view.features[each], types, plans) for each in in_order(view.features)),
    )


def _operand(name: str, types: RequestTypes) -> Operand:
    output = types.output(name)
    assert output is not None
    return Operand(name.partition(".")[0], _column(output.name, output.type))


def _column(name: str, kind: OutputType) -> Column:
    return Column(name, kind.base, many=kind.list, dim=kind.dim, keyed=kind.map)


def _step(name: str, feature: RequestFeature, types: RequestTypes, plans: Mapping[str, ViewPlan]) -> Step:
    match feature:
        case Age():
            return steps.Age(name, feature.age, feature.at, MICROS[feature.unit])
        case Cosine():
            text = "." not in feature.other and types.fields.get(feature.other) == OutputType("string")
            encoder = _encoder(feature, types, plans) if text else None
            return steps.Cosine(name, feature.cosine, feature.other, encoder)
        case Calculation():
            return steps.Calculation(name, feature.expression.text, feature.expression.columns)
    raise AssertionError(f"no step for {feature!r}")


def _encoder(feature: Cosine, types: RequestTypes, plans: Mapping[str, ViewPlan]) -> TextEncoder:
    """The encoder that made the stored vector; in front of a text stands what stood in front of those of rows."""
    plan, name = plans[feature.cosine.partition(".")[0]], types.encoder(feature.cosine)
    assert name is not None
    model, output = plan.encoders[name], types.output(feature.cosine)
    assert output is not None
    prefix = next(p for p in (feature.prefix, getattr(output.feature, "prefix", None), model.prefix) if p is not None)
    documents = json.dumps([written(document) for document in encoder_documents(plan.specs, name)])
    return TextEncoder(name, model.fingerprint, model.dim, prefix, documents)
