"""Values by category in the plainest Python."""

from typing import Any

from limner.language.features import Categorized
from tests.oracle.cleaning import Row
from tests.oracle.values import aggregate


def by_category(feature: Categorized, rows: list[Row]) -> dict[str, Any] | list[Any]:
    """The worth of each category's rows: a category where nothing counts is not in a map, and 0 in a list."""
    by = feature.by or ""
    if feature.categories is None:
        found = {_text(each): _worth(feature, [row for row in rows if row[by] == each]) for each in _distinct(rows, by)}
        return {text: value for text, value in sorted(found.items()) if value is not None}
    groups = [[row for row in rows if row[by] == category] for category in feature.categories]
    if feature.other:
        groups.append([row for row in rows if row[by] not in (None, *feature.categories)])
    return [_worth(feature, group) or 0 for group in groups]


def _distinct(rows: list[Row], column: str) -> set[Any]:
    return {row[column] for row in rows} - {None}


def _worth(feature: Categorized, rows: list[Row]) -> Any:
    """A count, sum or mean of some rows, or None where none of them counts."""
    column = feature.column
    if column is None:
        return len(rows) or None
    values = [row[column] for row in rows if row[column] is not None]
    return aggregate(feature, values) if values else None


def _text(category: Any) -> str:
    return str(category).lower() if isinstance(category, bool) else str(category)
