"""Progress of a run: bars with rates on a terminal, one line a step in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from limner.cli import output
from limner.workers.report import (
    EncoderBusy,
    EvaluationStarted,
    Event,
    ExamplesDrawn,
    FitStarted,
    ModelServed,
    ModelStarted,
    OnlineMended,
    OnlineWritten,
    Reporter,
    RowsPrepared,
    ShardDone,
    StreamMended,
    TextsEncoded,
    TuningStep,
    ViewDone,
    ViewFailed,
    ViewStarted,
    ViewWaits,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

LOG_EVERY_SECONDS = 5.0


@contextmanager
def progress(console: "Console") -> Iterator[Reporter]:
    """Yield a reporter that renders a run's events on `console` for the length of the block."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        console=console,
    ) as bars:
        yield _Bars(bars)


def describe(event: Event) -> str | None:  # noqa: PLR0911, PLR0912 - one a kind of event
    """Say in one line what happened; None for an event that is only a step of a bar."""
    match event:
        case ViewStarted(view, start, end, reasons):
            why = f" ({'; '.join(reasons)})" if reasons else ""
            return f"{view}: from {output.instant(start)} to {output.instant(end)}{why}"
        case RowsPrepared(view, source, rows_read, rows_kept, dropped, quarantined):
            lost = [f"{rows:,} dropped ({reason})" for reason, rows in dropped.items() if rows]
            lost += [f"{rows:,} quarantined ({reason})" for reason, rows in quarantined.items() if rows]
            return f"{view}: {rows_kept:,} of {rows_read:,} rows of {source}" + "".join(f", {item}" for item in lost)
        case FitStarted(view, outputs, instant):
            return f"{view}: fitting {', '.join(outputs)} to the population as of {output.instant(instant)}"
        case ModelStarted(model, cut_off):
            return f"{model}: drawing examples of what was known by {output.instant(cut_off)}"
        case ExamplesDrawn(model, examples):
            return f"{model}: learning from {examples:,} examples"
        case EvaluationStarted(model, version, known_by):
            return f"{model}: measuring version {version} by what is known by {output.instant(known_by)}"
        case TuningStep(model, texts, _, _, epoch, loss, later, accuracy) if later is not None:
            fares = f"loss {loss:.4f}, of later texts {later:.4f}, accuracy {accuracy:.3f}"
            return f"{model}: epoch {epoch} of {texts:,} texts: {fares}"
        case ModelServed(model, version, state):
            return f"{model}: version {version} {state}"
        case EncoderBusy(encoder):
            return f"{encoder}: another process is encoding with it, waiting until it ends"
        case ViewDone(view, history_rows, online_rows, seconds):
            done = f"{history_rows:,} history rows, {online_rows:,} online profiles in {seconds:.1f} s"
            return f"{view}: {done if history_rows or online_rows else 'complete already'}"
        case StreamMended() | OnlineMended():
            return event.sentence
        case ViewWaits(view, other, encoder):
            return (
                f"{view}: its new version waits for {other}, which serves vectors that {encoder} made before it "
                "changed; readers move to both in one step"
            )
        case ViewFailed(view, error):
            return f"{view}: failed: {error}"
        case _:
            return None


def step(event: Event) -> tuple[str, int, int, str] | None:
    """Return (label, done, total, unit) of an event that moves a bar, else None."""
    match event:
        case TextsEncoded(encoder, done, total, known):
            return f"encode with {encoder} ({known:,} known)", done, total, "texts"
        case TuningStep(model, texts, done, total):
            return f"{model}: tuning on {texts:,} texts", done, total, "steps"
        case ShardDone(view, done, total):
            return f"{view}: shards", done, total, "shards"
        case OnlineWritten(view, done, total):
            return f"{view}: online", done, total, "profiles"
        case _:
            return None


class _Bars:
    """Rich progress bars, one a label."""

    def __init__(self, bars: "Progress") -> None:
        self._bars = bars
        self._tasks: dict[str, tuple[TaskID, float, int]] = {}

    def __call__(self, event: Event) -> None:
        line = describe(event)
        if line:
            self._bars.console.print(f"  {line}", markup=False, soft_wrap=True)
        self._waiting(event)
        moved = step(event)
        if moved is None:
            return
        label, done, total, unit = moved
        if label not in self._tasks:
            task = self._bars.add_task(f"  {label}", total=total, rate="")
            self._tasks[label] = (task, time.monotonic(), done)
        task, started, first = self._tasks[label]
        seconds = time.monotonic() - started
        rate = f"{(done - first) / seconds:,.0f} {unit}/s" if seconds > 0.2 and done > first else unit
        self._bars.update(task, completed=done, total=total, rate=rate)

    def _waiting(self, event: Event) -> None:
        """Show that a source is being read, which has no known end; clear a view's bars when its line is printed."""
        match event:
            case ViewStarted(view):
                reading = self._bars.add_task(f"  {view}: reading its source", total=None, rate="")
                self._tasks[f"{view}: reading"] = (reading, 0.0, 0)
            case RowsPrepared(view):
                self._remove(f"{view}: reading")
            case ViewDone(view) | ViewFailed(view):
                for label in [label for label in self._tasks if label.startswith(f"{view}: ")]:
                    self._remove(label)
            case _:
                pass

    def _remove(self, label: str) -> None:
        if label in self._tasks:
            self._bars.remove_task(self._tasks.pop(label)[0])


class _Lines:
    """Plain lines: the first and the last step of each bar, and one every few seconds between."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._started: dict[str, tuple[float, int]] = {}
        self._printed: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        line = describe(event)
        if line:
            self._print(line)
        moved = step(event)
        if moved is None:
            return
        label, done, total, unit = moved
        now = time.monotonic()
        started, first = self._started.setdefault(label, (now, done))
        # How many profiles there are is not known before the last one: ViewDone says it.
        last = done >= total and not isinstance(event, OnlineWritten)
        if not last and now - self._printed.get(label, started) < LOG_EVERY_SECONDS:
            return
        self._printed[label] = now
        seconds = now - started
        rate = f", {(done - first) / seconds:,.0f} {unit}/s" if seconds > 0.2 and done > first else ""
        self._print(f"{label}: {done:,} of {total:,} {unit}{rate}")

    def _print(self, line: str) -> None:
        self._console.print(f"  {line}", markup=False, soft_wrap=True)
