"""`limner triton install`: a real Triton from its wheel, and the models' own environment."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from limner.workers.encoder.calibration import INT8, QUANTIZER
from limner.workers.encoder.errors import TritonFailed, TritonNotInstalled
from limner.workers.encoder.home import TritonHome
from limner.workers.locking import exclusive

SERVER = "nvidia-pytriton==0.7.0"
# The stubs of this Triton predate NumPy 2: a string input would kill them. OpenVINO and tokenizers need
# nothing else.
PACKAGES = ("numpy==1.26.*", "openvino>=2025.3,<2027", "tokenizers>=0.21,<1")
# What an install may add. They bring dependencies of their own, for which NumPy stays below 2.
EXTRAS: dict[str, tuple[str, ...]] = {"torch": ("torch==2.13.0", "transformers>=5"), INT8: (QUANTIZER,)}
NUMPY_1_PYTHONS = ("3.10", "3.11", "3.12")

Say = Callable[[str], None]


def install(home: TritonHome, say: Say = lambda line: None, extras: Collection[str] = ()) -> bool:
    """Put the server and the models' environment into `home`; return False if both were there already.

    `extras` are added to the environment: "torch" (the engine for a GPU) and "int8" (what quantizes). Those that
    are there from an earlier install stay. Each part is made in a folder beside its place and moved there when
    complete, so an interrupted install leaves nothing half done. Raises TritonFailed with what pip said.
    """
    require_platform()
    home.base.mkdir(parents=True, exist_ok=True)
    with exclusive(home.lock):
        python, version = models_python()
        added = [name for name in EXTRAS if name in extras or has(home, name)]
        packages = [*PACKAGES, *(package for name in added for package in EXTRAS[name])]
        environment_stamp = {"packages": packages, "python": version}
        server_stamp = {"packages": [SERVER], "python": version}
        todo = [
            (home.environment, environment_stamp, make_environment),
            (home.server, server_stamp, make_server),
        ]
        changed = False
        for place, stamp, make in todo:
            if read_stamp(place) == stamp:
                continue
            say(f"installing {', '.join(stamp['packages'])} into {place}")
            building = place.with_name(f"{place.name}.new")
            shutil.rmtree(building, ignore_errors=True)
            make(home, building, python, stamp)
            (building / "limner.json").write_text(json.dumps(stamp))
            shutil.rmtree(place, ignore_errors=True)
            building.rename(place)
            changed = True
        return changed


def require_installed(home: TritonHome) -> None:
    """Raise TritonNotInstalled unless `install` has completed here."""
    if read_stamp(home.server) is None or read_stamp(home.environment) is None:
        raise TritonNotInstalled(f"Triton is not installed in {home.base}: run `limner triton install`")


def require_platform() -> None:
    """Raise TritonFailed where the server's wheel cannot run."""
    system, machine = platform.system(), platform.machine()
    if system != "Linux":
        raise TritonFailed(f"Triton's wheel runs on Linux, this is {system}: point `triton.url` at a server elsewhere")
    libc, version = platform.libc_ver()
    if libc == "glibc" and tuple(map(int, version.split(".")[:2])) < (2, 35):
        raise TritonFailed(
            f"Triton's wheel needs glibc 2.35, this machine ({machine}) has {version}: use NVIDIA's container"
        )


def models_python() -> tuple[str, str]:
    """Return an interpreter for the models and its "major.minor", which selects Triton's stub.

    This one if it will do, else another on PATH: NumPy 1.26 exists up to Python 3.12, and the stub loads Python as a
    shared library, which some builds leave out. Raises TritonFailed that says what to install.
    """
    lacking = []
    for python in (sys.executable, *filter(None, map(shutil.which, ("python3.12", "python3.11", "python3.10")))):
        version = version_of(python)
        if version is None or version not in NUMPY_1_PYTHONS:
            continue
        if has_shared_library(python, version):
            return python, version
        lacking.append(f"libpython{version}.so.1.0 of {python} (on Debian and Ubuntu: apt install libpython{version})")
    if lacking:
        raise TritonFailed(f"Triton's stub needs Python as a shared library: {' or '.join(lacking)}")
    raise TritonFailed("the models need NumPy 1.26, so Python 3.10 to 3.12: install python3.12 beside this Python")


def version_of(python: str) -> str | None:
    """Return "major.minor", None for what is on PATH but does not start (a version manager's stand-in)."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else None


def has_shared_library(python: str, version: str) -> bool:
    """Whether the stub will find this Python's shared library, looking where `server.spawn` tells it to look."""
    load = f"import ctypes; ctypes.CDLL('libpython{version}.so.1.0')"
    environment = {**os.environ, "LD_LIBRARY_PATH": library_folder(python)}
    done = subprocess.run([python, "-c", load], env=environment, capture_output=True, check=False)  # noqa: S603
    return done.returncode == 0


def library_folder(python: str) -> str:
    """Return the folder a Python says its shared library is in."""
    return run([python, "-c", "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"], "Python").strip()


def make_environment(home: TritonHome, place: Path, python: str, stamp: dict[str, Any]) -> None:
    """Create the models' environment."""
    run([python, "-m", "venv", str(place)], "python -m venv (on Debian, install python3-venv)")
    extras = [package for packages in EXTRAS.values() for package in packages if package in stamp["packages"]]
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
    run([*pip, "--no-deps", *PACKAGES], "pip")
    if extras:
        run([*pip, PACKAGES[0], *extras], "pip")


def make_server(home: TritonHome, place: Path, python: str, stamp: dict[str, Any]) -> None:
    """Unpack the server, and put the stub for the models' Python where Triton looks for it."""
    pip = [str(home.python), "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
    run([*pip, "--target", str(place), SERVER], "pip")
    tritonserver = place / "pytriton" / "tritonserver"
    stub = tritonserver / "python_backend_stubs" / stamp["python"] / "triton_python_backend_stub"
    shutil.copy2(stub, tritonserver / "backends" / "python" / stub.name)


def run(command: Sequence[str], what: str, given: str | None = None) -> str:
    """Run a command, with `given` as its input, and return its output; raises TritonFailed with its last lines."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise TritonFailed(f"{what} failed ({' '.join(command)}):\n{tail}")
    return done.stdout


def has(home: TritonHome, extra: str) -> bool:
    """Whether an install has put an extra into the models' environment."""
    stamp = read_stamp(home.environment)
    return stamp is not None and set(EXTRAS[extra]) <= set(stamp["packages"])


def read_stamp(place: Path) -> dict[str, Any] | None:
    """Return what a finished part was made of, None if it is not there."""
    try:
        stamp: dict[str, Any] = json.loads((place / "limner.json").read_text())
    except FileNotFoundError:
        return None
    return stamp
