"""A run: in the ledger for as long as it lasts, with what it is handed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from limner.workers.context import RunContext
from limner.workers.ledger import Ledger
from limner.workers.ledger.tables import Status
from limner.workers.report import Reporter, silent
from limner.workers.settings import EngineSettings
from limner.workers.tasks import InProcess, Workers
from limner.workers.text.encode import encode_with


@dataclass
class Running:
    """A run under way. `summary` is what the ledger keeps of it; `status` and `error` are how it ends if nothing is
    raised.
    """

    context: RunContext
    summary: dict[str, Any] = field(default_factory=dict)
    status: Status = "done"
    error: str | None = None


@contextmanager
def running(
    settings: EngineSettings,
    ledger: Ledger,
    workers: Callable[[], AbstractContextManager[Workers]],
    command: str,
    names: Sequence[str],
    start: int | None = None,
    end: int | None = None,
    reporter: Reporter = silent,
) -> Iterator[Running]:
    """Run a command on `names` over (start, end] (µs). With `InProcess` as workers there is one shard.

    What is raised is recorded as a failure, Ctrl-C as an interruption.
    """
    run_id, run = ledger.start_run(command, names, start, end), None
    status: Status = "failed"
    error: str | None = None
    try:
        with workers() as there:
            run = Running(
                RunContext(
                    workers=there,
                    encode_with=partial(encode_with, settings.triton),
                    reporter=reporter,
                    ledger=ledger,
                    run_id=run_id,
                    shards=1 if workers is InProcess else settings.shards or max(4, 2 * there.cpus),
                    memory_limit=settings.memory_limit,
                    tuning_workers=settings.tuning_workers,
                )
            )
            yield run
        status, error = run.status, run.error
    except BaseException as raised:
        status = "interrupted" if isinstance(raised, KeyboardInterrupt) else "failed"
        error = str(raised) or type(raised).__name__
        raise
    finally:
        ledger.finish_run(run_id, status, error, run.summary if run is not None else None)
