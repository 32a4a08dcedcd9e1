"""One worker of `limner serve --workers N`: started by its supervisor, with a socket that is open already."""

import os
import signal
import socket
import sys
from pathlib import Path

from limner.cli import output

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # as in main.py


def main(settings: str, descriptor: str, folder: str, slot: str) -> int:
    """Serve until SIGTERM."""
    from limner.cli import light_feast
    from limner.language.errors import LimnerError
    from limner.serving.settings import ServeSettings
    from limner.serving.worker import serve

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the supervisor, too, which ends the workers
    light_feast.load()
    try:
        listening = socket.socket(fileno=int(descriptor))
        serve(ServeSettings.from_json(settings), listening, folder=Path(folder), slot=int(slot))
    except LimnerError as error:
        output.error(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
