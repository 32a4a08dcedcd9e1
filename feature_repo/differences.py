"""What differs between two closures of a view, key by key, and whether it changes values."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from limner.language.errors import LimnerError
from limner.language.fingerprint import NOT_VALUES
from limner.language.models import DOCUMENTS
from limner.workers.online.pack import instant

Effect = Literal["values change", "only tags", "served online or not"]
Path = tuple[str | int, ...]
Identity = Callable[[str], str]
"""The fingerprint of a view as a closure (JSON) declares it; raises where the closure makes no sense."""

_TRIED = 60  # keys whose effect is found by trying; beyond that, what is not sure to change nothing counts as a change


@dataclass(frozen=True, order=True)
class Reason:
    """One key that differs, and why it matters."""

    text: str
    effect: Effect = "values change"

    def __str__(self) -> str:
        return self.text if self.effect == "values change" else f"{self.text}, {self.effect}"


@dataclass(frozen=True)
class _Edit:
    """Document `kind name`, place in it, and what to do there."""

    document: tuple[str, str]
    path: Path
    text: str
    put: Any = None
    removes: bool = False


def differences(before: str, after: str, view: str, identity: Identity) -> tuple[Reason, ...]:
    """A reason for each key of the documents behind `view` that differs, in the order of the documents.

    A key that never decides values (a description, an owner, ...) only tags. Of any other one, the effect is found by
    trying: it only tags if the earlier closure with this one change has the earlier fingerprint (`7d` or `168h`).
    """
    old, new = _documents(before), _documents(after)
    edits = list(_edits(old, new, view))
    if not edits:
        return ()
    base = identity(before)
    trial = None if base == identity(after) else _Trial(old, identity, base)
    reasons = []
    for number, edit in enumerate(edits):
        effect = _named(edit.path)
        if effect is None:
            effect = "only tags" if trial is None else trial.effect(edit) if number < _TRIED else "values change"
        reasons.append(Reason(edit.text, effect))
    return tuple(reasons)


def _named(path: Path) -> Effect | None:
    """The effect of a key that never decides values, by its name; a feature or a column may be called so too."""
    place = path[2:] if path[:1] == ("features",) else path
    if not place or place[0] not in NOT_VALUES:
        return None
    return "served online or not" if place[0] == "online" else "only tags"


class _Trial:
    """The earlier closure with one edit at a time."""

    def __init__(self, documents: dict[tuple[str, str], Any], identity: Identity, before: str) -> None:
        self._documents = documents
        self._identity = identity
        self._before = before

    def effect(self, edit: _Edit) -> Effect:
        if edit.document not in self._documents or not edit.path:
            return "values change"  # a document more or less
        changed = {key: json.loads(json.dumps(document)) for key, document in self._documents.items()}
        _apply(changed[edit.document], edit)
        try:
            after = self._identity(json.dumps(list(changed.values())))
        except (LimnerError, ValueError, KeyError, TypeError):  # it makes sense only together with other edits
            return "values change"
        return "only tags" if after == self._before else "values change"


def _apply(document: Any, edit: _Edit) -> None:
    *way, last = edit.path
    for step in way:
        document = document[step]
    if edit.removes:
        del document[last]
    else:
        document[last] = edit.put


def _documents(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for document in json.loads(text):
        kind = next(kind for kind in DOCUMENTS if kind in document)
        found[kind, str(document[kind])] = document
    return found


def _edits(
    old: dict[tuple[str, str], dict[str, Any]], new: dict[tuple[str, str], dict[str, Any]], view: str
) -> Iterator[_Edit]:
    kinds = list(DOCUMENTS)
    for kind, name in sorted({*old, *new}, key=lambda each: (each[1] != view, kinds.index(each[0]), each[1])):
        document = kind, name
        where = (
            "" if kind in ("feature_view", "request_view") and name == view else f"{kind.replace('_', ' ')} {name}: "
        )
        if document not in new or document not in old:
            yield _Edit(document, (), f"{where}{'added' if document in new else 'removed'}")
        else:
            yield from _versions(document, old[document], new[document])
            yield from _walk(document, _rest(old[document]), _rest(new[document]), (), where)


def _versions(document: tuple[str, str], old: dict[str, Any], new: dict[str, Any]) -> Iterator[_Edit]:
    """The versions of a model that speak, which no author writes."""
    before, after = ([(each["cut_off"], each["version"]) for each in one.get("versions", ())] for one in (old, new))
    if document[0] != "model" or before == after:
        return
    added = [f"a new version with cut-off {_day(each)}" for each in after if each not in before]
    gone = [f"no version {each[1]} with cut-off {_day(each)} any more" for each in before if each not in after]
    text = f"model {document[1]} has {' and '.join([*added, *gone])}"
    yield _Edit(document, ("versions",), text, put=new.get("versions", []))


def _day(version: tuple[int, str]) -> str:
    return f"{instant(version[0]):%Y-%m-%d %H:%M}".removesuffix(" 00:00")


def _rest(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "versions" or "model" not in document}


def _walk(document: tuple[str, str], old: Any, new: Any, path: Path, where: str) -> Iterator[_Edit]:
    if old == new:
        return
    said = where + ".".join(map(str, path))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            inner = f"{said}.{key}" if path else f"{where}{key}"
            if key not in new:
                yield _Edit(document, (*path, key), f"{inner} removed", removes=True)
            elif key not in old:
                yield _Edit(document, (*path, key), f"{inner} added", put=new[key])
            else:
                yield from _walk(document, old[key], new[key], (*path, key), where)
        return
    yield _Edit(document, path, f"{said}: {_short(old)} -> {_short(new)}", put=new)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
