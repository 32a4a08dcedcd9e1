"""Whose a row is, at each instant asked anew: of the links known by then the newest decides."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from limner.language.models import Source
from tests.oracle.cleaning import NEVER, Event, Table, clean, pairs_of


def attributed(
    events: Sequence[Event],
    source: Source,
    persons: Sequence[str],
    tables: Mapping[str, Table],
    sources: Mapping[str, Source],
) -> list[Event]:
    """The events as rows of persons: each once for every stretch of time in which it is one person's."""
    [(name, using)] = source.identity.items()
    pairs = pairs_of(using)
    links = clean(tables, sources, name, list(pairs.values()), {*persons, *pairs.values()}).events

    def owner(event: Event, instant: int) -> tuple[Any, ...] | None:
        known = [
            link
            for link in links
            if link.known <= instant
            and all(
                event.row[ours] is not None and event.row[ours] == link.row[theirs] for ours, theirs in pairs.items()
            )
        ]
        person = tuple(known[-1].row[key] for key in persons) if known else (None,)
        return None if None in person else person

    found = []
    for event in events:
        instants = sorted({event.known, *(link.known for link in links if link.known > event.known)})
        stretches = [(who, next(at)) for who, at in groupby(instants, key=lambda at, event=event: owner(event, at))]  # type: ignore[misc]
        ends = [at for _, at in stretches[1:]]
        for (who, at), end in zip(stretches, [*ends, None], strict=True):
            if who is not None:
                row = event.row | dict(zip(persons, who, strict=True))
                found.append(Event(row, event.at, event.created, at, event.order, until=NEVER if end is None else end))
    return found
