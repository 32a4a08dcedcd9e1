"""A Triton of this machine's own: started, found again, stopped. What it serves is `serving.py`'s."""

import hashlib
import json
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from limner.workers.encoder.errors import TritonFailed
from limner.workers.encoder.home import TritonHome
from limner.workers.encoder.install import library_folder
from limner.workers.encoder.processes import Process, reap, wait_until
from limner.workers.encoder.settings import TritonSettings
from limner.workers.encoder.transport import GrpcTransport

START_SECONDS = 60.0
# How long a stopping server lets requests in flight finish. Their clients try again elsewhere or later, and a server
# in which a model has died always waits this long in vain.
EXIT_SECONDS = 8
STOP_SECONDS = EXIT_SECONDS + 12.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Running:
    """A server that was started from this project."""

    process: Process
    grpc_port: int
    http_port: int
    metrics_port: int


def find(home: TritonHome) -> Running | None:
    """Return the project's running server, None if there is none."""
    try:
        record = json.loads(home.record.read_text())
    except FileNotFoundError:
        return None
    running = Running(Process(**record.pop("process")), **record)
    return running if running.process.alive() else None


def start(home: TritonHome, settings: TritonSettings, say: Say = lambda line: None) -> Running:
    """Start Triton without models on 127.0.0.1, detached from this process; return when it answers.

    Raises TritonFailed for a taken port (naming it and its option) and for a server that does not come up.
    """
    require_free_ports(home, settings)
    sweep_shared_memory(home)
    home.repository.mkdir(parents=True, exist_ok=True)
    say(f"starting Triton at 127.0.0.1:{settings.grpc_port}")
    process = spawn(home, command(home, settings))
    running = Running(process, settings.grpc_port, settings.http_port, settings.metrics_port)
    write_record(home, running)
    transport = GrpcTransport(settings.url)

    def settled() -> bool:
        reap(process.pid)
        return not process.alive() or transport.live(timeout=0.5)

    try:
        answered = wait_until(settled, START_SECONDS)
    finally:
        transport.close()
    if not process.alive():
        home.record.unlink()
        raise TritonFailed(f"Triton ended while starting; its log ({home.log}) ends with:\n{log_tail(home.log)}")
    if not answered:
        stop(home)
        raise TritonFailed(f"Triton did not answer within {START_SECONDS:g} s; see its log, {home.log}")
    return running


def stop(home: TritonHome, say: Say = lambda line: None) -> bool:
    """Stop the server: requests in flight finish, then its model processes end. False if none ran."""
    running = find(home)
    if running is None:
        home.record.unlink(missing_ok=True)
        return False
    say(f"stopping Triton at 127.0.0.1:{running.grpc_port}")
    stubs = running.process.children()
    running.process.signal(signal.SIGTERM)
    if not running.process.wait(STOP_SECONDS):
        running.process.signal(signal.SIGKILL)
        running.process.wait(5.0)
    for stub in stubs:
        if not stub.wait(2.0):
            stub.signal(signal.SIGKILL)
    home.record.unlink(missing_ok=True)
    sweep_shared_memory(home)
    return True


def require_free_ports(home: TritonHome, settings: TritonSettings) -> None:
    """Raise TritonFailed for ports that something else listens on."""
    if home.record.exists():
        # A killed server's model processes hold its ports until they notice, for a second or two.
        wait_until(lambda: not taken_ports(settings), 5.0)
    taken = [f"port {port} is taken: choose another with --{name}-port" for name, port in taken_ports(settings)]
    if taken:
        raise TritonFailed("Triton cannot start: " + "; ".join(taken))


def taken_ports(settings: TritonSettings) -> list[tuple[str, int]]:
    """Return which of the wanted ports cannot be listened on, as (option's name, port)."""
    wanted = [("grpc", settings.grpc_port), ("http", settings.http_port), ("metrics", settings.metrics_port)]
    taken = []
    for name, port in wanted:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken.append((name, port))
    return taken


def command(home: TritonHome, settings: TritonSettings) -> list[str]:
    """Return tritonserver's command line; it listens on this machine only (its default is everywhere)."""
    triton = home.tritonserver
    return [
        str(triton / "bin" / "tritonserver"),
        f"--model-repository={home.repository}",
        "--model-control-mode=explicit",
        f"--exit-timeout-secs={EXIT_SECONDS}",
        f"--backend-directory={triton / 'backends'}",
        f"--backend-config=python,shm-region-prefix-name={shared_memory_prefix(home)}",
        f"--cache-directory={triton / 'caches'}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={settings.grpc_port}",
        "--http-address=127.0.0.1",
        f"--http-port={settings.http_port}",
        "--metrics-address=127.0.0.1",
        f"--metrics-port={settings.metrics_port}",
        "--allow-gpu-metrics=false",
    ]


def spawn(home: TritonHome, arguments: list[str]) -> Process:
    """Start a process of its own session that writes to the log.

    Triton's stub runs in the environment whose python3 comes first on PATH, and finds libpython through
    LD_LIBRARY_PATH.
    """
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
        "PATH": f"{home.python.parent}:{os.environ.get('PATH', os.defpath)}",
        "LD_LIBRARY_PATH": library_folder(str(home.python)),
    }
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(home.log), write, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(arguments[0], arguments, environment, file_actions=actions, setsid=True)
    process = Process.of(pid)
    if process is None:
        raise TritonFailed(f"Triton ended at once; its log ({home.log}) says:\n{log_tail(home.log)}")
    return process


def write_record(home: TritonHome, running: Running) -> None:
    """Note the server's id and ports, in one step."""
    temporary = home.record.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(running)))
    temporary.replace(home.record)


def shared_memory_prefix(home: TritonHome) -> str:
    """Return the name prefix of this project's regions in /dev/shm."""
    return f"limner_{hashlib.sha256(str(home.base.resolve()).encode()).hexdigest()[:12]}_"


def sweep_shared_memory(home: TritonHome) -> None:
    """Remove regions that a killed server left behind; called only while no server of this project runs."""
    for region in Path("/dev/shm").glob(f"{shared_memory_prefix(home)}*"):  # noqa: S108 (Triton's own place)
        region.unlink(missing_ok=True)


def log_tail(path: Path, lines: int = 12) -> str:
    """Return the end of a log."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"
