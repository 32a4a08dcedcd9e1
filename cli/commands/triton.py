"""`limner triton install|up|status|down`: the project's own Triton Inference Server."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.encoder.resolve import EncoderModel
    from limner.workers.encoder.serving import Health

app = typer.Typer(
    help="The project's own Triton Inference Server: install, up, status, down.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(short_help="Put the server and the models' environment into .triton.")
def install(
    torch: Annotated[bool, typer.Option("--torch", help="Add torch and transformers, the engine for a GPU.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Add what quantizes encoders of precision int8.")] = False,
    project_folder: ProjectOption = None,
) -> int:
    """Put a real Triton and the models' own Python environment into the project; does nothing if they are there."""
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.install import install as put

    home = TritonHome(project.find(project_folder))
    extras = [name for name, wanted in (("torch", torch), ("int8", int8)) if wanted]
    changed = put(home, _say, extras)
    _say(f"installed in {home.base}" if changed else f"already installed in {home.base}")
    return 0


@app.command(short_help="Write the model repository, to be served elsewhere.")
def build(project_folder: ProjectOption = None) -> int:
    """Write every encoder of the specs into .triton/repository: all that NVIDIA's container needs to serve them."""
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.serving import build_all

    root = project.find(project_folder)
    home = TritonHome(root)
    newest, older = tuned(root)
    changed = build_all(home, [*encoders(root), *newest, *older], _say)
    for name in changed:
        _say(f"wrote {home.repository / name}")
    if not changed:
        _say(f"{home.repository} is up to date")
    return 0


@app.command(short_help="Start it, load every encoder of the specs, mend what is dead.")
def up(
    grpc_port: Annotated[
        int | None, typer.Option(help="Default: the port of batch_engine.triton.url, or 8001.")
    ] = None,
    http_port: Annotated[int | None, typer.Option(help="Default: batch_engine.triton.http_port, or 8000.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Default: batch_engine.triton.metrics_port, or 8002.")
    ] = None,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Make the project's Triton serve every encoder of the specs; each has answered a real inference at the end."""
    from limner.workers.encoder import serving
    from limner.workers.encoder.home import TritonHome

    root = project.find(project_folder)
    configured = project.settings(root).triton
    settings = configured if grpc_port is None else configured.at(grpc_port)
    settings = replace(
        settings,
        http_port=configured.http_port if http_port is None else http_port,
        metrics_port=configured.metrics_port if metrics_port is None else metrics_port,
    )
    newest, older = tuned(root)
    found = serving.up(TritonHome(root), settings, [*encoders(root), *newest], _say, kept=older)
    _report(found, json)
    if settings.url not in configured.addresses:
        _say(f"runs look for Triton at {configured.url}: set batch_engine.triton.url to {settings.url}")
    return 0


@app.command(short_help="Make a real inference with every encoder.")
def status(project_folder: ProjectOption = None, json: JsonOption = False) -> int:
    """Ask each encoder of the specs for a vector; exits 1 unless all answer as the specs say."""
    from limner.workers.encoder import serving

    root = project.find(project_folder)
    settings = project.settings(root).triton
    found = serving.status(settings, [*encoders(root), *tuned(root)[0]])
    _report(found, json)
    if all(health.ok for health in found):
        return 0
    _say(f"not all encoders answer at {settings.url}: run `limner triton up`")
    return 1


@app.command(short_help="Stop it.")
def down(project_folder: ProjectOption = None) -> int:
    """Stop the project's Triton; requests in flight finish first."""
    from limner.workers.encoder import serving
    from limner.workers.encoder.home import TritonHome

    if not serving.down(TritonHome(project.find(project_folder)), _say):
        _say("no Triton of this project is running")
    return 0


def encoders(root: Path) -> "list[EncoderModel]":
    """Return the encoders of the specs; raises LimnerError if there is none."""
    from limner.language.repo import load
    from limner.workers.encoder.resolve import resolve

    specs = load(project.settings(root).specs)
    served = [encoder for encoder in specs.encoders.values() if encoder.model is not None]
    if not served:
        where = project.settings(root).specs
        raise LimnerError(f"the specs in {where} declare no encoder with a model: there is nothing to serve")
    return [resolve(encoder, root) for encoder in served]


def tuned(root: Path) -> "tuple[list[EncoderModel], list[EncoderModel]]":
    """The versions of models whose encoder was tuned: the newest of each, and all older ones that speak."""
    from limner.language.repo import load
    from limner.workers.models.texts.served import needed

    settings = project.settings(root)
    found = needed(load(settings.specs), root, settings.data).values()
    return [each for models in found for each in models[:1]], [each for models in found for each in models[1:]]


def _report(found: "list[Health]", json: bool) -> None:
    if json:
        output.emit_json([asdict(health) for health in found])
        return
    say = output.console().print
    several = len({health.url for health in found}) > 1
    for health in found:
        colour = "green" if health.ok else "red"
        latency = "" if health.latency_ms is None else f", {health.latency_ms:.1f} ms"
        detail = f": {health.detail}" if health.detail else f" {health.fingerprint[:12]}{latency}"
        say(f"[{colour}]{health.state}[/{colour}] ", end="")
        where = f" at {health.url}" if several else ""
        say(f"{health.encoder}{where}{detail}", markup=False, soft_wrap=True)


def _say(line: str) -> None:
    output.side_console().print(line, markup=False, soft_wrap=True)
