"""The entity rows of a request: from a user's DataFrame to join keys and instants that cannot be misread."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from limner.feature_repo.point_in_time import STAMP
from limner.language.errors import LimnerError

_NATURAL = "event_timestamp"


def timestamp_column(frame: pd.DataFrame) -> str:
    """The column of instants: `event_timestamp`, or the only one of a date type."""
    if _NATURAL in frame.columns:
        return _NATURAL
    dated = [str(c) for c in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[c])]
    if len(dated) == 1:
        return dated[0]
    raise LimnerError(
        f"the entity rows need a column {_NATURAL!r} with the instants to join at; they have "
        + ", ".join(map(str, frame.columns))
    )


def entity_table(frame: pd.DataFrame, keys: Mapping[str, pa.DataType], timestamp: str) -> pa.Table:
    """Join keys in the history's types and `__stamp` (int64 µs UTC, null where there is none), row for row.

    A naive instant is UTC. Finer than a microsecond is cut off, which an as-of join cannot tell. LimnerError for a
    missing column or a value of the wrong type.
    """
    columns = {STAMP: _stamps(frame[timestamp], timestamp)}
    for key, kind in keys.items():
        if key not in frame.columns:
            raise LimnerError(f"the entity rows have no column {key!r}, which the features are joined by")
        columns[key] = _key(frame[key], key, kind)
    return pa.table(columns)


def frame_table(frame: pd.DataFrame) -> pa.Table:
    """All columns of the user's DataFrame, in order, without its index."""
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise LimnerError(f"the entity rows have two columns called {repeated[0]!r}: rename one")
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise LimnerError(f"a column of the entity rows mixes types: {error}") from error
    return table.replace_schema_metadata(None)


def _stamps(series: pd.Series, name: str) -> pa.Array:
    try:
        moments = pd.to_datetime(series, utc=True)
    except (ValueError, TypeError) as error:
        raise LimnerError(f"column {name!r} of the entity rows is not a column of instants: {error}") from error
    floored = moments.dt.floor("us")
    return pa.array(floored, pa.timestamp("us", tz="UTC"), from_pandas=True, safe=False).cast(pa.int64())


def _key(series: pd.Series, name: str, kind: pa.DataType) -> pa.Array:
    try:
        array = pa.array(series, from_pandas=True)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pa.types.is_null(array.type) or pa.types.is_integer(kind) == _is_number(array.type):
            return pc.cast(array, kind)  # a float key with a fraction is an error, not another entity
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise LimnerError(f"join key {name!r} of the entity rows cannot be read as {kind}: {error}") from error
    raise LimnerError(f"join key {name!r} of the entity rows is {array.type}; the features are keyed by {kind}")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
