"""`limner serve`: profiles over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from limner.cli import light_feast, output, project
from limner.cli.options import ProjectOption

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on. Others than loopback: give API keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 6566,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes; one a core that may be used.")] = 1,
    api_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="API keys, one a line; LIMNER_API_KEY adds one.", show_default=False),
    ] = None,
    max_keys: Annotated[int, typer.Option(min=1, help="Keys in one request.")] = 10_000,
    max_body_mib: Annotated[int, typer.Option(min=1, help="MiB of one request.")] = 4,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one request.")] = 10.0,
    vectors_mib: Annotated[int, typer.Option(min=1, help="MiB of vectors that /similar compares, a feature.")] = 1024,
    project_folder: ProjectOption = None,
) -> int:
    """Answer `POST /get-online-features` as `feast serve` does, and leaner routes; GET /docs lists them."""
    from limner.serving.settings import Limits, ServeSettings
    from limner.serving.supervisor import Supervisor, command, sockets
    from limner.serving.worker import serve as serve_here
    from limner.workers.api_keys import ApiKeys

    root = project.find(project_folder)
    limits = Limits(body_bytes=max_body_mib << 20, keys=max_keys, seconds=timeout)
    settings = ServeSettings(
        root,
        host,
        port,
        workers,
        api_key_file and api_key_file.resolve(),
        vectors_bytes=vectors_mib << 20,
        limits=limits,
    )
    if not ApiKeys.of(settings.key_file) and host not in LOOPBACK:
        output.note(f"anyone who reaches {host} can read all profiles: give --api-key-file or LIMNER_API_KEY")
    listening = sockets(settings)
    told = listening[0].getsockname()
    shown = f"[{told[0]}]" if ":" in told[0] else told[0]
    output.note(f"serving {root.name} on http://{shown}:{told[1]} with {workers} worker(s); Ctrl-C ends it")
    if workers > 1:
        Supervisor(settings, listening, command(), output.note).run()
        return 0
    light_feast.load()
    serve_here(settings, listening[0])
    return 0
