"""What every place of online values offers: consistent reads, and writes that are visible in one step."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import pyarrow as pa

from limner.workers.online.rows import Wrong
from limner.workers.online.schema import ViewSchema
from limner.workers.request.program import Program

if TYPE_CHECKING:
    from limner.workers.online.locate import Place

Progress = Callable[[int], object]
Memo = dict[Any, Any]
T = TypeVar("T")


class StateMovedError(Exception):
    """What was read is of another state than what was known of it."""


@dataclass(frozen=True)
class Generation:
    """A view's values as computed by one fingerprint. `as_of`: the instant (µs UTC) it was last materialized to;
    `loaded`: the state of the history its rows were taken from.
    """

    id: int
    schema: ViewSchema
    loaded: str | None
    as_of: int | None = None

    @property
    def table(self) -> str:
        """The name of its table."""
        return f"values_{self.id}"


@dataclass(frozen=True)
class Waiting:
    """A generation that is complete and not yet served; `loaded` and `as_of` as in `Generation`."""

    generation: Generation
    loaded: str
    as_of: int
    rows: int


class Snapshot(Protocol):
    """All that is read of one snapshot is of one state. `memo` keeps what was worked out of it until that is past."""

    @property
    def memo(self) -> Memo:
        """Empty at first."""

    def served(self) -> dict[str, Generation]:
        """The generation each view serves."""

    def unserved(self) -> list[Generation]:
        """Generations that no view serves: they wait, or a run is filling them, or was killed while it did."""

    def bytes_of(self, generation: Generation) -> int:
        """The bytes of its keys and values."""

    def profiles(self) -> dict[str, str]:
        """The members of each profile, as JSON `{view: [features]}`."""

    def programs(self) -> dict[str, Program]:
        """The request views, by name."""

    def fetch(self, generation: Generation, keys: Sequence[bytes]) -> Mapping[bytes, tuple[int, bytes]]:
        """Event timestamp (µs UTC) and packed value of those of `keys` that have one."""

    def scan(self, generation: Generation) -> Iterator[tuple[bytes, int, bytes]]:
        """Key, event timestamp and packed value of every entity, in no particular order."""

    def keys(self, generation: Generation) -> Iterator[bytes]:
        """The key of every entity, in no particular order; perhaps of no one state, and one twice."""

    def count(self, generation: Generation) -> int:
        """How many entities it holds."""


class Database(Protocol):
    """The reading side."""

    @property
    def place(self) -> "Place":
        """Where it is."""

    def exists(self) -> bool:
        """Whether it was ever written."""

    def check(self) -> None:
        """LimnerError where there is nothing to read."""

    def read(self, answer: Callable[[Snapshot], T]) -> T:
        """What `answer` makes of one state. It may be called again, if the state changes under it."""

    def reading(self) -> AbstractContextManager[Snapshot]:
        """One state for the length of a `with` block. LimnerError if it changes so that it can be read no more."""

    def close(self) -> None:
        """Close this thread's connection."""


class Writer(Protocol):
    """The writing side. Each method is all or nothing: after a failure all is as it was."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def served(self, view: str) -> Generation | None:
        """The generation a view serves."""

    def replace(
        self,
        schema: ViewSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        loaded: str,
        as_of: int,
        progress: Progress | None = None,
    ) -> int:
        """Fill a new generation and serve it instead of the old one, which goes. Returns the rows it holds.

        Batches have the join keys, the columns and `event_timestamp` (timestamp, UTC), at most one row a key.
        """

    def prepare(
        self,
        schema: ViewSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        loaded: str,
        as_of: int,
        progress: Progress | None = None,
    ) -> Waiting:
        """Fill a new generation as `replace` does, and leave the old one served: `switch` changes that."""

    def switch(self, waiting: Sequence[Waiting], also: Callable[[], object] = ...) -> None:
        """Serve generations instead of the old ones of their views, which go: all in one step.

        `also` is called just before that becomes visible; if it fails, nothing has changed.
        """

    def update(
        self,
        generation: Generation,
        batches: Iterable[pa.RecordBatch],
        *,
        loaded: str | None = None,
        as_of: int | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Write rows into a generation; an older event timestamp never replaces a newer one. Returns rows offered."""

    def mend(self, generation: Generation, wrong: Sequence[Wrong]) -> list[bool]:
        """Put each row right that is still as it was found; of each, whether it was. It is meant for few rows."""

    def create(self, schema: ViewSchema) -> Generation:
        """An empty generation, served at once: for values that are pushed, not materialized."""

    def set_profiles(self, profiles: Mapping[str, Mapping[str, list[str]]], programs: Iterable[Program] = ()) -> None:
        """Make `profiles` (profile -> view -> features) and the request views of `programs` those that are served."""

    def drop_unserved(self, view: str) -> None:
        """Remove the generations of a view that it does not serve. No run of the view may be on."""

    def drop(self, views: Iterable[str]) -> None:
        """Remove all values of some views."""
