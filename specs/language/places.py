"""Where in a file each key and value of a document was written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from limner.language.errors import Problem

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """Lines and columns, from 1, of a key and of its value (the same for an item of a list)."""

    key: tuple[int, int]
    value: tuple[int, int]


@dataclass(frozen=True)
class Origin:
    """The file of a document and the place of every path of keys in it; `()` is the document itself."""

    file: str
    title: str = ""
    places: Mapping[Path, Place] = field(default_factory=dict)

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        """A problem at `path`, or at the nearest enclosing place that was written."""
        known = path
        while known not in self.places and known:
            known = known[:-1]
        place = self.places.get(known, Place((1, 1), (1, 1)))
        line, column = place.key if at_key and known == path else place.value
        return Problem(self.file, line, column, _crumb(self.title, path), message)


def _crumb(title: str, path: Path) -> str:
    """`feature_view shopper_taste: features.orders.over[1]`."""
    keys = ""
    for part in path:
        keys += f"[{part}]" if isinstance(part, int) else f".{part}" if keys else str(part)
    return ": ".join(filter(None, (title, keys)))
