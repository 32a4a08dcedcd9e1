"""Columns by the names that a spec gives them: `rename` comes before everything else."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from limner.language.errors import LimnerError
from limner.language.models import Source

T = TypeVar("T")


def renamed(source: Source, columns: Mapping[str, T]) -> dict[str, T]:
    """`columns` under their new names, in their order. LimnerError where a new name is another column's."""
    new = {old: name for name, old in source.rename.items()}
    found: dict[str, T] = {}
    taken: dict[str, str] = {}
    for old, value in columns.items():
        name = new.get(old, old)
        other = taken.setdefault(name.lower(), old)
        if other != old and (old in new or other in new):
            was = old if old in new else other
            raise LimnerError(
                f"source {source.source!r}: rename makes {was!r} {new[was]!r}, and there is a column of that name: "
                "rename that one too, or choose another name"
            )
        found[name] = value
    return found


def written(source: Source, name: str) -> str:
    """What the data call the column `name`."""
    return source.rename.get(name, name)


def check_spelling(source: Source, names: Iterable[str], have: str) -> None:
    """LimnerError where two names differ by their case only; `have` says who has them, and what they name."""
    spelled: dict[str, str] = {}
    for name in names:
        other = spelled.setdefault(name.lower(), name)
        if other != name:
            raise LimnerError(f"source {source.source!r}: some {have} {other!r}, some {name!r}: use one spelling")
