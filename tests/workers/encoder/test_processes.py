"""Processes are known by id and start time; what belongs to others is left alone."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from limner.workers.encoder import install, server
from limner.workers.encoder.errors import TritonFailed, TritonNotInstalled
from limner.workers.encoder.home import TritonHome
from limner.workers.encoder.processes import Process
from limner.workers.encoder.settings import TritonSettings


def sleeper() -> Process:
    """Start a process that would outlive the test."""
    process = Process.of(
        os.posix_spawn(sys.executable, [sys.executable, "-c", "import time; time.sleep(60)"], os.environ)
    )
    assert process is not None
    return process


def test_a_process_that_has_ended_is_not_alive() -> None:
    """Nor is it as a zombie, before its parent has collected it."""
    process = sleeper()
    assert process.alive()
    process.signal(signal.SIGKILL)
    assert process.wait(5.0)
    assert not process.alive()


def test_a_reused_id_is_another_process() -> None:
    """The same id with another start time is not signalled."""
    process = sleeper()
    other = replace(process, started=process.started - 1)
    assert not other.alive()
    other.signal(signal.SIGKILL)
    assert process.alive()
    process.signal(signal.SIGKILL)
    assert process.wait(5.0)


def test_children_are_found() -> None:
    """By asking each process for its parent."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        mine = Process.of(os.getpid())
        assert mine is not None
        assert child.pid in [process.pid for process in mine.children()]
        child.kill()


def test_a_record_of_a_dead_server_means_none_is_running(tmp_path: Path) -> None:
    """After a power cut the record is still there; nothing is stopped in its place."""
    home = TritonHome(tmp_path)
    home.base.mkdir()
    mine = Process.of(os.getpid())
    assert mine is not None
    server.write_record(home, server.Running(replace(mine, started=mine.started - 1), 1, 2, 3))
    assert server.find(home) is None
    assert not server.stop(home)
    assert not home.record.exists()


def test_the_server_listens_on_this_machine_only(tmp_path: Path) -> None:
    """Triton's own default is every interface."""
    line = server.command(TritonHome(tmp_path), TritonSettings())
    addresses = [argument for argument in line if "-address=" in argument]
    assert addresses == ["--grpc-address=127.0.0.1", "--http-address=127.0.0.1", "--metrics-address=127.0.0.1"]


def test_an_install_that_fails_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message has pip's last words; what was there before stays."""
    home = TritonHome(tmp_path)

    def make(home: TritonHome, place: Path, python: str, stamp: dict[str, object]) -> None:
        place.mkdir()
        install.run([sys.executable, "-c", "import sys; sys.exit('no space left on device')"], "pip")

    monkeypatch.setattr(install, "make_environment", make)
    with pytest.raises(TritonFailed, match=r"pip failed .*\n.*no space left on device"):
        install.install(home)
    assert not home.environment.exists()
    with pytest.raises(TritonNotInstalled, match="limner triton install"):
        install.require_installed(home)


def test_a_python_without_shared_library_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stub could not start; the message names the library and where to get it."""
    monkeypatch.setattr(install, "has_shared_library", lambda python, version: False)
    with pytest.raises(TritonFailed, match=r"needs Python as a shared library: libpython3\.\d+\.so.*apt install"):
        install.models_python()


def test_a_python_without_numpy_1_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """With Python 3.13 alone, the message says which Python to add."""
    monkeypatch.setattr(install, "NUMPY_1_PYTHONS", ())
    with pytest.raises(TritonFailed, match=r"Python 3\.10 to 3\.12"):
        install.models_python()
