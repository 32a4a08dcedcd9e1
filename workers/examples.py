"""Running the examples of a view: their rows become its sources, and the very pipeline computes what they expect."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.derivation import output_names_of, with_operands
from limner.language.durations import parse_instant
from limner.language.errors import LimnerError
from limner.language.example import Example
from limner.language.example_columns import entities_of
from limner.language.example_names import readable
from limner.language.learning.binding import with_versions
from limner.language.members import below
from limner.language.models import FeatureView, KeyType, LogicalType, Source
from limner.language.repo import Specs
from limner.language.scope import RawColumns
from limner.workers.arrow_types import ARROW
from limner.workers.context import RunContext
from limner.workers.ledger import Ledger
from limner.workers.members import beginnings
from limner.workers.plan import plan_view
from limner.workers.report import silent
from limner.workers.run import materialize
from limner.workers.tasks import InProcess
from limner.workers.text.encode import Encode
from limner.workers.text.models import AnyEncoder
from limner.workers.text.terms import TermsEncode, TermsModel


@dataclass(frozen=True)
class Difference:
    """A feature that is worth something else than an example expects."""

    feature: str
    expected: Any
    found: Any


@dataclass(frozen=True)
class Outcome:
    """How one example of a view ended: `differences` is empty where it holds."""

    view: str
    number: int
    description: str
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether every expected value was found."""
        return not self.differences


def run_examples(specs: Specs, view: str, raw: RawColumns, folder: Path) -> Iterator[Outcome]:
    """Run the examples of one view in an empty `folder`, without Ray, Triton or the project's own data.

    `raw`: the columns of its sources; of a source that is not in it, types are told from the rows. Raises LimnerError
    where an example expects what needs a server, or where its rows cannot be read.
    """
    specs = with_versions(specs, {})  # what was learned of the project's data says nothing of an example's
    for number, example in enumerate(specs.views[view].examples, 1):
        root = folder / f"{view}-{number}"
        root.mkdir(parents=True)
        yield Outcome(view, number, example.description, tuple(_differences(specs, view, example, raw, root)))


def _differences(specs: Specs, name: str, example: Example, raw: RawColumns, root: Path) -> Iterator[Difference]:
    found = _values(_staged(specs, name, example, raw, root), name, example, root)
    for feature, expected in example.expect.items():
        if not _same(expected, found.get(feature), example.tolerance):
            yield Difference(feature, expected, found.get(feature))


def _values(specs: Specs, name: str, example: Example, root: Path) -> dict[str, Any]:
    """The newest history row at the example's instant; empty where nothing is known about the entity."""
    plan = plan_view(specs, name, root, root / "data")
    ledger = Ledger(f"sqlite:///{root / 'ledger.db'}")
    try:
        run_id = ledger.start_run("test", [name])
        context = RunContext(InProcess(), _encode, silent, ledger, run_id, shards=1)
        first = beginnings(specs.views, name, example.at - 1)
        for member in below(specs.views, name):
            materialize(plan_view(specs, member, root, root / "data"), first[member], example.at, context)
        result = materialize(plan, example.at - 1, example.at, context)
    finally:
        ledger.close()
    key = _key(example, specs.entities[plan.view.entity].join_keys)
    for batch in result.latest():
        for row in batch.to_pylist():
            if all(row[column] == value for column, value in key.items()):
                return dict(row)
    return {}


def _key(example: Example, kinds: Mapping[str, KeyType]) -> Mapping[str, Any]:
    """Whom the example is about; the rows may write a number as text, which their source casts."""
    key = example.key or dict(zip(kinds, entities_of(example, tuple(kinds))[0], strict=True))
    return {name: int(value) if kinds[name] == "int" else str(value) for name, value in key.items()}


def _encode(model: AnyEncoder) -> Encode:
    if isinstance(model, TermsModel):
        return TermsEncode(model)
    raise LimnerError(f"an example cannot expect vectors of the encoder {model.name!r}: they need a server")


def _staged(specs: Specs, name: str, example: Example, raw: RawColumns, root: Path) -> Specs:
    """The specs with the example's rows in place of the sources, and the expected features alone in the view."""
    view = specs.views[name]
    sources = dict(specs.sources)
    for source in readable(view, (specs.sources, specs.encoders, specs.views)):
        rows = example.rows.get(source, ())
        # One example may have no rows of a source of which another has some.
        shown = [row for each in view.examples for row in each.rows.get(source, ())]
        types = raw.get(source) or _inferred(shown, specs.sources[source])
        file = root / f"{source}.parquet"
        pq.write_table(_table(rows, types), file)
        update: dict[str, Any] = {"path": file.name, "format": "parquet", "database": None, "table": None}
        update |= {"rename": {}, "partitions": {}}  # rows are written by the spec's names, and lie in no folder
        sources[source] = specs.sources[source].model_copy(update=update)
    members = {each: specs.views[each] for each in below(specs.views, name)}
    views = {**members, name: _expected_only(view, example)}
    return Specs(specs.entities, sources, specs.encoders, views, models=specs.models)


def _expected_only(view: FeatureView, example: Example) -> FeatureView:
    named = [n for n in view.features if set(output_names_of(view.features, n)) & set(example.expect)]
    kept = view.model_copy(update={"features": with_operands(view.features, named)})
    return kept.model_copy(update={"views": tuple(each for each in kept.views if kept.operands()[each])})


def _inferred(rows: Sequence[Mapping[str, Any]], source: Source) -> dict[str, LogicalType]:
    """Types by the values: whole numbers are int unless a float stands beside them; columns without one are text."""
    names = dict.fromkeys(column for row in rows for column in row)
    declared = [source.event_timestamp, source.created_timestamp, *source.clean.cast]
    names |= dict.fromkeys(column for column in declared if column is not None)
    return {name: _type([row.get(name) for row in rows]) for name in names}


def _type(values: Sequence[Any]) -> LogicalType:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "bool"
    if kinds == {int}:
        return "int"
    return "float" if kinds and kinds <= {int, float} else "string"


def _table(rows: Sequence[Mapping[str, Any]], types: Mapping[str, LogicalType]) -> pa.Table:
    columns = {
        name: pa.array([_stored(row.get(name), kind) for row in rows], ARROW[kind]) for name, kind in types.items()
    }
    return pa.table(columns)


def _stored(value: Any, kind: LogicalType) -> Any:
    if value is None or kind in ("int", "bool"):
        return value
    if kind == "timestamp":
        return parse_instant(value)
    if kind == "float":
        return float(value)
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _same(expected: Any, found: Any, tolerance: float) -> bool:
    match expected:
        case tuple():
            return isinstance(found, list) and len(found) == len(expected) and all(
                _same(e, f, tolerance) for e, f in zip(expected, found, strict=True)
            )  # fmt: skip
        case Mapping():
            pairs = dict(found) if isinstance(found, Mapping | list) else None
            return pairs is not None and pairs.keys() == expected.keys() and all(
                _same(value, pairs[key], tolerance) for key, value in expected.items()
            )  # fmt: skip
        case str() if hasattr(found, "tzinfo"):
            return bool(parse_instant(expected) == parse_instant(found.isoformat()))
    if isinstance(expected, bool) or isinstance(found, bool) or expected is None or found is None:
        return expected is found
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return abs(expected - found) <= tolerance
    return bool(expected == found)
