"""What a run tells while it works. The engine emits events; only the command line renders them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from limner.workers.differences import Differences


@dataclass(frozen=True)
class ViewStarted:
    """A view's materialization over (start, end] begins; instants are µs since 1970 UTC."""

    view: str
    start: int
    end: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowsPrepared:
    """The source was read and cleaned for one view."""

    view: str
    source: str
    rows_read: int
    rows_kept: int
    dropped: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FitStarted:
    """Outputs of a view are being fitted to the population as of an instant (µs since 1970 UTC)."""

    view: str
    outputs: tuple[str, ...]
    instant: int


@dataclass(frozen=True)
class TextsEncoded:
    """Progress of one encoder: `done` of `total` texts that were missing; `known` needed no encoding.

    `characters` is the length of those that are done.
    """

    encoder: str
    done: int
    total: int
    known: int
    characters: int = 0


@dataclass(frozen=True)
class EncoderBusy:
    """Another process is encoding with this encoder; this one waits for it."""

    encoder: str


@dataclass(frozen=True)
class ShardDone:
    """One shard's history is durably written (or was there already: `reused`)."""

    view: str
    done: int
    total: int
    rows: int
    reused: bool = False


@dataclass(frozen=True)
class StreamMended:
    """A run found other history rows than a stream worker had written, and put its own in their place."""

    view: str
    differences: Differences

    @property
    def sentence(self) -> str:
        """What to tell people."""
        return f"{self.view}: mended what the stream had written to the history: {self.differences.told()}"


@dataclass(frozen=True)
class OnlineMended:
    """Online values were not what the history says, and are now."""

    view: str
    differences: Differences

    @property
    def sentence(self) -> str:
        """What to tell people."""
        return f"{self.view}: mended online values that were not what the history says: {self.differences.told()}"


@dataclass(frozen=True)
class OnlineWritten:
    """`done` of `total` profiles of a view are in the online store."""

    view: str
    done: int
    total: int


@dataclass(frozen=True)
class ViewDone:
    """A view's history and online values are complete up to `end`."""

    view: str
    history_rows: int
    online_rows: int
    seconds: float
    summary: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class ViewFailed:
    """A view failed; nothing it serves has changed."""

    view: str
    error: str


@dataclass(frozen=True)
class ViewWaits:
    """A view's new version is complete, and is not served before `other` can move with it: they share `encoder`."""

    view: str
    other: str
    encoder: str


@dataclass(frozen=True)
class ModelStarted:
    """A version of a model as of a cut-off (µs since 1970 UTC) is being made."""

    model: str
    cut_off: int


@dataclass(frozen=True)
class ExamplesDrawn:
    """The examples of a version are there; now they are learned from."""

    model: str
    examples: int


@dataclass(frozen=True)
class EvaluationStarted:
    """A version of a model is being measured by what is known by an instant (µs since 1970 UTC)."""

    model: str
    version: str
    known_by: int


@dataclass(frozen=True)
class TuningStep:
    """`done` of `total` steps of a training; `loss` of the last one, and, after an epoch, how later texts fare.

    A version is learned twice, on other numbers of `texts`: to be measured, and to be used.
    """

    model: str
    texts: int
    done: int
    total: int
    epoch: int
    loss: float
    later_loss: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True)
class ModelServed:
    """What became of a new version that a server runs."""

    model: str
    version: str
    state: str


Event = (
    ViewStarted
    | RowsPrepared
    | FitStarted
    | ModelStarted
    | ExamplesDrawn
    | EvaluationStarted
    | TuningStep
    | ModelServed
    | TextsEncoded
    | EncoderBusy
    | ShardDone
    | StreamMended
    | OnlineMended
    | OnlineWritten
    | ViewDone
    | ViewWaits
    | ViewFailed
)
Reporter = Callable[[Event], None]


def silent(_event: Event) -> None:
    """A reporter that says nothing."""


_CURRENT: ContextVar[Reporter] = ContextVar("limner_reporter", default=silent)


def current() -> Reporter:
    """The reporter of the command under way: Feast calls the engine, and has no place to hand one through."""
    return _CURRENT.get()


@contextmanager
def reporting_to(reporter: Reporter) -> Iterator[None]:
    """Make `reporter` the current one for the length of a `with` block."""
    token = _CURRENT.set(reporter)
    try:
        yield
    finally:
        _CURRENT.reset(token)
