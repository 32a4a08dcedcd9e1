"""`limner bench capacity`: a model of a large backfill on a stated cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli import output
from limner.cli.options import JsonOption

if TYPE_CHECKING:
    from limner.benchmarks.capacity import Capacity, Rates

ReportsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Take rates from reports there, as `limner bench all` writes.", show_default=False
    ),
]


def capacity(
    events: Annotated[float, typer.Option(min=1, help="Events.")] = 1e9,
    texts: Annotated[float, typer.Option(min=1, help="Distinct texts.")] = 1e8,
    entities: Annotated[float, typer.Option(min=1, help="Entities.")] = 20e6,
    duplicates: Annotated[float, typer.Option(min=0, max=0.99, help="Share of rows whose text was seen before.")] = 0.3,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes.")] = 4,
    cores: Annotated[int, typer.Option(min=1, help="Cores of a node.")] = 32,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs, in all; 0: encode on the cores.")] = 8,
    core_hour: Annotated[float, typer.Option(help="Price of a core for an hour.")] = 0.05,
    gpu_hour: Annotated[float, typer.Option(help="Price of a GPU for an hour.")] = 2.0,
    reports: ReportsOption = None,
    json: JsonOption = False,
) -> int:
    """Model how long a backfill takes and costs: rates are measured or published, the size was never run."""
    from limner.benchmarks.capacity import Rates, Scenario, model, of_reports, sensitivity, to_json

    rates = of_reports(reports) if reports is not None else Rates()
    scenario = Scenario(
        events=events,
        entities=entities,
        texts=texts,
        duplicates=duplicates,
        nodes=nodes,
        cores=cores,
        gpus=gpus,
        core_hour=core_hour,
        gpu_hour=gpu_hour,
    )
    found = model(scenario, rates)
    if json:
        output.emit_json(to_json(found, rates))
        return 0
    _show(found, rates, sensitivity(scenario, rates))
    return 0


def _show(found: "Capacity", rates: "Rates", changed: "list[tuple[str, Capacity]]") -> None:
    one = found.scenario
    lines = [
        f"{one.events:,.0f} events of {one.entities:,.0f} entities, {one.texts:,.0f} distinct texts in "
        f"{one.text_rows:,.0f} rows, on {one.nodes} nodes of {one.cores} cores and {one.gpus} GPUs",
        "",
        "| stage | minutes | on |",
        "| --- | --- | --- |",
        *(f"| {stage.name} | {stage.seconds / 60:.1f} | {stage.on} |" for stage in found.stages),
        f"| **all** | **{found.hours * 60:.0f}** | at {one.core_hour:g} a core-hour and {one.gpu_hour:g} a GPU-hour: "
        f"**{found.cost:.0f}** |",
        "",
        "| changed | minutes | cost | longest |",
        "| --- | --- | --- | --- |",
        *(f"| {name} | {each.hours * 60:.0f} | {each.cost:.0f} | {each.longest.name} |" for name, each in changed),
        "",
        "| room | GB |",
        "| --- | --- |",
        *(f"| {name} | {size / 1e9:,.1f} |" for name, size in found.sizes.items()),
        "",
        "| rate | |",
        "| --- | --- |",
        *(f"| {rate.value:,g} | {rate.source} |" for rate in vars(rates).values()),
    ]
    for line in lines:
        typer.echo(line)
