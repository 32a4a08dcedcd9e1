"""Texts of rows: columns written into a template, and the digest a text is known by."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from limner.language.models import LogicalType
from limner.language.template import Template
from limner.workers.sources.languages import language
from limner.workers.sql import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What a finished text is known by, as an SQL expression of it: the first 16 bytes of sha256 over its UTF-8 bytes.
DIGEST = "unhex(left(sha256({}), 32))"
# Matches a text that `finished` changes: white space other than single spaces between words, or nothing at all.
UNFINISHED = (
    r"[\x09-\x0d\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
    r"|  |^ | $|^$"
)
REMEMBERED = 1 << 15
SHORT = 200


def written(template: Template, columns: Mapping[str, str], types: Mapping[str, LogicalType]) -> str:
    """An expression of the template's text over SQL expressions of columns; a null is nothing, white space stays."""
    parts = []
    for kind, value in template.parts:
        if kind == "literal":
            parts.append(literal(value))
        else:
            text = f"limner_iso({columns[value]})" if types[value] == "timestamp" else f"{columns[value]}::VARCHAR"
            parts.append(f"coalesce({text}, '')")
    return " || ".join(parts)


def finished(text: str, prefix: str) -> str | None:
    """What an encoder is given: white space collapsed, prefix in front; None where nothing is left of `text`."""
    collapsed = " ".join(text.split())
    return prefix + collapsed if collapsed else None


def counts(text: str, languages: tuple[str, ...]) -> bool:
    """Whether there is a text, in one of `languages` (none named: in any)."""
    collapsed = " ".join(text.split())
    return bool(collapsed) and (not languages or language(collapsed) in languages)


def register(database: "DuckDBPyConnection", name: str, function: Callable[[str], Any], gives: str) -> None:
    """Make `function` of one text, null to null, a SQL function that gives VARCHAR, BLOB or BIGINT."""
    import pyarrow as pa

    kind = {"VARCHAR": pa.string(), "BLOB": pa.binary(), "BIGINT": pa.int64()}[gives]
    vectorized = each(function, kind)
    database.create_function(  # type: ignore[call-overload]
        name, vectorized, ["VARCHAR"], gives, type="arrow", null_handling="special"
    )


def each(function: Callable[[str], Any], kind: Any) -> Callable[[Any], Any]:
    """`function` of one text as a function of an Arrow array of texts, null to null.

    Rows repeat texts: each different one of a chunk is looked at once, short ones are remembered between chunks.
    """
    import pyarrow as pa

    remembered = lru_cache(REMEMBERED)(function)

    def over(texts: Any) -> Any:
        whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        encoded = whole.dictionary_encode()
        done = [remembered(text) if len(text) <= SHORT else function(text) for text in encoded.dictionary.to_pylist()]
        return pa.array(done, kind).take(encoded.indices)

    return over
