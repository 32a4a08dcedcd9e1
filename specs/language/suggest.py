"""Suggestions for misspelled names, worded the same in every error."""

from collections.abc import Iterable
from difflib import get_close_matches

_LISTED = 12
_SYNONYMS = {
    "average": "mean", "avg": "mean", "stddev": "std", "nunique": "distinct", "unique": "distinct",
    "percentile": "quantile", "slope": "trend",
    "ratio": "share", "embedding": "embed", "minimum": "min", "maximum": "max", "newest": "last", "oldest": "first",
    "window": "over", "filter": "where", "integer": "int", "long": "int", "bigint": "int", "double": "float",
    "decimal": "float", "str": "string", "text": "string", "varchar": "string", "boolean": "bool",
    "datetime": "timestamp", "date": "timestamp", "schedule": "every", "freq": "every", "dedupe": "drop_duplicates",
    "join": "lookup", "url": "database", "file": "path", "fillna": "missing", "keys": "join_keys",
    "json": "jsonl", "ndjson": "jsonl", "alias": "rename",
}  # fmt: skip
"""Words of other tools, and the language's own for them."""


def nearest(name: str, valid: Iterable[str], *, alike: float = 0.6) -> str | None:
    """The valid name most like `name`, None when none is `alike` (0 to 1) enough."""
    candidates = sorted(set(valid))
    if _SYNONYMS.get(name.lower()) in candidates:
        return _SYNONYMS[name.lower()]
    folded = {candidate.lower(): candidate for candidate in reversed(candidates)}
    close = get_close_matches(name.lower(), folded, n=1, cutoff=alike)
    return folded[close[0]] if close else None


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """The end of an error about an unknown `name`: the nearest valid name, or else what there is."""
    candidates = sorted(set(valid))
    close = nearest(name, candidates)
    if close is not None:
        return f"did you mean {close!r}?"
    if not candidates:
        return "there is none"
    more = ", ..." if len(candidates) > _LISTED else ""
    return f"expected one of: {', '.join(candidates[:_LISTED])}{more}"


def a(noun: str) -> str:
    """`noun` with its article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def listed(names: Iterable[str], last: str = "or") -> str:
    """`a, b or c`."""
    items = list(names)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"
