"""Tasks on a real Ray: order, back-pressure, failures, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import ray_tasks
from running import hearing_ctrl_c

from limner.language.errors import LimnerError, SpecError
from limner.workers.cluster import Cluster
from limner.workers.settings import EngineSettings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(ray_tasks)  # tests are not installed where workers run
    with Cluster(EngineSettings()) as cluster:
        yield cluster


def test_every_item_gives_its_result_in_another_process(cluster: Cluster) -> None:
    """All of them, once, wherever they ran."""
    assert sorted(cluster.map(ray_tasks.square, range(50))) == [n * n for n in range(50)]
    assert os.getpid() not in set(cluster.map(ray_tasks.process_id, range(4)))


def test_items_are_taken_as_tasks_finish(cluster: Cluster) -> None:
    """Never more than `in_flight` are with the workers."""
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(40):
            taken += 1
            yield number

    for done, _ in enumerate(cluster.map(ray_tasks.square, items(), in_flight=3), start=1):
        assert taken <= done + 3
    assert taken == 40


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("limner", LimnerError, "run `limner triton up`"),
        ("key", KeyError, "'a key'"),
        ("unpicklable", RuntimeError, "UnpicklableError: some words"),
    ],
)
def test_a_failure_arrives_as_it_was_raised(cluster: Cluster, kind: str, error: type[Exception], message: str) -> None:
    """Its own type and message; where it is no expected failure, with the worker's traceback as a note."""
    with pytest.raises(error) as caught:
        list(cluster.map(ray_tasks.fail, ["", kind, "", ""]))
    assert (type(caught.value), str(caught.value)) == (error, message)
    notes = "".join(getattr(caught.value, "__notes__", []))
    assert ("in fail" in notes) == (kind != "limner")


def test_all_problems_of_a_spec_error_arrive(cluster: Cluster) -> None:
    """However it travels, every line of it is there."""
    with pytest.raises(LimnerError) as caught:
        list(cluster.map(ray_tasks.fail, ["spec"]))
    assert str(caught.value) == "a.yaml:1:2: x: first\na.yaml:3:4: y: second"
    assert type(caught.value) in (LimnerError, SpecError)


def test_a_worker_that_dies_is_replaced_but_not_for_ever(
    cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A death is survived; three at one task end the run with what to do, and Ray's own noise stays out of it."""
    assert list(cluster.map(ray_tasks.die_once, [tmp_path / "once"])) == ["alive"]
    with pytest.raises(LimnerError, match=r"died 3 times at one task.*raise `shards` or lower `memory_limit`"):
        list(cluster.map(ray_tasks.die, [tmp_path / "always"]))
    assert (tmp_path / "always").read_text() == "died\n" * 3
    assert capfd.readouterr() == ("", "")


def test_leaving_early_stops_the_rest(cluster: Cluster, tmp_path: Path) -> None:
    """Tasks in flight are cancelled, so that the workers are free at once."""
    with closing(cluster.map(ray_tasks.sleep, [0.0, *[900.0] * 20])) as results:
        next(results)
    # Were the others still running, this would wait longer than a test may take.
    assert list(cluster.map(ray_tasks.square, [3])) == [9]


def test_nothing_listens_beyond_this_machine(cluster: Cluster) -> None:
    """Every port of Ray is bound to loopback."""
    list(cluster.map(ray_tasks.square, [1]))
    listening = _addresses_of({os.getpid(), *_descendants(os.getpid())})
    assert listening
    assert {
        address for address in listening if not address.endswith("0100007F") and address != "0" * 24 + "01000000"
    } == set()


def test_a_cluster_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    """One message, which names the setting. In a process of its own: Ray joins one cluster at a time."""
    script = (
        "from limner.workers.cluster import Cluster\n"
        "from limner.workers.settings import EngineSettings\n"
        "list(Cluster(EngineSettings(ray_address='127.0.0.1:1')).map(abs, [1]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=120
    )
    last = run.stderr.strip().splitlines()[-1]
    assert re.search(r"LimnerError: cannot join the Ray cluster at 127.0.0.1:1: .*check `ray_address`", last)


def test_no_worker_survives_its_driver(tmp_path: Path) -> None:
    """Interrupted, terminated or killed in the middle of tasks: soon nothing of it runs."""
    drivers = {
        how: subprocess.Popen(
            hearing_ctrl_c([sys.executable, ray_tasks.__file__, str(tmp_path / how.name)]),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    }
    for how, driver in drivers.items():
        _wait_for((tmp_path / how.name).exists, 60)
        mine = _descendants(driver.pid)
        assert mine
        os.kill(driver.pid, how)
        assert driver.wait(60) != 0
        _wait_for(lambda mine=mine: not any(_computes(pid) for pid in mine), 30)


def _wait_for(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def _descendants(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = set()
    fresh = {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh}
        found |= fresh
    return found


def _computes(pid: int) -> bool:
    """Whether this is a live process other than Ray's two agents, which notice the end of their node by and by."""
    try:
        stat, line = Path(f"/proc/{pid}/stat").read_text(), Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    dead = stat.rpartition(")")[2].split()[0] in "ZX"
    return not dead and b"Agent" not in line and b"agent" not in line


def _addresses_of(pids: set[int]) -> set[str]:
    """Hexadecimal local addresses on which the processes listen for TCP."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = os.readlink(descriptor)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {line[1].rpartition(":")[0] for line in lines if line[3] == "0A" and line[9] in inodes}
