"""One process that serves: uvicorn on a socket that is there already."""

import gc
import logging
import socket
from pathlib import Path

from limner.language.errors import LimnerError
from limner.serving.settings import ServeSettings
from limner.workers.api_keys import ApiKeys
from limner.workers.heap import keep_freed

GRACE_SECONDS = 10
BACKLOG = 2048


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket. `shared`: others may listen there, too, and the kernel shares connections out among them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    made.set_inheritable(True)
    return made


def serve(settings: ServeSettings, socket_: socket.socket, *, folder: Path | None = None, slot: int = 0) -> None:
    """Serve until SIGTERM or SIGINT: what is under way is answered first. LimnerError where it cannot start.

    `folder` is shared with other workers; a file `SLOT.json` in it says that this one serves.
    """
    import uvicorn

    from limner.serving.app import App
    from limner.serving.protocol import ShortWay

    logging.getLogger("limner.serve").setLevel(logging.INFO)
    app = App(settings, ApiKeys.of(settings.key_file), folder=folder, slot=slot)
    app.read_project()
    keep_freed()
    gc.collect()
    gc.freeze()  # a full collection over all that Feast has imported takes a fifth of a second, and meets some request
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=ShortWay,
        ws="none",
        proxy_headers=False,  # nothing here asks who the client is
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[socket_])
    if not server.started:
        raise LimnerError("the server could not start: see what it said above")
