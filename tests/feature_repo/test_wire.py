"""An online answer written as bytes: what Feast would have built, value by value."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from feast import utils
from feast.protos.feast.serving.ServingService_pb2 import GetOnlineFeaturesResponse
from hypothesis import given
from hypothesis import strategies as st

from limner.feature_repo.values import decoder, varint
from limner.feature_repo.wire import FEW, append, feature_vectors, varints
from limner.language.errors import LimnerError
from limner.workers.online.pack import Layout, instant
from limner.workers.online.schema import ViewSchema
from tests.feature_repo.handmade import view
from tests.workers.online.test_pack import tables

NUMBERS = [0, 1, -1, 127, 128, 16_383, 16_384, 2**63 - 1, -(2**63), 1_700_000_000, *(2**n for n in range(62))]


@given(tables(), st.data())
def test_it_is_what_feast_builds(case: tuple[Layout, pa.Table], data: st.DataObject) -> None:
    """Every type, nulls, unknown entities, repeated ones, features that are not computed, few rows and many."""
    layout, table = case
    schema = ViewSchema("activity", "f1", (("user_id", "int"),), layout.columns)
    stamps = st.integers(-(10**15), 2 * 10**15)
    known = [(data.draw(stamps), value) for value in layout.pack(table)]
    rows = data.draw(st.lists(st.sampled_from([*known, None]), min_size=1, max_size=2 * FEW + 3))
    features = [column.name for column in layout.columns]
    asked = [*features, "not_computed"]
    decode = decoder(schema, features)
    wanted = GetOnlineFeaturesResponse()
    read = [(None, None) if row is None else (instant(row[0]), decode(row[1])) for row in rows]
    places = [[place] for place in range(len(rows))]
    utils._populate_response_from_feature_data(asked, read, places, wanted, True, view("activity"), len(rows), True)
    found = GetOnlineFeaturesResponse()
    vectors = feature_vectors(schema, asked, rows)
    append(found, view("activity"), asked, vectors, full_names=True, versions=True)
    assert found == wanted
    assert found.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)


def test_varints_are_protobufs() -> None:
    """Of one byte to ten, negative ones as two's complement."""
    bodies, lengths = varints(np.array(NUMBERS, dtype=np.int64))
    for number, body, length in zip(NUMBERS, bodies, lengths, strict=True):
        assert body[:length].tobytes() == varint(number % 2**64)


def test_a_damaged_value_is_refused() -> None:
    """It is never sent on."""
    schema = ViewSchema("activity", "f1", (("user_id", "int"),), ())
    with pytest.raises(LimnerError, match="limner materialize"):
        feature_vectors(schema, ["x"], [(int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()), b"\x02\x00")])
