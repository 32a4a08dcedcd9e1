"""What DuckDB's column types mean to a spec."""

from limner.language.models import LogicalType

INTEGERS = frozenset(
    ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"]
)
NARROW = INTEGERS - {"HUGEINT", "UBIGINT", "UHUGEINT"}
FLOATS = frozenset(["FLOAT", "DOUBLE"])
NAIVE = frozenset(["TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "DATE"])
ZONED = frozenset(["TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ", "TIMESTAMPTZ_NS"])
TEXTS = frozenset(["VARCHAR", "UUID", "TIME", "TIME WITH TIME ZONE", "JSON", "INTERVAL", "NULL", '"NULL"'])


def is_decimal(physical: str) -> bool:
    """Whether a type is an exact decimal of any precision."""
    return physical.startswith("DECIMAL")


def logical_type(physical: str) -> LogicalType | None:
    """The type a spec sees; None for lists, structs, maps and binary columns, which specs cannot name.

    Decimals are floats; dates are timestamps (midnight); UUID, time, enum and all-null columns are strings.
    """
    if physical in INTEGERS:
        return "int"
    if physical in FLOATS or is_decimal(physical):
        return "float"
    if physical == "BOOLEAN":
        return "bool"
    if physical in NAIVE or physical in ZONED:
        return "timestamp"
    if physical in TEXTS or (physical.startswith("ENUM(") and not physical.endswith("]")):
        return "string"
    return None
