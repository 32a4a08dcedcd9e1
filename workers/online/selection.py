"""What a view's or profile's name, and features of it, mean in one state of the online values."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from limner.language.errors import UnavailableError, UnknownNameError
from limner.workers.online.batches import EVENT_TIMESTAMP, FLAT, Form
from limner.workers.online.database import Generation, Snapshot
from limner.workers.online.pack import Column
from limner.workers.online.requests import fields_of
from limner.workers.request.program import Program


@dataclass(frozen=True)
class Selection:
    """`members`: view -> features. `served` and `programs` are all there are of that state."""

    name: str
    members: Mapping[str, list[str]]
    served: Mapping[str, Generation]
    programs: Mapping[str, Program]

    @cached_property
    def stored(self) -> list[str]:
        """The views whose values are stored: of a request view, those that it reads."""
        programs = self.programs
        views = (stored for view in self.members for stored in (programs[view].views if view in programs else [view]))
        return list(dict.fromkeys(views))

    @cached_property
    def form(self) -> Form | None:
        """The answer as one record batch, where it is a view that is keyed by an integer and has no lists or maps."""
        generation = self.served.get(self.name)
        if generation is None or not generation.schema.simple:
            return None
        schema, names = generation.schema, dict.fromkeys(self.members[self.name])
        ((key, _),) = schema.keys
        positions = [schema.layout.index[name] for name in names]
        if {key, EVENT_TIMESTAMP} & set(names) or not {schema.layout.shapes[n] for n in positions} <= FLAT:
            return None
        return Form(schema.layout, positions, key=key, stamped=True)

    @cached_property
    def repeated(self) -> set[str]:
        """Feature names that several views have."""
        names = [name for chosen in self.members.values() for name in chosen]
        return {name for name in names if names.count(name) > 1}

    @cached_property
    def fields(self) -> dict[str, Column]:
        """What a request must bring."""
        return fields_of(self.programs, self.members)


def select(snapshot: Snapshot, name: str, features: Sequence[str] | None) -> Selection:
    """UnknownNameError for a name or feature that there is not. Worked out once a state."""
    wanted = (name, None if features is None else tuple(features))
    found: Selection | None = snapshot.memo.get(wanted)
    if found is None:
        found = snapshot.memo[wanted] = _select(snapshot, name, features)
    return found


def _select(snapshot: Snapshot, name: str, features: Sequence[str] | None) -> Selection:
    served, profiles, programs = snapshot.served(), snapshot.profiles(), snapshot.programs()
    if name in served:
        members = {name: [column.name for column in served[name].schema.columns]}
    elif name in programs:
        members = {name: [column.name for column in programs[name].features]}
    elif name in profiles:
        members = json.loads(profiles[name])
    else:
        raise UnknownNameError(
            f"there is no view or profile {name!r} online{choose(name, [*served, *programs, *profiles])}"
        )
    if features is not None:
        unknown = [n for n in features if not any(n in chosen for chosen in members.values())]
        if unknown:
            known = [n for chosen in members.values() for n in chosen]
            raise UnknownNameError(f"{name!r} has no feature {unknown[0]!r}{choose(unknown[0], known)}")
        members = {view: [n for n in features if n in chosen] for view, chosen in members.items()}
        members = {view: chosen for view, chosen in members.items() if chosen}
    selection = Selection(name, members, served, programs)
    if not any(view in served for view in selection.stored):
        what = "request view" if name in programs else "profile"
        raise UnavailableError(f"no view of {what} {name!r} has online values yet: run `limner materialize START END`")
    return selection


def choose(name: str, candidates: Sequence[str]) -> str:
    """`: did you mean ...`, or the list of what there is."""
    nearest = difflib.get_close_matches(name, candidates, n=1)
    if nearest:
        return f": did you mean {nearest[0]!r}?"
    return f"; there is {', '.join(sorted(candidates))}" if candidates else ""
