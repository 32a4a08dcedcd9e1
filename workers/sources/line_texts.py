"""Columns of typed files as the texts that JSON Lines of the same rows would have.

A source that takes events may have Parquet and CSV files of what happened before. Everything is text there, as in its
JSON Lines, and `cast` types it: what an event means does not depend on the file it is read from.

- Numbers are the shortest texts that read back the same, large whole ones all digits, as decimals; `true`, `false`.
- Times are ISO 8601, to the microsecond, cut toward the past: in UTC with a `Z`, and those without a zone without one.
- Lists, structs and maps are their JSON; bytes are left out.
"""

from collections.abc import Mapping, Sequence

from limner.workers.sources.instants import floor_ns
from limner.workers.sources.physical import FLOATS, NAIVE, ZONED, logical_type
from limner.workers.sql import quoted

_BYTES = ("BLOB", "BIT", "GEOMETRY")
_ISO = "%Y-%m-%dT%H:%M:%S.%f"


def line_texts(physical: Mapping[str, str]) -> dict[str, str]:
    """The SQL of each column that has a text, by its name; `physical`: DuckDB types by column."""
    return {name: _text(quoted(name), kind) for name, kind in physical.items() if kind not in _BYTES}


def as_lines(table: str, physical: Mapping[str, str], columns: Sequence[str], filename: str | None) -> str:
    """Exactly `columns` of `table` (SQL), all text, null where it lacks one; and `filename`, the path."""
    there = {name.lower(): text for name, text in line_texts(physical).items()}
    picks = [f"{there.get(name.lower(), 'NULL::VARCHAR')} AS {quoted(name)}" for name in columns]
    picks += [quoted(filename)] if filename is not None else []
    return f"(SELECT {', '.join(picks) or 'NULL::VARCHAR AS __none'} FROM {table})"


def _text(column: str, physical: str) -> str:
    if physical in FLOATS:
        return _number(f"{column}::DOUBLE")
    if physical == "DATE":
        return f"{column}::VARCHAR"
    if physical in NAIVE:
        return f"strftime({_micros(column, physical)}, '{_ISO}')"
    if physical in ZONED:
        return f"strftime({_micros(column, physical)}, '{_ISO}Z')"
    if logical_type(physical) is None:
        return f"to_json({column})::VARCHAR"
    return f"{column}::VARCHAR"


def _number(double: str) -> str:
    """From 1e16 on DuckDB writes an exponent, and `cast` takes no such text for a whole number."""
    text = f"{double}::VARCHAR"
    digits = f"coalesce(TRY_CAST({double} AS BIGINT)::VARCHAR, {text})"
    return f"CASE WHEN abs({double}) >= 1e16 AND {double} = trunc({double}) THEN {digits} ELSE {text} END"


def _micros(column: str, physical: str) -> str:
    """A naive timestamp in microseconds: of instants their time in UTC."""
    if physical.endswith("_NS"):
        return f"make_timestamp({floor_ns(f'epoch_ns({column})')})"
    if physical in ZONED:
        return f"make_timestamp(epoch_us({column}))"
    return f"{column}::TIMESTAMP"
