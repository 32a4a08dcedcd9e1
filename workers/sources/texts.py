"""Texts of rows: columns written into a template, and the digest a text is known by."""

from collections.abc import Mapping

from limner.language.models import LogicalType
from limner.language.template import Template
from limner.workers.sources.duck import literal

# what str.split() takes for white space
_SPACES = r"'[\t-\r\x1c-\x20\x{85}\x{a0}\p{Z}]+'"


def rendered(template: Template, columns: Mapping[str, str], types: Mapping[str, LogicalType]) -> str:
    """An expression of the template's text over SQL expressions of columns; null where it comes out empty.

    A null column is nothing; runs of white space become one space, and none is left at the ends.
    """
    parts = []
    for kind, value in template.parts:
        if kind == "literal":
            parts.append(literal(value))
        else:
            text = f"limner_iso({columns[value]})" if types[value] == "timestamp" else f"{columns[value]}::VARCHAR"
            parts.append(f"coalesce({text}, '')")
    return f"nullif(trim(regexp_replace({' || '.join(parts)}, {_SPACES}, ' ', 'g')), '')"


def digest(text: str) -> str:
    """An expression of the first 16 bytes of sha256 over the UTF-8 bytes of `text`; null for null."""
    return f"unhex(sha256({text})[:32])"
