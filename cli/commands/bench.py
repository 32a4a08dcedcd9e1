"""`limner bench`: how fast this machine is, contender beside contender."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from limner.cli import bench_report, output
from limner.cli.commands.capacity import capacity
from limner.cli.options import ProjectOption
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.benchmarks.report import Report
    from limner.language.models import Encoder

# In the order in which `limner bench all` runs them.
NAMES = (
    "start-up",
    "spec",
    "encode",
    "aggregate",
    "join",
    "online-write",
    "online-read",
    "serve",
    "stream",
    "scale-out",
)

FileOption = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the report to FILE as JSON, too.", show_default=False),
]
RoundsOption = Annotated[int, typer.Option(min=1, help="Rounds; medians are told.")]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command("spec", short_help="A large spec validated, planned and applied.")
def spec(
    sources: Annotated[int, typer.Option(min=1, help="Sources, and as many feature views.")] = 20,
    features: Annotated[int, typer.Option(min=1, help="Features, over all views.")] = 500,
    rounds: RoundsOption = 5,
    json: FileOption = None,
) -> int:
    """Validate, plan and apply a generated spec of many features over many sources."""
    from limner.benchmarks import spec

    return measured(spec.run, json, sources=sources, features=features, rounds=rounds)


@app.command("start-up", short_help="How long commands take to start.")
def start_up(rounds: RoundsOption = 5, json: FileOption = None) -> int:
    """Start commands that have nothing to do, ours and Feast's, in turns."""
    from limner.benchmarks import start_up

    return measured(start_up.run, json, rounds=rounds)


@app.command("aggregate", short_help="Events turned into windowed features, and the next day's share.")
def aggregate(
    events: Annotated[
        int, typer.Option(min=1000, help="Events, spread evenly over 90 days before and the backfill.")
    ] = 1_000_000,
    entities: Annotated[int, typer.Option(min=1, help="Entities.")] = 20_000,
    days: Annotated[int, typer.Option(min=2, help="Days of the backfill.")] = 90,
    active: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the entities with events on a given day.", show_default="any"),
    ] = None,
    rounds: RoundsOption = 5,
    json: FileOption = None,
) -> int:
    """Materialize windowed features over a daily backfill, then the next day; Feast's local engine beside it."""
    from limner.benchmarks import aggregate

    return measured(aggregate.run, json, events=events, entities=entities, days=days, active=active, rounds=rounds)


@app.command("scaling", short_help="How the cost of windowed features grows with the events.")
def scaling(
    sizes: Annotated[str, typer.Option(help="Numbers of events.")] = "500000,1000000,2000000",
    entities: Annotated[
        int | None, typer.Option(min=1, help="Entities at every size.", show_default="one to 50 events")
    ] = None,
    days: Annotated[int, typer.Option(min=2, help="Days of the backfill.")] = 90,
    rounds: RoundsOption = 5,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a plot (SVG) to FILE.", show_default=False)
    ] = None,
    json: FileOption = None,
) -> int:
    """Materialize twenty windowed sums at several sizes, and fit the exponent of the time they take."""
    from limner.benchmarks import scaling

    return measured(scaling.run, json, sizes=sizes, entities=entities, days=days, rounds=rounds, plot=plot)


@app.command("encode", short_help="Texts turned into profiles' vectors, against the encoder alone and Feast alone.")
def encode(
    texts: Annotated[int, typer.Option(min=64, help="Distinct texts a round; three rows in ten are repeats.")] = 8000,
    stock_rows: Annotated[int, typer.Option(min=0, help="Rows a round for Feast alone; 0 leaves it out.")] = 2500,
    rounds: RoundsOption = 5,
    encoder: Annotated[
        str | None,
        typer.Option(help="An encoder of the project's specs. Default: all-MiniLM-L6-v2.", show_default=False),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="In place of the encoder's own: float32, bfloat16, int8, ...", show_default=False)
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu or gpu: an error where Triton runs the encoder elsewhere.")
    ] = "auto",
    project_folder: ProjectOption = None,
    json: FileOption = None,
) -> int:
    """Materialize a generated view of vectors, beside the encoder in process and Feast without Limner."""
    from limner.benchmarks import encode
    from limner.cli import project

    if device not in ("auto", "cpu", "gpu"):
        raise LimnerError(f"--device {device!r}: expected auto, cpu or gpu")
    root = project.find(project_folder)
    chosen = encode.MINILM if encoder is None else _encoder(root, encoder)
    if precision is not None:
        chosen = _with_precision(chosen, precision)

    def run(folder: Path, texts: int, stock_rows: int, rounds: int, device: Any, **_named: Any) -> "Report":
        return encode.run(folder, chosen, root, texts, stock_rows, rounds, device)

    return measured(
        run,
        json,
        encoder=encoder,
        precision=precision,
        texts=texts,
        stock_rows=stock_rows,
        rounds=rounds,
        device=device,
    )


def _encoder(root: Path, name: str) -> "Encoder":
    from limner.cli import project
    from limner.language.repo import load

    encoders = {key: each for key, each in load(project.settings(root).specs).encoders.items() if each.model}
    if name not in encoders:
        raise LimnerError(f"no encoder {name!r} with a model: the specs have {', '.join(encoders) or 'none'}")
    return encoders[name]


def _with_precision(encoder: "Encoder", precision: str) -> "Encoder":
    known = get_args(type(encoder).model_fields["precision"].annotation)
    if precision not in known:
        raise LimnerError(f"--precision {precision!r}: expected {', '.join(known)}")
    return encoder.model_copy(update={"precision": precision})


@app.command("join", short_help="Training sets, beside DuckDB's bare join and Feast's default store.")
def join(
    entity_rows: Annotated[
        int | None, typer.Option(min=1, help="Entity rows.", show_default="two sizes of both")
    ] = None,
    history_rows: Annotated[
        int | None, typer.Option(min=100, help="History rows of the three views.", show_default=False)
    ] = None,
    rounds: RoundsOption = 5,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="Seconds for an answer of Feast's default store, 0: none.", show_default=False),
    ] = None,
    json: FileOption = None,
) -> int:
    """Join 60 scalars and a vector of three views to the same entity rows as of each row's instant."""
    from limner.benchmarks import join

    return measured(join.run, json, entity_rows=entity_rows, history_rows=history_rows, rounds=rounds, limit=limit)


@app.command("online-write", short_help="Profiles a second into SQLite and Valkey, beside Feast's stock path.")
def online_write(
    profiles: Annotated[int, typer.Option(min=50, help="Profiles a round: 20 scalars and a vector of 384.")] = 10_000,
    rounds: RoundsOption = 5,
    json: FileOption = None,
) -> int:
    """Write the same profiles, in turns, into each online store."""
    from limner.benchmarks import online_write

    return measured(online_write.run, json, profiles=profiles, rounds=rounds)


@app.command("online-read", short_help="Profiles read in process, through Feast and directly.")
def online_read(
    profiles: Annotated[int, typer.Option(min=200, help="Profiles in the store.")] = 10_000,
    reads: Annotated[int, typer.Option(min=100, help="Reads a round for the slowest one in a hundred.")] = 2_000,
    rounds: RoundsOption = 5,
    json: FileOption = None,
) -> int:
    """Read 1, 10 and 100 profiles from each online store, in turns."""
    from limner.benchmarks import online_read

    return measured(online_read.run, json, profiles=profiles, reads=reads, rounds=rounds)


@app.command("stream", short_help="Events a second, and how fresh profiles are.")
def stream(
    events: Annotated[int, typer.Option(min=5000, help="Events that a worker takes.")] = 20_000,
    shoppers: Annotated[int, typer.Option(min=10, help="Entities that they are of.")] = 2_000,
    rate: Annotated[int, typer.Option(min=1, help="Events a second, by HTTP, with texts.")] = 100,
    seconds: Annotated[int, typer.Option(min=1, help="For so long.")] = 15,
    triton: Annotated[bool, typer.Option(help="Encode their texts with all-MiniLM-L6-v2 on a Triton, too.")] = True,
    project_folder: ProjectOption = None,
    json: FileOption = None,
) -> int:
    """Send events to a worker: as fast as it takes them, and at a rate, to see when each can be read.

    Triton is installed in the project if it is not yet.
    """
    from limner.benchmarks import stream
    from limner.benchmarks.encode import MINILM
    from limner.cli import project

    root = project.find(project_folder) if triton else None

    def run(folder: Path, events: int, shoppers: int, rate: int, seconds: int, **_named: Any) -> "Report":
        return stream.run(folder, events, shoppers, rate, seconds, MINILM if triton else None, root)

    return measured(run, json, events=events, shoppers=shoppers, rate=rate, seconds=seconds, triton=triton)


@app.command("serve", short_help="Profiles read over HTTP, beside feast serve.")
def serve(
    profiles: Annotated[int, typer.Option(min=200, help="Profiles in the store.")] = 10_000,
    reads: Annotated[int, typer.Option(min=100, help="Requests a round.")] = 500,
    rounds: RoundsOption = 5,
    json: FileOption = None,
) -> int:
    """Ask `limner serve` and `feast serve` for the same profiles, in turns, and read while rows are written."""
    from limner.benchmarks import serve

    return measured(serve.run, json, profiles=profiles, reads=reads, rounds=rounds)


@app.command("scale-out", short_help="The same work on one Ray node and on two.")
def scale_out(
    events: Annotated[int, typer.Option(min=1000, help="Events.")] = 300_000,
    entities: Annotated[int, typer.Option(min=1, help="Entities.")] = 5_000,
    days: Annotated[int, typer.Option(min=1, help="Days of the backfill.")] = 30,
    rounds: RoundsOption = 5,
    json: FileOption = None,
) -> int:
    """Materialize the same on local Ray clusters of one and two nodes, in turns; the bytes must be the same."""
    from limner.benchmarks import scale_out

    return measured(scale_out.run, json, events=events, entities=entities, days=days, rounds=rounds)


app.command("capacity", short_help="A model: a billion events on a cluster.")(capacity)


@app.command("all", short_help="Every benchmark, one after the other.")
def run_all(
    folder: Annotated[
        Path, typer.Option("--json", metavar="DIR", help="Folder for the reports, one a benchmark.")
    ] = Path("build/bench"),
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Reports of an earlier run: fail if a ratio is much worse.", show_default=False
        ),
    ] = None,
) -> int:
    """Run each benchmark in a process of its own, with its defaults; exits 1 if one fails or a ratio is much worse."""
    from limner.benchmarks.baseline import read, worse

    folder.mkdir(parents=True, exist_ok=True)
    if against is not None and not against.is_dir():
        raise LimnerError(f"there is no folder {against} of earlier reports")
    say = output.console().print
    failed, lost = [], []
    for name in NAMES:
        say(f"[bold]limner bench {name}[/bold]")
        path = folder / f"{name}.json"
        line = [sys.executable, "-m", "limner.cli.main", "bench", name, "--json", str(path)]
        if subprocess.run(line, check=False).returncode:  # noqa: S603 - our own words
            failed.append(name)
        elif against is not None and (against / path.name).exists():
            lost += worse(read(path), read(against / path.name))
    for each in lost:
        output.error(f"worse than in {against}: {each}")
    if failed:
        output.error(f"failed: {', '.join(failed)}")
    return 1 if failed or lost else 0


@app.command("page", short_help="Reports as a page of Markdown.")
def page(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of reports written by --json.")],
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write to FILE, not stdout.", show_default=False)
    ] = None,
) -> int:
    """Lay out the reports of a folder as tables; docs/benchmarks.md is `limner bench page benchmarks/baseline`."""
    from limner.benchmarks.baseline import reports
    from limner.benchmarks.page import page

    text = page(reports(folder, NAMES))
    if write is None:
        sys.stdout.write(text)
    else:
        write.write_text(text, encoding="utf-8")
    return 0


def measured(run: "Callable[..., Report]", json: Path | None, **options: Any) -> int:
    """Run a benchmark in a temporary folder, tell what it found, and write it to `json`."""
    from limner.benchmarks.machine import machine, versions

    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="limner-bench-") as folder:
        report = run(Path(folder), **options)
    report.seconds = time.monotonic() - begun
    report.command = bench_report.command(report.benchmark, options)
    report.machine, report.versions = machine(), versions()
    bench_report.show(report)
    if json is not None:
        bench_report.write(report, json)
    return 0
