"""`limner triton up`, `down` and `status`: from encoders to a server that answers for each of them."""

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from limner.workers.encoder import server
from limner.workers.encoder.balance import places
from limner.workers.encoder.client import PROBE
from limner.workers.encoder.errors import TritonFailed
from limner.workers.encoder.home import TritonHome
from limner.workers.encoder.install import require_installed
from limner.workers.encoder.repository import Serving, build, drop_unused_exports
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.encoder.settings import TritonSettings
from limner.workers.encoder.transport import Fault, GrpcTransport, Transport, TransportError
from limner.workers.locking import exclusive

LOCAL = ("127.0.0.1", "localhost")
PROBE_SECONDS = 10.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Health:
    """One encoder's state at a server, by a real inference: ok, outdated, missing, dead, unreachable; latency in ms."""

    encoder: str
    state: str
    detail: str = ""
    latency_ms: float | None = None
    fingerprint: str = ""
    url: str = ""

    @property
    def ok(self) -> bool:
        """Whether it answers as the spec says."""
        return self.state == "ok"


def up(
    home: TritonHome,
    settings: TritonSettings,
    models: Sequence[EncoderModel],
    say: Say = lambda line: None,
    serving: Serving | None = None,
    kept: Sequence[EncoderModel] = (),
) -> list[Health]:
    """Make the project's Triton serve `models`: start it, load what is new or changed, mend what is dead.

    Those `kept` are in the repository, too, for whoever asks for them first.

    Each model has answered a real inference when this returns. Doing it again does nothing. Raises
    TritonNotInstalled, TritonFailed.
    """
    if len(settings.addresses) > 1:
        raise TritonFailed(
            f"triton.url names several servers ({settings.url}): `up` starts one on this machine, at the port that "
            "--grpc-port names; serve the others where they are"
        )
    if settings.host not in LOCAL:
        raise TritonFailed(
            f"triton.url is {settings.url}, another machine: `up` starts a server on this one; serve "
            f"{home.repository} there, or set triton.url to 127.0.0.1:{settings.grpc_port}"
        )
    require_installed(home)
    with exclusive(home.lock):
        running = server.find(home)
        if running is not None and running.grpc_port != settings.grpc_port:
            raise TritonFailed(
                f"Triton already runs for this project at 127.0.0.1:{running.grpc_port}: `limner triton down` stops it"
            )
        if running is None:
            server.require_free_ports(home, settings)  # before an export, which takes a while
        changed = {model.name for model in models if build(model, home, serving, say)}
        for model in kept:
            build(model, home, serving, say)
        if running is None:
            server.start(home, settings, say)
        transport = GrpcTransport(settings.url)
        try:
            for model in models:
                ensure_served(model, transport, say, reload=model.name in changed)
            return [health(model, transport) for model in models]
        except TransportError as error:
            raise TritonFailed(f"{error}\nThe server's log is {home.log}") from error
        finally:
            transport.close()


def add(home: TritonHome, settings: TritonSettings, model: EncoderModel, say: Say = lambda line: None) -> str:
    """Load one more model into the running server, without a restart; returns what became of it.

    Where no server runs on this machine nothing is done. Raises TritonFailed where the server refuses the model: what
    it serves stays as it is, and nothing of the model stays in the repository.
    """
    if len(settings.addresses) > 1 or settings.host not in LOCAL:
        return f"is not served yet: Triton is at {settings.url}; `limner triton build`, and load {model.name} there"
    transport = GrpcTransport(settings.url)
    try:
        if not transport.live():
            return "is not served yet, since Triton does not run: `limner triton up` loads it"
        with exclusive(home.lock):
            try:
                build(model, home, None, say)
                ensure_served(model, transport, say, reload=False)
            except (TransportError, TritonFailed) as error:
                _take_back(model.name, home, transport)
                raise TritonFailed(
                    f"Triton at {settings.url} refuses {model.name}: {error}\nWhat it serves stays as it is; its log "
                    f"is {home.log}"
                ) from error
    finally:
        transport.close()
    return f"is served by Triton at {settings.url} as {model.name}"


def drop(home: TritonHome, settings: TritonSettings, name: str) -> bool:
    """Unload a model that nobody asks any more, and remove it from the repository; False where it is not there."""
    if not (home.repository / name).is_dir():
        return False
    transport = GrpcTransport(settings.url) if len(settings.addresses) == 1 and settings.host in LOCAL else None
    try:
        with exclusive(home.lock):
            _take_back(name, home, transport)
            drop_unused_exports(home)
    finally:
        if transport is not None:
            transport.close()
    return True


def _take_back(name: str, home: TritonHome, transport: Transport | None) -> None:
    with suppress(TransportError):
        if transport is not None and transport.live():
            transport.unload(name)
    shutil.rmtree(home.repository / name, ignore_errors=True)


def build_all(home: TritonHome, models: Sequence[EncoderModel], say: Say = lambda line: None) -> list[str]:
    """Write the models into the repository without starting a server; return the names of what was new or changed."""
    home.base.mkdir(parents=True, exist_ok=True)
    with exclusive(home.lock):
        return [model.name for model in models if build(model, home, None, say)]


def down(home: TritonHome, say: Say = lambda line: None) -> bool:
    """Stop the project's server; False if none was running."""
    home.base.mkdir(exist_ok=True)
    with exclusive(home.lock):
        return server.stop(home, say)


def status(settings: TritonSettings, models: Sequence[EncoderModel]) -> list[Health]:
    """Make a real inference with each model at each server: a dead model process still reports ready."""
    found = []
    for place in places(settings):
        transport = GrpcTransport(place)
        try:
            found += [health(model, transport) for model in models]
        finally:
            transport.close()
    return found


def ensure_served(model: EncoderModel, transport: Transport, say: Say, reload: bool) -> None:
    """Load, reload or mend one model, whichever it needs; raises TransportError if that does not help."""
    found = health(model, transport)
    if found.ok and not reload:
        return
    if found.state == "dead":
        say(f"mending encoder {model.name}: its process had died")
        transport.unload(model.name)
    else:
        say(f"loading encoder {model.name}")
    transport.load(model.name)
    found = health(model, transport)
    if not found.ok:
        raise TransportError(Fault.ENGINE, f"encoder {model.name} was loaded but is {found.state}: {found.detail}")


def health(model: EncoderModel, transport: Transport) -> Health:
    """Look at one model as a client would."""
    try:
        served = transport.parameters(model.name).get("FINGERPRINT", "")
        if served != model.fingerprint:
            detail = f"serves {served[:12]}, the spec asks for {model.fingerprint[:12]}"
            return Health(model.name, "outdated", detail, fingerprint=served, url=transport.url)
        started = time.perf_counter()
        transport.infer(model.name, model.version, [PROBE], PROBE_SECONDS)
        latency = (time.perf_counter() - started) * 1000
    except TransportError as error:
        states = {Fault.UNAVAILABLE: "unreachable", Fault.MISSING: "missing", Fault.TIMEOUT: "unreachable"}
        return Health(model.name, states.get(error.fault, "dead"), str(error), url=transport.url)
    return Health(model.name, "ok", latency_ms=latency, fingerprint=served, url=transport.url)
