"""Which views may move to their new version now: those that share an encoder move together, or not yet. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Move:
    """A view as it is served and as it is applied; encoders (name -> fingerprint) of both. `ready`: it can move."""

    view: str
    serves: Mapping[str, str] = field(default_factory=dict)
    wants: Mapping[str, str] = field(default_factory=dict)
    ready: bool = False


@dataclass(frozen=True)
class Wait:
    """`view` is complete, and waits for `other`, which still serves vectors that `encoder` made before it changed."""

    view: str
    other: str
    encoder: str


def choose(moves: Iterable[Move]) -> tuple[tuple[str, ...], tuple[Wait, ...]]:
    """The ready views that may move in one step, and those that wait, each with one view it waits for.

    After the step, no two views serve vectors of one encoder (by name) made by two of its fingerprints, as far as that
    was so before: vectors that a reader may compare stay comparable.
    """
    known = sorted(moves, key=lambda each: each.view)
    going = {each.view for each in known if each.ready}
    waits: list[Wait] = []
    while True:
        stopped = next((wait for each in known if each.view in going for wait in _stops(each, known, going)), None)
        if stopped is None:
            return tuple(sorted(going)), tuple(sorted(waits, key=lambda wait: wait.view))
        waits.append(stopped)
        going.discard(stopped.view)


def _stops(move: Move, known: Iterable[Move], going: set[str]) -> list[Wait]:
    return [
        Wait(move.view, other.view, encoder)
        for encoder, fingerprint in sorted(move.wants.items())
        for other in known
        if other.view not in going and other.serves.get(encoder, fingerprint) != fingerprint
        and other.view != move.view
    ]  # fmt: skip
