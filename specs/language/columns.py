"""The specs held against the data: which columns there are, of which types, and whether every use of them fits."""

from collections.abc import Iterator

from limner.language.errors import Problem, SpecError
from limner.language.example_columns import misfitting
from limner.language.learning.questions import questions
from limner.language.learning.rules import unreadable
from limner.language.learning.sequence_columns import unordered
from limner.language.learning.text_columns import unlabelled
from limner.language.members import depth
from limner.language.models import LearnedModel, LogicalType
from limner.language.outputs import Output
from limner.language.repo import Specs
from limner.language.request_types import RequestTypes
from limner.language.scope import RawColumns, scope
from limner.language.source_columns import SourceColumns
from limner.language.types import NUMBERS
from limner.language.uses import Use
from limner.language.view_columns import ViewColumns


def cleaned(specs: Specs, source_name: str, raw: RawColumns) -> dict[str, LogicalType]:
    """Columns of a source after casts and lookups, with the aliases event_timestamp and created_timestamp."""
    return dict(scope(specs, source_name, raw).joined)


def check(specs: Specs, raw: RawColumns) -> None:
    """Hold every source that is in `raw` with its lookups, and every view that reads it, against the columns.

    Raises SpecError with all problems: unknown or ambiguous columns, types that clash, defaults that do not fit.
    """
    problems: list[Problem] = []
    known = {name for name, source in specs.sources.items() if {name, *source.others} <= raw.keys()}
    for name, source in specs.sources.items():
        if name in known:
            problems += SourceColumns(specs, source, scope(specs, name, raw), raw).problems()
    outputs: dict[str, dict[str, Output]] = {}
    for view in sorted(specs.views.values(), key=lambda each: depth(specs.views, each.feature_view)):
        if known >= {*view.reads} and outputs.keys() >= {*view.views}:
            members = {name: outputs[name].values() for name in view.views}
            columns = {name: scope(specs, name, raw) for name in view.reads}
            checked = ViewColumns(specs, view, columns, raw, members)
            found = list(checked.problems())
            problems += found
            if not found:
                outputs[view.feature_view] = {each.name: each for each in checked.outputs()}
            problems += misfitting(specs, view, raw)
    for request in specs.requests.values():
        origin = specs.origin("request_view", request.request_view)
        problems += RequestTypes(origin, request, outputs).problems
    for name, encoder in specs.encoders.items():
        learning = encoder.learning
        if learning is not None and learning.source in known:
            learned = learning.source
            use = Use(specs.origin("encoder", name), learned, scope(specs, learned, raw), joined=True)
            for column in learning.text.columns:
                problems += use.column((learning.kind, "text"), column)
    for model in specs.models.values():
        problems += _model(specs, model, raw, known)
        problems += unreadable(specs.origin("model", model.model), model, outputs)
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))


def _model(specs: Specs, model: LearnedModel, raw: RawColumns, known: set[str]) -> Iterator[Problem]:
    """The questions of a model held against the columns of the sources they ask."""
    if model.texts is not None:
        yield from unlabelled(specs, model, raw, known)
        return
    if model.sequence is not None:
        yield from unordered(specs, model, raw, known)
        return
    asked = questions(specs, model)
    for view in asked.views.values():
        if known >= {*view.reads}:
            checked = ViewColumns(asked, view, {name: scope(specs, name, raw) for name in view.reads}, raw, {})
            found = list(checked.problems())
            yield from found
            for output in checked.outputs() if not found else ():
                if output.type.base not in (*NUMBERS, "bool"):
                    text = (
                        f"{output.feature.kind} of this column is {output.type.words}, and a question compares numbers"
                    )
                    origin = asked.origin("feature_view", view.feature_view)
                    yield origin.problem(("features", output.name, output.feature.kind), text)
