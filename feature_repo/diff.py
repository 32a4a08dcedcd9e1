"""`limner diff`: how one entity's profile differs between two instants, or between two versions of a view."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from limner.feature_repo.compile import CLOSURE_TAG, VIEW_TAG
from limner.feature_repo.plan import Registered, registered
from limner.feature_repo.project import Project
from limner.language.closure import from_closure
from limner.language.durations import parse_instant
from limner.language.errors import LimnerError
from limner.language.models import KeyType
from limner.language.suggest import did_you_mean, listed
from limner.workers.history.asof import row_as_of
from limner.workers.history.latest import EVENT_TIMESTAMP
from limner.workers.history.manifest import History
from limner.workers.history.served import pointers

_FINGERPRINT = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True)
class Difference:
    """One feature of one entity. `cosine` is that of two vectors; `details` says of lists and maps what differs."""

    feature: str
    state: Literal["changed", "added", "removed", "same"]
    before: Any = None
    after: Any = None
    cosine: float | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class ViewDifference:
    """One view: fingerprints and instants (µs UTC) that were compared, and each feature.

    `known` tells whether the entity has values on either side.
    """

    view: str
    fingerprints: tuple[str, str]
    instants: tuple[int, int]
    known: tuple[bool, bool]
    features: tuple[Difference, ...]
    note: str = ""


@dataclass(frozen=True)
class _Side:
    history: History
    at: int


def diff(root: Path, before: str, after: str, key: str, name: str | None = None) -> tuple[ViewDifference, ...]:
    """Compare one entity between two instants (ISO 8601) or two fingerprints (their first digits).

    `name` is a view or profile: all views where it is None. `key` is a value (several: `14,web`), or `shopper_id=14`.
    Instants compare what is served; fingerprints are compared at the latest instant that both have reached. LimnerError
    for what does not exist.
    """
    project = Project.at(root / "feature_repo")
    known = registered(project)
    chosen = _chosen(known, name)
    if not chosen:
        raise LimnerError("nothing is applied yet: run `limner apply`, then `limner materialize START END`")
    found = list(_sides(project, list(chosen), before, after))
    differences = []
    for view, one, other in found:
        values = _key(_join_keys(known.views[view]), key, view, strict=len(found) == 1)
        if values is not None:
            differences.append(_view(view, one, other, values, chosen[view]))
    if not differences:
        raise LimnerError(f"no view is keyed as --key {key} is written: name the join keys, such as shopper_id=14")
    return tuple(differences)


def _chosen(known: Registered, name: str | None) -> dict[str, list[str] | None]:
    """View -> features (None: all)."""
    if name is None:
        return dict.fromkeys(sorted(known.views))
    if name in known.views:
        return {name: None}
    if name in known.profiles:
        return {view: features for view, features in known.profiles[name].items() if view in known.views}
    raise LimnerError(f"there is no view or profile {name!r}: {did_you_mean(name, [*known.views, *known.profiles])}")


def _sides(project: Project, views: Sequence[str], before: str, after: str) -> Iterator[tuple[str, _Side, _Side]]:
    prints = [bool(_FINGERPRINT.fullmatch(each)) for each in (before, after)]
    if prints[0] != prints[1]:
        raise LimnerError(f"{before} and {after}: give two instants, or two fingerprints")
    if prints[0]:
        yield from _versions(project, views, before, after)
        return
    one, other = _instant(before), _instant(after)
    known = pointers(project.settings.data / "history")
    if not any(view in known for view in views):
        raise LimnerError(f"{', '.join(views)}: no history yet: run `limner materialize START END`")
    for view in views:
        if view in known:
            history = History(project.history(view) / known[view].fingerprint)
            yield view, _Side(history, one), _Side(history, other)


def _versions(project: Project, views: Sequence[str], before: str, after: str) -> Iterator[tuple[str, _Side, _Side]]:
    """The views that have a history of each fingerprint."""
    any_found = False
    for view in views:
        histories = _histories(project, view)
        one, other = (_matching(histories, view, each) for each in (before, after))
        if one is None or other is None:
            continue
        any_found = True
        coverages = [history.coverage() for history in (one, other)]
        ends = [coverage[1] for coverage in coverages if coverage is not None]
        yield view, _Side(one, min(ends)), _Side(other, min(ends))
    if not any_found:
        there = [f"{view} {h.folder.name[:12]}" for view in views for h in _histories(project, view)]
        raise LimnerError(
            f"no view has a history of {before} and one of {after}: there is {listed(there) if there else 'none yet'}"
        )


def _histories(project: Project, view: str) -> list[History]:
    folder = project.history(view)
    found = [History(each) for each in sorted(folder.iterdir()) if each.is_dir()] if folder.is_dir() else []
    return [history for history in found if history.coverage() is not None]


def _matching(histories: Sequence[History], view: str, prefix: str) -> History | None:
    found = [history for history in histories if history.folder.name.startswith(prefix)]
    if len(found) > 1:
        raise LimnerError(f"{view} has {len(found)} histories whose fingerprint begins with {prefix}: give more digits")
    return found[0] if found else None


def _instant(text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise LimnerError(
            f"{text!r} is neither an instant (such as 2026-01-31 or 2026-01-31T06:00:00Z) nor the first digits of a "
            "fingerprint (6 or more of 0-9 and a-f)"
        ) from error


def _join_keys(tags: Mapping[str, str]) -> dict[str, KeyType]:
    """In the order in which other commands take them."""
    specs = from_closure(tags[CLOSURE_TAG])
    return dict(specs.entities[specs.views[tags[VIEW_TAG]].entity].join_keys)


def _key(keys: Mapping[str, KeyType], text: str, view: str, *, strict: bool) -> dict[str, int | str] | None:
    """The join keys' values; None (an error if `strict`) where the view is keyed otherwise."""
    parts = text.split(",") if len(keys) > 1 or "=" in text else [text]
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    given = {name: named[name] for name in keys if name in named} if named else dict(zip(keys, parts, strict=False))
    if set(given) != set(keys) or (not named and len(parts) != len(keys)):
        if not strict:
            return None
        raise LimnerError(
            f"{view} is keyed by {', '.join(keys)}: give --key {','.join(f'{each}=...' for each in keys)}"
        )
    found: dict[str, int | str] = {}
    for name, value in given.items():
        try:
            found[name] = int(value) if keys[name] == "int" else value
        except ValueError:
            if not strict:
                return None
            raise LimnerError(f"join key {name!r} of {view} is a whole number, not {value!r}") from None
    return found


def _view(
    view: str, one: _Side, other: _Side, key: Mapping[str, int | str], chosen: Sequence[str] | None
) -> ViewDifference:
    rows = [row_as_of(side.history, key, side.at) for side in (one, other)]
    before, after = ({} if row is None else _values(row, key) for row in rows)
    names = [name for name in dict.fromkeys([*before, *after]) if chosen is None or name in chosen]
    coverage = one.history.coverage(), other.history.coverage()
    late = any(side.at > reach[1] for side, reach in zip((one, other), coverage, strict=True) if reach is not None)
    return ViewDifference(
        view=view,
        fingerprints=(one.history.folder.name, other.history.folder.name),
        instants=(one.at, other.at),
        known=(rows[0] is not None, rows[1] is not None),
        features=tuple(feature_difference(name, before, after, rows) for name in names),
        note="some of this is later than the last run: it has the values of that run" if late else "",
    )


def _values(row: Mapping[str, Any], key: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in key and name != EVENT_TIMESTAMP}


def feature_difference(
    name: str, before: Mapping[str, Any], after: Mapping[str, Any], rows: Sequence[Any]
) -> Difference:
    """What became of one feature between two rows; `rows` are None where there is none on a side."""
    old, new = before.get(name), after.get(name)
    if rows[0] is not None and name not in before:
        return Difference(name, "added", None, new)
    if rows[1] is not None and name not in after:
        return Difference(name, "removed", old, None)
    if old == new:
        return Difference(name, "same", old, new)
    return Difference(name, "changed", old, new, _cosine(old, new), tuple(_details(old, new)))


def _cosine(old: Any, new: Any) -> float | None:
    """Of two lists of floats of one length; None for anything else, and where one is all zeros."""
    both = (old, new)
    if not all(isinstance(each, list) and each and all(isinstance(x, float) for x in each) for each in both):
        return None
    if len(old) != len(new):
        return None
    length = math.sqrt(math.fsum(x * x for x in old)) * math.sqrt(math.fsum(x * x for x in new))
    return math.fsum(x * y for x, y in zip(old, new, strict=True)) / length if length else None


def _details(old: Any, new: Any) -> Iterator[str]:
    """What was added to, removed from and changed in a list or a map."""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from (f"+ {name} {_brief(new[name])}" for name in new if name not in old)
        yield from (f"- {name} {_brief(old[name])}" for name in old if name not in new)
        both = [name for name in old if name in new and old[name] != new[name]]
        yield from (f"{name} {_brief(old[name])} → {_brief(new[name])}" for name in both)
    elif _numbers(old) and _numbers(new) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        yield from (f"[{place}] {_brief(a)} → {_brief(b)}" for place, (a, b) in pairs if a != b)
    elif isinstance(old, list) and isinstance(new, list) and not any(isinstance(each, float) for each in [*old, *new]):
        yield from (f"+ {each}" for each in new if each not in old)
        yield from (f"- {each}" for each in old if each not in new)


def _numbers(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, int | float) for each in values)


def _brief(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
