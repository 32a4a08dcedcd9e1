"""What `limner doctor` looks at. Checks yield findings; what a check raises becomes one."""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from limner.cli import project
from limner.language.errors import LimnerError

GIB = 1 << 30
State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `remedy` says what to do, and is empty where all is well."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def run(root: Path | None, *, deep: bool) -> Iterator[Finding]:
    """Yield every finding; without `root` of the machine alone; `deep` opens Feast's registry."""
    yield from _guarded("python", python)
    yield from _guarded("packages", packages)
    yield from _guarded("time zones", time_zones)
    if root is None:
        yield Finding("project", "failed", "no project here", "limner init DIR, or name one with -C DIR")
        return
    yield Finding("project", "ok", str(root))
    checks: list[tuple[str, Callable[[Path], Iterator[Finding]]]] = [
        ("settings", settings),
        ("specs", specs),
        ("triton", triton),
        ("disk", disk),
        ("ledger", ledger),
        ("online store", online),
    ]
    if deep:
        checks.append(("registry", registry))
    for name, check in checks:
        yield from _guarded(name, lambda check=check: check(root))  # type: ignore[misc]


def python() -> Iterator[Finding]:
    """Python 3.11 to 3.13 on Linux."""
    found = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info < (3, 14)
    yield Finding("python", "ok" if fits else "failed", found, "" if fits else "use Python 3.11, 3.12 or 3.13")


def packages() -> Iterator[Finding]:
    """Every requirement of limner, at a version it allows."""
    from packaging.requirements import Requirement

    wrong = []
    for text in requires("limner") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} is {found}, needed {requirement.specifier}")
    if wrong:
        yield Finding(
            "packages",
            "failed",
            "; ".join(wrong),
            "pip install --upgrade limner (in a checkout: make install)",
        )
    else:
        yield Finding("packages", "ok", f"feast {version('feast')}, ray {version('ray')}, numpy {version('numpy')}")


def time_zones() -> Iterator[Finding]:
    """Zones that naive timestamps are read in must exist on this machine."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        yield Finding("time zones", "failed", "no time zone data", "pip install tzdata (or the system's tzdata)")
    else:
        yield Finding("time zones", "ok", "present")


def settings(root: Path) -> Iterator[Finding]:
    """feature_store.yaml can be read, and names this project's own plug-ins."""
    chosen = project.settings(root)
    where = chosen.ray_address or "this machine"
    yield Finding("settings", "ok", f"computes on {where}; Triton at {chosen.triton.url}")


def specs(root: Path) -> Iterator[Finding]:
    """The specs are valid and their sources are there."""
    from limner.cli.commands.validate import check

    counts = check(root)
    yield Finding("specs", "ok", ", ".join(f"{number} {kind}" for kind, number in counts.items()))


def triton(root: Path) -> Iterator[Finding]:
    """Each encoder answers a real inference; else what of Triton is there."""
    from limner.cli.commands.triton import encoders
    from limner.language.repo import load
    from limner.workers.encoder import serving
    from limner.workers.encoder.balance import places
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.install import require_installed

    if all(encoder.model is None for encoder in load(project.settings(root).specs).encoders.values()):
        yield Finding("triton", "ok", "not needed: the specs declare no encoder with a model")
        return
    chosen = project.settings(root).triton
    if any(map(_listens, places(chosen))):
        for health in serving.status(chosen, encoders(root)):
            state: State = "ok" if health.ok else "failed"
            detail = health.detail or f"answers at {health.url}"
            yield Finding(f"encoder {health.encoder}", state, detail, "" if health.ok else "limner triton up")
        return
    try:
        require_installed(TritonHome(root))
    except LimnerError as error:
        yield Finding("triton", "warning", str(error), "needed for embed features: limner triton install")
        return
    yield from _models_numpy(TritonHome(root).environment)
    yield Finding("triton", "warning", f"nothing listens at {chosen.url}", "needed for new texts: limner triton up")


def _models_numpy(environment: Path) -> Iterator[Finding]:
    """The Python stub of Triton dies at the first text with NumPy 2, which the rest of Limner needs."""
    found = sorted(path.name for path in environment.glob("lib/python*/site-packages/numpy-*.dist-info"))
    if not any(name.startswith("numpy-1.") for name in found):
        yield Finding("models' numpy", "failed", f"found {found or 'none'}, needed 1.26", "limner triton install")


def disk(root: Path) -> Iterator[Finding]:
    """Room for history and embeddings."""
    data = project.settings(root).data
    place = next(folder for folder in (data, *data.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    writable = os.access(place, os.W_OK)
    if not writable:
        yield Finding(
            "disk",
            "failed",
            f"{place} cannot be written",
            "let this user write there, or change batch_engine.data",
        )
    elif free < 2 * GIB:
        yield Finding("disk", "warning", f"{free / GIB:.1f} GiB free at {place}", "make room: history needs space")
    else:
        yield Finding("disk", "ok", f"{free / GIB:.0f} GiB free at {place}")


def ledger(root: Path) -> Iterator[Finding]:
    """The ledger opens; the newest run did not fail."""
    from limner.workers.ledger import Ledger

    book = Ledger(project.settings(root).ledger)
    try:
        newest = book.runs(1)
    finally:
        book.close()
    if not newest:
        yield Finding("ledger", "ok", "no run yet")
    elif newest[0].status == "failed":
        yield Finding("ledger", "warning", f"the newest run failed: {newest[0].error}", "limner runs")
    else:
        yield Finding("ledger", "ok", f"the newest run: {newest[0].status}")


def online(root: Path) -> Iterator[Finding]:
    """What is served, and as of when."""
    from limner.workers.online.store import Store

    views = Store(root).views()
    if not views:
        yield Finding("online store", "warning", "empty", "limner apply, then limner materialize START END")
    for view in views:
        when = f"as of {view.as_of:%Y-%m-%d %H:%M}Z" if view.as_of else "never materialized"
        yield Finding(f"online {view.name}", "ok", f"{view.entities:,} entities {when}")


def registry(root: Path) -> Iterator[Finding]:
    """Feast's registry opens, and no view hangs in a state that a killed run left behind."""
    from limner.cli.stock_feast import quiet

    with quiet():
        from feast import FeatureStore

        views = FeatureStore(repo_path=str(project.feature_repo(root))).list_feature_views()
    stuck = [view.name for view in views if getattr(view.state, "name", "") == "MATERIALIZING"]
    if stuck:
        yield Finding(
            "registry",
            "warning",
            f"{', '.join(stuck)}: marked as being materialized",
            "if no run is on, a killed one left it: the next limner materialize mends it",
        )
    else:
        yield Finding("registry", "ok", f"{len(views)} feature views")


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=1):
            return True
    except OSError:
        return False


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Turn any exception of a check into a finding: a doctor looks at what is broken."""
    try:
        yield from check()
    except LimnerError as error:
        yield Finding(name, "failed", str(error))
    except Exception as error:  # noqa: BLE001 - any failure of a check is what the user wants to know
        yield Finding(name, "failed", f"{type(error).__name__}: {error}")
