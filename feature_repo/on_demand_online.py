"""Request views in `get_online_features`: read from one state of the store, exact to the microsecond.

Feast would hand the stored values over as protobuf, whose instants count whole seconds, and by names that two views may
share. With our own store the values are computed from what is stored, as `limner.Store` does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from feast.errors import FeatureNameCollisionError
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import feast_value_type_to_python_type
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]

from limner.feature_repo.values import plain_value
from limner.workers.online.database import Snapshot
from limner.workers.online.pack import Column
from limner.workers.online.reading import Rows
from limner.workers.online.requests import answer, fields_of, requested
from limner.workers.request.evaluate import Encode
from limner.workers.request.program import Program

Columnar = dict[str, list[Any]]


class Asked:
    """One request, split: `stored` are references to views, `computed` the features of request views.

    `columns` are join keys and fields of the request, a list a name.
    """

    def __init__(self, refs: Sequence[str], programs: Mapping[str, Program], rows: Any) -> None:
        parts = [ref.split(":", 1) for ref in refs]
        self.programs = programs
        self.stored = [ref for ref, (view, _) in zip(refs, parts, strict=True) if view not in programs]
        self.computed: dict[str, list[str]] = {}
        for view, feature in parts:
            if view in programs:
                self.computed.setdefault(view, []).append(feature)
        self.columns = _columnar(rows)

    def check_names(self, *, full_names: bool) -> None:
        """Raise as Feast does where two features would have one name."""
        computed = [f"{view}:{feature}" for view, features in self.computed.items() for feature in features]
        refs = [*self.stored, *computed]
        names = [ref.split(":", 1)[1] for ref in refs]
        repeated = [ref for ref, name in zip(refs, names, strict=True) if names.count(name) > 1]
        if repeated and not full_names:
            raise FeatureNameCollisionError(repeated, full_names)

    def add_to(self, response: GetOnlineFeaturesResponse, snapshot: Snapshot, encode: Encode, *, full_names: bool
    ) -> None:  # fmt: skip
        """Compute the features of request views and append them; join keys, too, where nothing else was asked for."""
        fields = fields_of(self.programs, self.computed)
        keys = {name: values for name, values in self.columns.items() if name not in fields}
        count = len(next(iter(self.columns.values()), []))
        rows = Rows(snapshot, snapshot.served(), [{n: values[i] for n, values in keys.items()} for i in range(count)])
        each = [{name: self.columns[name][i] for name in fields if name in self.columns} for i in range(count)]
        given = requested(fields, each, count, ", ".join(self.computed))
        if not self.stored:
            _append(response, _join_keys(rows, [self.programs[view] for view in self.computed]))
        for view, features in self.computed.items():
            found = answer(self.programs[view], features, rows, given, encode)
            kinds = {column.name: column for column in self.programs[view].features}
            prefix = f"{view}__" if full_names else ""
            _append(response, {prefix + name: (kinds[name], array) for name, array in found.items()})


def _join_keys(rows: Rows, programs: Sequence[Program]) -> dict[str, tuple[Column, pa.Array]]:
    found: dict[str, tuple[Column, pa.Array]] = {}
    for view in (view for program in programs for view in program.views if view in rows.served):
        kinds = dict(rows.served[view].schema.keys)
        found |= {name: (Column(name, kinds[name]), array) for name, array in rows.join_keys(view).items()}
    return found


def _append(response: GetOnlineFeaturesResponse, columns: Mapping[str, tuple[Column, pa.Array]]) -> None:
    for name, (column, array) in columns.items():
        values = [plain_value(value, column) for value in _plain(array)]
        status = [FieldStatus.PRESENT if value.WhichOneof("val") else FieldStatus.NULL_VALUE for value in values]
        response.metadata.feature_names.val.append(name)
        response.results.append(
            GetOnlineFeaturesResponse.FeatureVector(
                values=values, statuses=status, event_timestamps=[Timestamp()] * len(values)
            )
        )


def _plain(array: pa.Array) -> list[Any]:
    values: list[Any] = (array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array).to_pylist()
    return values


def _columnar(rows: Any) -> Columnar:
    """Entity rows in any of the shapes that Feast takes."""
    if isinstance(rows, list):
        names = list(rows[0]) if rows else []
        if any(set(row) != set(names) for row in rows):
            raise ValueError("All entity_rows must have the same keys.")  # as Feast says it
        return {name: [row[name] for row in rows] for name in names}
    return {name: [_python(v) for v in (v if isinstance(v, Sequence) else v.val)] for name, v in rows.items()}


def _python(value: Any) -> Any:
    return feast_value_type_to_python_type(value) if isinstance(value, Value) else value
