"""Request views as Feast's on-demand feature views: the program travels in the registry, the code stays in Limner.

Feast keeps a transformation as source text, which readers execute, and as a pickle. Ours is two fixed lines around a
JSON literal: nothing of a spec is ever code, and equal programs are equal texts, so that `feast plan` shows no changes
where there are none.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast import Entity, FeatureView, Field, OnDemandFeatureView, RequestSource
from feast.transformation.python_transformation import PythonTransformation

from limner.feature_repo.errors import facing_feast
from limner.feature_repo.feast_types import feast_type
from limner.language.canonical import written
from limner.language.errors import LimnerError
from limner.language.models import RequestView
from limner.workers.online.locate import repository
from limner.workers.online.pack import Column
from limner.workers.request.evaluate import evaluate
from limner.workers.request.fields import typed
from limner.workers.request.program import Program
from limner.workers.request.texts import TextEncoders

REQUEST_TAG = "limner.request_view"
IDENTITY_TAG = "limner.identity"
PROGRAM_TAG = "limner.program"
DOCUMENT_TAG = "limner.document"
FUNCTION = "limner_request_view"
_SOURCE = """def {function}(inputs):
    from limner.feature_repo.on_demand import answer
    return answer({program!r}, inputs)
"""


class _Function:
    """What Feast calls, and pickles as the name of this class and a text."""

    __name__ = FUNCTION

    def __init__(self, program: str) -> None:
        self.program = program

    def __call__(self, inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return answer(self.program, inputs)

    def __reduce__(self) -> tuple[type["_Function"], tuple[str]]:
        return _Function, (self.program,)


class _Transformation(PythonTransformation):
    """Declares its types, instead of being run on samples when it is applied."""

    declared: list[Field]

    def infer_features(self, random_input: dict[str, Any], singleton: bool | None = False) -> list[Field]:
        """The features as the program types them."""
        return self.declared


def on_demand_view(
    spec: RequestView, program: Program, views: Mapping[str, FeatureView], entities: list[Entity]
) -> OnDemandFeatureView:
    """The Feast object of a request view over `views`, by name; `entities` are those of its entity, one a join key.

    Its join keys are declared here, else Feast would add them when it applies, and see a change ever after.
    """
    kinds = {column.name: feast_type(column) for column in program.features}
    schema = [  # people meet features in the order of the spec
        Field(name=name, dtype=kinds[name], description=feature.description) for name, feature in spec.features.items()
    ]
    transformation = _Transformation(
        udf=_Function(program.text),  # type: ignore[arg-type]
        udf_string=_SOURCE.format(function=FUNCTION, program=program.text),
    )
    transformation.declared = schema
    sources: list[Any] = [views[view][features].projection for view, features in program.views.items()]
    if program.request:
        fields = [Field(name=field.name, dtype=feast_type(field)) for field in program.request]
        sources.append(RequestSource(name=f"{program.name}_request", schema=fields))
    view = OnDemandFeatureView(
        name=program.name,
        entities=entities,
        schema=schema,
        sources=sources,
        feature_transformation=transformation,
        mode="python",
        description=spec.description,
        owner=spec.owner,
        tags=spec.tags
        | {
            REQUEST_TAG: program.name,
            IDENTITY_TAG: program.identity,
            PROGRAM_TAG: program.text,
            DOCUMENT_TAG: json.dumps([written(spec)], separators=(",", ":"), ensure_ascii=False),
        },
    )
    view.entity_columns = list(views[next(iter(program.views))].entity_columns)
    return view


def program_of(view: OnDemandFeatureView) -> Program | None:
    """The program of an on-demand view that is ours."""
    return Program.from_json(view.tags[PROGRAM_TAG]) if PROGRAM_TAG in view.tags else None


def answer(text: str, inputs: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The features of a request view from what Feast has read, for online stores that are not ours.

    Feast hands over each feature by its short and by its full name, and takes back either. Texts are encoded by the
    encoders of the project in the working directory.
    """
    program = Program.from_json(text)
    with facing_feast():
        columns = {field.name: typed(_array(inputs[field.name]), field) for field in program.request}
        for operand in program.operands:
            full = f"{operand.view}__{operand.column.name}"
            if full not in inputs or _ambiguous(program, operand.column.name, full, inputs):
                raise LimnerError(
                    f"two features are called {operand.column.name!r} here, and {program.name!r} reads {operand.name}: "
                    "ask for full_feature_names=True"
                )
            columns[operand.name] = _operand(inputs[full], operand.column)
        found = evaluate(program, columns, TextEncoders(repository(Path.cwd())))
    values = {name: array.to_pylist() for name, array in found.items()}
    return values | {f"{program.name}__{name}": each for name, each in values.items()}


def _ambiguous(program: Program, short: str, full: str, inputs: Mapping[str, list[Any]]) -> bool:
    """Whether the value under the full name may be another view's: Feast made it of the short one, which came first."""
    if sum(operand.column.name == short for operand in program.operands) < 2:
        return False
    names = list(inputs)
    return short in inputs and names.index(short) < names.index(full)


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise LimnerError(f"the values of a request mix types: {error}") from error


def _operand(values: list[Any], column: Column) -> pa.Array:
    if column.many or column.dim is not None or column.keyed:
        return pa.array(values, column.arrow)
    return typed(_array(values), column)
