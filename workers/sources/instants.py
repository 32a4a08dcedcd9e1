"""Instants out of whatever a source calls a time: SQL expressions that give exact microseconds since 1970 UTC.

- A naive timestamp or date is local time in the source's zone: an ambiguous one is the earlier instant, one that the
  clocks skip is the instant they jump. Finer than a microsecond is cut toward the past.
- Text is ISO 8601 (`2026-01-31`, `2026-01-31 09:30`, `2026-01-31T09:30:00.25+08:00`); without an offset it is naive.
- A number (only where `cast` says `timestamp`) counts from 1970 UTC in the unit its size tells: seconds below 1e11,
  milliseconds below 1e14, microseconds below 1e17, else nanoseconds. (Milliseconds before March 1973 would be misread.)
- What is not a time, or lies outside the years 1 to 9999, is null.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from limner.language.errors import LimnerError
from limner.workers.sources.physical import FLOATS, INTEGERS, NAIVE, ZONED, is_decimal
from limner.workers.sql import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FIRST = -62_135_596_800_000_000
LAST = 253_402_300_799_999_999
_UTC = ("UTC", "ETC/UTC")
_EPOCH, _MICRO = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
NAIVE_MARGIN = 2 * 86_400_000_000
_TIME, _ZONE = r"(?:[01]\d|2[0-3]):[0-5]\d", r"[+-]\d{2}(?::?[0-5]\d)?"
_ISO = rf"^\d{{4}}-\d{{2}}-\d{{2}}(?:[Tt ]{_TIME}(?::[0-5]\d(?:[.,]\d{{1,9}})?)?(?: ?(?:[Zz]|{_ZONE}))?)?$"
# Of these texts DuckDB's own cast reads those below, exactly; `limner_text` makes the others so.
_PLAIN = rf"^\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{_TIME}(?::[0-5]\d(?:\.\d{{1,9}})?)?(?:Z|{_ZONE})?)?$"
_EVERYDAY = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3}(?:\d{3})?)?(?:Z|[+-]\d{2}:[0-5]\d)", re.ASCII
)
_OFFSET = ":.*[Zz+-]"


class Instants:
    """Writes SQL expressions for one connection, on which it defines the functions they use."""

    def __init__(self, database: "DuckDBPyConnection") -> None:
        self._database = database
        self._zones: dict[str, str] = {}
        self._locals: dict[str, str] = {}
        for macro in _MACROS:
            database.execute(f"CREATE OR REPLACE TEMP MACRO {macro}")

    def micros(self, column: str, physical: str, zone: str) -> str:
        """An expression of BIGINT microseconds UTC for `column` of DuckDB type `physical`; null where it is none."""
        return f"limner_in_range({_unbounded(column, physical, zone, self._to_utc(zone))})"

    def local(self, micros: str, zone: str) -> str:
        """An expression of the local time in `zone` at an instant (BIGINT microseconds UTC), as if it were UTC."""
        if zone.upper() in _UTC:
            return micros
        if zone not in self._locals:
            self._locals[zone] = self._define_local(zone)
        return f"{self._locals[zone]}({micros})"

    def _define_local(self, zone: str) -> str:
        import pyarrow as pa
        import pyarrow.compute as pc

        name = f"limner_local_{len(self._locals)}"

        def local(micros: Any) -> Any:
            return pc.local_timestamp(micros.cast(pa.timestamp("us", zone))).cast(pa.int64())

        self._database.create_function(name, local, ["BIGINT"], "BIGINT", type="arrow")  # type: ignore[call-overload]
        return name

    def _to_utc(self, zone: str) -> str:
        """The name of the SQL function from a naive TIMESTAMP in `zone` to microseconds UTC, null to null."""
        if zone not in self._zones:
            self._zones[zone] = self._define(zone)
        return self._zones[zone]

    def _define(self, zone: str) -> str:
        import pyarrow as pa
        import pyarrow.compute as pc

        name = f"limner_utc_{len(self._zones)}"
        if zone.upper() in _UTC:
            self._database.execute(f"CREATE OR REPLACE TEMP MACRO {name}(naive) AS epoch_us(naive)")
            return name

        def to_utc(naive: Any) -> Any:
            return pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="latest").cast(pa.int64())

        try:
            to_utc(pa.array([0], pa.timestamp("us")))
        except pa.ArrowException as error:
            raise LimnerError(
                f"timezone {zone!r} is not in this machine's time zone database: write a name such as Europe/Paris, "
                "or install the system package `tzdata`"
            ) from error
        self._database.create_function(name, to_utc, ["TIMESTAMP"], "BIGINT", type="arrow")  # type: ignore[call-overload]
        return name


def floor_ns(ns: str) -> str:
    """An expression of microseconds out of one of nanoseconds (BIGINT), cut toward the past."""
    return f"({ns} - CASE WHEN {ns} % 1000 < 0 THEN {ns} % 1000 + 1000 ELSE {ns} % 1000 END) // 1000"


_MACROS = (
    f"limner_in_range(v) AS CASE WHEN v BETWEEN {FIRST} AND {LAST} THEN v END",
    f"limner_floor_ns(ns) AS {floor_ns('ns')}",
    "limner_iso(t) AS strftime(t, '%Y-%m-%dT%H:%M:%S') || "
    "CASE WHEN epoch_us(t) % 1000000 = 0 THEN '' ELSE '.' || strftime(t, '%f') END || '+00:00'",
    f"limner_text(t) AS CASE WHEN regexp_matches(t, {literal(_PLAIN)}) THEN t WHEN regexp_matches(t, {literal(_ISO)}) "
    "THEN regexp_replace(replace(upper(t), ',', '.'), ' ([Z+-])', '\\1') END",
)


def _unbounded(column: str, physical: str, zone: str, to_utc: str) -> str:  # noqa: PLR0911 - one a kind of type
    if physical == "TIMESTAMPTZ_NS":
        return f"limner_floor_ns(epoch_ns({column}))"
    if physical == "TIMESTAMP_NS":
        return f"{to_utc}(make_timestamp(limner_floor_ns(epoch_ns({column}))))"
    if physical in NAIVE:
        return f"CASE WHEN isfinite({column}) THEN {to_utc}({column}::TIMESTAMP) END"
    if physical in ZONED:
        return f"CASE WHEN isfinite({column}) THEN epoch_us({column}) END"
    if physical in INTEGERS:
        return _epoch(f"{column}::HUGEINT")
    if physical in FLOATS or is_decimal(physical):
        return f"CASE WHEN abs({column}::DOUBLE) < 9e18 THEN {_epoch(column)} END"
    if physical == "VARCHAR":
        text = f"limner_text({column})"
        zoned = f"epoch_us(TRY_CAST({text} AS TIMESTAMPTZ))"
        if zone.upper() in _UTC:
            return zoned
        naive = f"{to_utc}(TRY_CAST({text} AS TIMESTAMP))"
        return f"CASE WHEN regexp_matches({column}, {literal(_OFFSET)}) THEN {zoned} ELSE {naive} END"
    return "NULL::BIGINT"


def _epoch(number: str) -> str:
    """Microseconds of a count since 1970 whose unit its size tells."""
    return (
        f"CASE WHEN abs({number}) < 1e11 THEN floor({number} * 1000000)::BIGINT "
        f"WHEN abs({number}) < 1e14 THEN floor({number} * 1000)::BIGINT "
        f"WHEN abs({number}) < 1e17 THEN floor({number})::BIGINT "
        f"ELSE limner_floor_ns(TRY_CAST(floor({number}) AS BIGINT)) END"
    )


def everyday_micros(text: str) -> int | None:
    """Microseconds UTC of a text that is written as most programs write instants: what `Instants` reads there.

    None of any other text: that may be an instant too.
    """
    if _EVERYDAY.fullmatch(text) is None:
        return None
    try:
        instant = (datetime.fromisoformat(text) - _EPOCH) // _MICRO
    except ValueError:
        return None
    return instant if FIRST <= instant <= LAST else None


def timestamp_literal(instant: int, zoned: bool, nanoseconds: str = "") -> str:
    """A SQL timestamp of `instant` (microseconds UTC), held within the years that its type can hold.

    `nanoseconds` names a type of nanoseconds; those reach from 1677 to 2262.
    """
    held = min(max(instant, -(1 << 63) // 1000 + 1), (1 << 63) // 1000) if nanoseconds else instant
    text = datetime_of(held).isoformat(sep=" ", timespec="microseconds")
    literal_text = f"TIMESTAMPTZ '{text}'" if zoned else f"TIMESTAMP '{text[:-6]}'"
    return f"{literal_text}::{nanoseconds}" if nanoseconds else literal_text


def datetime_of(instant: int) -> datetime:
    """The aware UTC datetime of `instant` (microseconds UTC), held within the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=min(max(instant, FIRST), LAST))
