"""Where tasks run, as a protocol, and its plainest form: this process."""

from collections.abc import Callable, Generator, Iterable
from typing import Protocol, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Protocol):
    """Where tasks run: `Cluster` (Ray) or `InProcess` (units, and work too small for a cluster)."""

    @property
    def cpus(self) -> int:
        """Tasks that can run at once."""
        ...

    def map(
        self,
        task: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        in_flight: int | None = None,
        cpus: float = 1,
    ) -> Generator[Result, None, None]:
        """Yield `task(item)` for every item, in order of completion.

        `items` is read lazily: at most `in_flight` of them (default: twice the CPUs) are with the workers.
        The first exception of a task ends the iteration: it is raised as it was, with its own type, and the
        rest is cancelled. Closing the generator early cancels the rest too.
        """
        ...


class InProcess:
    """Runs every task in this process, one after the other."""

    cpus = 1

    def map(
        self,
        task: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        in_flight: int | None = None,
        cpus: float = 1,
    ) -> Generator[Result, None, None]:
        """Yield `task(item)` in the order of `items`."""
        del in_flight, cpus
        yield from map(task, items)

    def close(self) -> None:
        """Nothing to stop."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
