"""`limner stream`: events change profiles as they come."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.ledger import Ledger
    from limner.workers.settings import EngineSettings
    from limner.workers.stream.choose import Streamed
    from limner.workers.stream.inputs import Input, Told
    from limner.workers.stream.loop import Pace


def stream(
    views: Annotated[
        list[str] | None, typer.Argument(metavar="[VIEW]...", help="Default: every served view that can.")
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="INPUT",
            help="folder:PATH, redis://HOST:PORT/0, kafka://HOST:PORT, http://127.0.0.1:PORT or push.",
        ),
    ] = ...,  # type: ignore[assignment]
    once: Annotated[bool, typer.Option("--once", help="Stop when there is no more.")] = False,
    flush: Annotated[
        float, typer.Option("--flush", metavar="SECONDS", min=0.1, help="How often files and histories are written.")
    ] = 10.0,
    most: Annotated[int, typer.Option("--most", min=1, max=100_000, help="Events of one micro-batch.")] = 1000,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that share the input.")] = 1,
    parent: Annotated[int | None, typer.Option("--parent", hidden=True)] = None,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Follow events: clean, encode and compute them as a run does, and write profiles, histories and files.

    Ctrl-C or SIGTERM stops it gracefully; a worker that was killed is simply started again. More workers may be
    started, and ended, at any time.
    """
    from limner.workers.stream.loop import Pace

    root = project.find(project_folder)
    if workers > 1:
        told = _group(root, views or [], source, ["--flush", str(flush), "--most", str(most)], workers, once=once)
    else:
        told = summary_of(run(root, views or [], source, Pace(most, flush), once=once, parent=parent))
    if json:
        output.emit_json(told)
    else:
        output.console().print(
            f"{told['taken']:,} events taken, {told['repeated']:,} came again, {told['dead']:,} set aside; "
            f"{told['changed']:,} history rows",
            markup=False,
        )
        if told["dead"]:
            from limner.workers.stream.export import DEAD

            output.note(f"what was set aside, and why, is in {project.settings(root).data / DEAD}")
    return 0


def _group(
    root: Path, views: list[str], source: str, options: list[str], workers: int, *, once: bool
) -> dict[str, int]:
    from limner.cli.stream_group import Group, command

    kind = source.partition(":")[0]
    if kind == "folder":
        raise LimnerError("--workers: a folder is read by one worker; others that are started stand by")
    if kind == "push":
        raise LimnerError(
            "--workers: what is pushed to a source is taken by one worker; others that are started stand by"
        )
    if kind == "http":
        _free(source)
    options += ["--from", source, *(["--once"] if once else [])]
    told = Group(command(str(root), views, options), workers, output.note).run()
    return {name: told.get(name, 0) for name in NAMES}


def _free(source: str) -> None:
    """Nobody else listens there: workers share a port, and would share it with strangers as well."""
    from limner.workers.stream.http_input import HttpEvents

    HttpEvents(source, {}).close()


def run(root: Path, views: list[str], source: str, pace: "Pace", *, once: bool, parent: int | None = None) -> "Told":
    """Follow an input until a signal, or its end; a view that is served in another version is taken up again.

    `parent`: the process that has started this one as one of several; it ends when that one is gone.
    """
    from limner.workers.ledger import Ledger
    from limner.workers.stream.serving import MovedError

    settings, console = project.settings(root), output.side_console()
    ledger = Ledger(settings.ledger)
    try:
        with _stopping(parent) as stop:
            while True:
                try:
                    return _follow(
                        root, settings, ledger, views, source, pace, stop, once=once, shared=parent is not None
                    )
                except MovedError as error:
                    if stop.is_set():
                        raise
                    console.print(f"{error}: doing so", markup=False)
    finally:
        ledger.close()


def _follow(
    root: Path,
    settings: "EngineSettings",
    ledger: "Ledger",
    views: list[str],
    source: str,
    pace: "Pace",
    stop: "_Stop",
    *,
    once: bool,
    shared: bool,
) -> "Told":
    from limner.language.repo import load
    from limner.workers.online.locate import online_place
    from limner.workers.running import running
    from limner.workers.stream.choose import streamed
    from limner.workers.stream.loop import follow
    from limner.workers.stream.worker import Worker
    from limner.workers.tasks import InProcess

    console = output.side_console()
    found = streamed(load(settings.specs), root, settings.data, views)
    events = _with_pushes(source, found, settings.data, shared=shared)
    try:
        with (
            running(settings, ledger, InProcess, f"stream --from {source}", sorted(found.plans)) as run,
            Worker(root, settings.data, online_place(root), found, run.context) as worker,
        ):
            console.print(f"following {', '.join(found.sources)}: {', '.join(found.plans)}", markup=False)
            if found.waiting:
                text = "what they are made of has changed: run `limner materialize incremental`"
                console.print(f"not yet {', '.join(found.waiting)}; {text}", markup=False)
            told = follow(worker, events, stop.is_set, lambda text: console.print(text, markup=False), pace, once=once)
            run.summary.update(summary_of(told))
    finally:
        events.close()
    return told


NAMES = ("taken", "repeated", "dead", "changed")


def summary_of(told: "Told") -> dict[str, int]:
    """The numbers of a run."""
    return {name: getattr(told, name) for name in NAMES}


def _with_pushes(source: str, found: "Streamed", data: Path, *, shared: bool) -> "Input":
    """The input that `--from` names, and what Feast is told to push beside it."""
    from limner.workers.stream.push_input import Beside, Pushes

    pushes = Pushes(data, ids_of(found))
    try:
        return pushes if source == "push" else Beside(pushes, opened(source, found, shared=shared))
    except BaseException:
        pushes.close()
        raise


def ids_of(found: "Streamed") -> dict[str, str]:
    """What the id of an event is called in the files of its source, by source."""
    return {n: spec.rename.get(spec.stream.id, spec.stream.id) for n, spec in found.sources.items() if spec.stream}


def opened(source: str, found: "Streamed", *, shared: bool = False) -> "Input":
    """The input that `--from` names, which others may have as well (`shared`). LimnerError where there is none."""
    from limner.workers.stream.inputs import Folder

    kind, _, rest = source.partition(":")
    if kind in ("redis", "rediss", "unix") and rest:
        from limner.workers.stream.redis_input import RedisStreams

        return RedisStreams(source, list(found.sources))
    if kind == "kafka":
        from limner.workers.stream.kafka_input import Kafka

        return Kafka(source, list(found.sources))
    if kind == "http" and rest:
        from limner.workers.stream.http_description import forms
        from limner.workers.stream.http_input import HttpEvents

        return HttpEvents(source, forms(found), shared=shared)
    if kind == "folder" and rest:
        return Folder(Path(rest), list(found.sources))
    raise LimnerError(
        f"--from {source}: expected folder:PATH, redis://HOST:PORT/0, kafka://HOST:PORT, http://127.0.0.1:PORT or push"
    )


class _Stop:
    """Told to stop by a signal, or by nobody being there any more who would."""

    def __init__(self, parent: int | None) -> None:
        self._parent, self.told = parent, threading.Event()

    def is_set(self) -> bool:
        return self.told.is_set() or (self._parent is not None and os.getppid() != self._parent)


@contextmanager
def _stopping(parent: int | None) -> Iterator[_Stop]:
    """SIGTERM, a lost parent, and SIGINT, unless there is a parent: Ctrl-C reaches that one, too, and it ends this."""
    stop = _Stop(parent)
    before = {each: signal.signal(each, lambda *_: stop.told.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    if parent is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
