"""Reading one column as a logical type: SQL expressions that give null for what cannot be read, never a guess.

- int: whole numbers, also written `12.0`; a fraction, or what does not fit 64 bits, cannot be read.
- float: any number. `nan` is read as missing, and an infinity is reported by the cleaning, not here.
- bool: true/false, t/f, yes/no, y/n, 1/0 in any case; the numbers 1 and 0.
- string: whole numbers plain, floats as the shortest text that reads back the same, timestamps as ISO 8601 UTC.
- timestamp: see `instants`.
"""

from limner.language.errors import LimnerError
from limner.language.models import LogicalType
from limner.workers.sources.instants import Instants
from limner.workers.sources.physical import FLOATS, NAIVE, NARROW, ZONED, is_decimal, logical_type

SQL_TYPES: dict[LogicalType, str] = {
    "int": "BIGINT",
    "float": "DOUBLE",
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
}
_INT = r"'^\s*([+-]?\d+)(?:\.0*)?\s*$'"
_FLOAT = r"'^\s*([+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:nan|inf|infinity)))\s*$'"
_TRUE = "('true', 't', 'yes', 'y', '1')"
_FALSE = "('false', 'f', 'no', 'n', '0')"


def read_as(target: LogicalType, column: str, physical: str, zone: str, instants: Instants) -> str:
    """An expression of `column` as `target` in its SQL type; null where the column is null or cannot be read.

    Raises LimnerError where no value of the type could ever be read.
    """
    origin = logical_type(physical)
    if origin == "timestamp" and target in ("int", "float", "bool"):
        raise LimnerError(f"column {column} holds timestamps, which cannot be read as {target}: remove its `cast`")
    match target:
        case "int":
            return _int(column, physical)
        case "float":
            return _float(column, physical)
        case "bool":
            return _bool(column, physical)
        case "timestamp":
            return f"make_timestamptz({instants.micros(column, physical, zone)})"
        case "string":
            return text_of(column, physical, zone, instants)


def text_of(column: str, physical: str, zone: str, instants: Instants) -> str:
    """An expression of `column` as text."""
    if physical in NAIVE or physical in ZONED:
        return f"limner_iso(make_timestamptz({instants.micros(column, physical, zone)}))"
    return column if physical == "VARCHAR" else f"{column}::VARCHAR"


def reads_always(target: LogicalType, physical: str) -> bool:
    """Whether every value that is not null can be read: then no row needs to be checked."""
    if target == "string":
        return physical not in NAIVE and physical not in ZONED
    if target == "int":
        return physical in NARROW or physical == "BOOLEAN"
    if target == "float":
        return logical_type(physical) in ("int", "float", "bool")
    return target == "bool" and physical == "BOOLEAN"


def _int(column: str, physical: str) -> str:
    if physical == "BIGINT":
        return column
    if physical in NARROW or physical == "BOOLEAN":
        return f"{column}::BIGINT"
    if physical in FLOATS or is_decimal(physical):
        return f"CASE WHEN {column} = trunc({column}) THEN TRY_CAST({column} AS BIGINT) END"
    if physical == "VARCHAR":
        return f"TRY_CAST(nullif(regexp_extract({column}, {_INT}, 1), '') AS BIGINT)"
    return f"TRY_CAST({column} AS BIGINT)"


def _float(column: str, physical: str) -> str:
    if physical == "DOUBLE":
        return column
    if physical == "VARCHAR":
        return f"TRY_CAST(nullif(regexp_extract({column}, {_FLOAT}, 1), '') AS DOUBLE)"
    return f"{column}::INTEGER::DOUBLE" if physical == "BOOLEAN" else f"TRY_CAST({column} AS DOUBLE)"


def _bool(column: str, physical: str) -> str:
    if physical == "BOOLEAN":
        return column
    if physical == "VARCHAR":
        word = f"lower(trim({column}))"
        return f"CASE WHEN {word} IN {_TRUE} THEN true WHEN {word} IN {_FALSE} THEN false END"
    return f"CASE WHEN {column} = 1 THEN true WHEN {column} = 0 THEN false END"
