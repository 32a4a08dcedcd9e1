"""At which instants examples are drawn."""

from dataclasses import dataclass

import numpy as np

from limner.language.learning import Propensity
from limner.language.models import Grid
from limner.workers.windows.column import Ints
from limner.workers.windows.timeline import tick_at_or_after, tick_at_or_before

DAY = 86_400_000_000  # µs


@dataclass(frozen=True)
class Instants:
    """Those of the grid `step` in [first, last], µs; `first` None: as far back as anybody is known; without a `step`,
    `last` alone.

    A label of the instant `q` is made of the rows of [q, q + ahead), and all of these are known `settle` later: by the
    cut-off, for the last.
    """

    step: int | None
    ahead: int
    first: int | None
    last: int
    settle: int = 0

    @property
    def grid(self) -> Grid:
        """The grid they are of: it counts from a Monday, as those of views do."""
        return Grid(step=self.step)

    @property
    def shifted(self) -> Grid:
        """The grid of the instants at which labels are complete: `ahead` after each."""
        return Grid(step=self.step, offset=self.ahead % self.step if self.step is not None else 0)

    def since(self, known: int) -> Ints:
        """All of them at or after an instant."""
        if self.step is None:
            return np.arange(self.last, self.last + (known <= self.last))
        begin = known if self.first is None else max(known, self.first)
        return np.arange(int(tick_at_or_after(self.grid, np.array(begin))), self.last + 1, self.step)


def last_told(when: Instants, newest: int | None, cut_off: int) -> int:
    """The last instant whose label is complete, µs, where `newest` is when the newest row of the label happened.

    Where that is older than a step of the grid (a day, if that is shorter), the rows after it are not there yet: of
    labels that reach further, nobody knows what is missing.
    """
    if newest is None or newest + min(when.step or DAY, DAY) >= cut_off - when.settle:
        return when.last
    return min(when.last, tick_at_or_before(when.grid, newest + min(when.step or DAY, DAY) - when.ahead))


def instants(learns: Propensity, cut_off: int, settle: int) -> Instants:
    """The instants of the examples of a version; `settle` is how long rows of the label take to arrive, µs."""
    step, ahead = learns.every.micros, learns.label.next.micros
    grid = Grid(step=step)
    last = tick_at_or_before(grid, cut_off - ahead - settle)
    first = None
    if learns.over is not None:
        first = int(tick_at_or_after(grid, np.array(cut_off - learns.over.micros)))
    return Instants(step, ahead, first, last, settle)


def at_once(instant: int) -> Instants:
    """That instant (µs), and nothing that comes after."""
    return Instants(step=None, ahead=0, first=instant, last=instant)


def coarser(wanted: Grid, grid: Grid) -> bool:
    """Whether all instants of a grid are instants of a view's: its values there are those of its own history."""
    if grid.step is None:
        return True
    if wanted.step is None:
        return False
    return wanted.step % grid.step == 0 and (wanted.offset - grid.offset) % grid.step == 0
