"""Tasks on Ray, a bounded number at a time, results as they complete. The one file that imports Ray."""

import contextlib
import logging
import os
import pickle
import shutil
import socket
import traceback
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Self

from limner.language.errors import LimnerError
from limner.workers.settings import EngineSettings
from limner.workers.tasks import InProcess, Item, Result, Workers

__all__ = ["Cluster", "InProcess", "Workers"]

_OBJECT_STORE = 80 * 2**20  # bytes; tasks pass paths, not data, and Ray refuses less than 75 MiB
_CRASHES = 2  # times a task is sent again after its worker process died
_STOP_PATIENCE_S = 5.0
_KNOCK_S = 10.0


class Cluster:
    """Ray, started on this machine at the first `map`, or joined at `ray_address`. Close it, or use `with`.

    A Ray that the process already joined is used and left running.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self.address = settings.ray_address
        self._wanted_cpus = settings.cpus
        self._session: Path | None = None
        self._joined = False

    @property
    def cpus(self) -> int:
        """Tasks that can run at once. On this machine this is known without starting Ray."""
        if self.address is None:
            return self._wanted_cpus or len(os.sched_getaffinity(0))
        self._join()
        import ray

        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        return max(1, int(resources.get("CPU", 1)))

    def map(
        self,
        task: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        in_flight: int | None = None,
        cpus: float = 1,
    ) -> Generator[Result, None, None]:
        """See `Workers.map`. A task whose process dies (out of memory, a signal) is sent again twice."""
        queue = iter(items)
        first = list(islice(queue, 1))
        if not first:
            return
        self._join()
        import ray

        remote = ray.remote(_attempt).options(
            num_cpus=cpus, max_retries=_CRASHES, name=getattr(task, "__name__", type(task).__name__)
        )
        shared = ray.put(task)
        running: list[Any] = []
        try:
            for item in (*first, *islice(queue, (in_flight or 2 * self.cpus) - 1)):
                running.append(remote.remote(shared, item))
            while running:
                done, running = ray.wait(running, num_returns=1)
                result = _result(done[0])
                running.extend(remote.remote(shared, item) for item in islice(queue, 1))
                yield result
        finally:
            _cancel(running)

    def close(self) -> None:
        """Stop the Ray started here and remove its session folder; leave a cluster that was joined."""
        if not self._joined:
            return
        import ray

        ray.shutdown()
        self._joined = False
        if self._session is not None:
            shutil.rmtree(self._session, ignore_errors=True)
            self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _join(self) -> None:
        if self._joined:
            return
        if self.address is None:
            keep_local()
        import ray

        if ray.is_initialized():
            return
        logging.getLogger("ray").setLevel(logging.ERROR)
        try:
            with _quiet():
                if self.address is None:
                    self._start()
                else:
                    _knock(self.address)
                    ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:
            where = f"join the Ray cluster at {self.address}" if self.address else "start Ray on this machine"
            raise LimnerError(
                f"cannot {where}: {error}; check `ray_address` under batch_engine in feature_store.yaml "
                "(without it Ray is started on this machine)"
            ) from error
        self._joined = True

    def _start(self) -> None:
        import ray

        try:
            self._init()
        except Exception:  # noqa: BLE001 - Ray raises nothing more exact; what fails twice is raised
            # On a machine that is very busy one of Ray's own processes may not come up in its time; seldom twice.
            ray.shutdown()
            self._init()
        node: Any = ray._private.worker._global_node
        self._session = Path(node.get_session_dir_path())

    def _init(self) -> None:
        import ray

        with _lean():
            ray.init(
                "local",
                num_cpus=self.cpus,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
            )


def together(task: Callable[[int], object], workers: int, folder: Path) -> None:
    """Run `task(rank)` in so many processes at once, joined in torch's process group, by Ray Train's TorchTrainer.

    For a task on a cluster that takes no CPU itself. Processes that die are started again, twice. They meet in a file
    below `folder`, which all of them see: torch's own meeting place would listen on all interfaces. LimnerError where
    the cluster is too small, or where they fail.
    """
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    if resources.get("CPU", 0) < workers:
        raise LimnerError(
            f"{workers} workers are asked for, and Ray has {int(resources.get('CPU', 0))} CPUs: lower `tuning_workers` "
            "under batch_engine in feature_store.yaml"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    trainer = TorchTrainer(
        partial(_ranked, task),
        torch_config=_meeting(folder, address == "127.0.0.1"),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=resources.get("GPU", 0) >= workers),
        run_config=RunConfig(name="tuning", storage_path=str(folder), failure_config=FailureConfig(_CRASHES)),
    )
    try:
        trainer.fit()
    except Exception as error:
        cause = _cause(error)
        if isinstance(cause, LimnerError):
            raise cause from None
        raise LimnerError(
            f"{workers} workers that learn together failed {_CRASHES + 1} times ({type(cause).__name__}: {cause}): "
            "look at their memory, or lower `tuning_workers` under batch_engine in feature_store.yaml; what was "
            "learned is kept, and the next `limner fit` goes on from there"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ranked(task: Callable[[int], object]) -> None:
    from ray.train import get_context

    task(get_context().get_world_rank())


def _cause(error: BaseException) -> BaseException:
    """What a worker raised, under what Ray Train has wrapped around it."""
    found: dict[int, Exception] = getattr(error, "worker_failures", None) or {}
    return next(iter(found.values()), error)


def _meeting(folder: Path, local: bool) -> Any:
    """Ray Train's configuration of torch, but for where processes meet: a file, and loopback alone on one machine."""
    from ray.train.torch import TorchConfig
    from ray.train.torch import config as torch_config

    class Backend(torch_config._TorchBackend):
        def on_start(self, worker_group: Any, backend_config: Any) -> None:
            import ray

            place = f"file://{folder / uuid.uuid4().hex}"  # each attempt has its own
            gpus = worker_group.get_resources_per_worker().get("GPU", 0)
            if local:
                worker_group.execute(_loopback)
            worker_group.execute(torch_config._set_torch_distributed_env_vars)
            started = [
                worker_group.execute_single_async(
                    rank,
                    torch_config._setup_torch_process_group,
                    backend="nccl" if gpus else "gloo",
                    world_rank=rank,
                    world_size=len(worker_group),
                    init_method=place,
                    timeout_s=backend_config.timeout_s,
                )
                for rank in range(len(worker_group))
            ]
            ray.get(started)

    class Config(TorchConfig):
        @property
        def backend_cls(self) -> Any:
            return Backend

    return Config()


def _loopback() -> None:
    os.environ |= {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}


@dataclass(frozen=True)
class _Failure:
    """An exception on its way home. Ray would wrap it in a type of its own and a page of text."""

    error: Exception
    remote_traceback: str


def _attempt(task: Callable[[Any], Any], item: Any) -> Any:
    try:
        return task(item)
    except Exception as error:  # noqa: BLE001 - raised again in the driver
        return _Failure(_portable(error), traceback.format_exc())


def _portable(error: Exception) -> Exception:
    """Return `error`, or its nearest kin where pickling would lose or change it."""
    with contextlib.suppress(Exception):
        twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        if type(twin) is type(error) and str(twin) == str(error):
            return error
    return (
        LimnerError(str(error)) if isinstance(error, LimnerError) else RuntimeError(f"{type(error).__name__}: {error}")
    )


def _result(reference: Any) -> Any:
    import ray

    try:
        result = ray.get(reference)
    except (
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.OutOfMemoryError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.ObjectLostError,
    ) as error:
        raise LimnerError(
            f"a worker process died {_CRASHES + 1} times at one task ({type(error).__name__}), most likely "
            "for want of memory: raise `shards` or lower `memory_limit` under batch_engine in "
            "feature_store.yaml, then run again"
        ) from error
    if isinstance(result, _Failure):
        if not isinstance(result.error, LimnerError):
            result.error.add_note(f"In a worker process:\n{result.remote_traceback}")
        raise result.error
    return result


def _cancel(running: list[Any]) -> None:
    if not running:
        return
    import ray

    for reference in running:
        ray.cancel(reference, force=True)
    ray.wait(running, num_returns=len(running), timeout=_STOP_PATIENCE_S)


def _knock(address: str) -> None:
    """Raise OSError where nobody answers; Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()


def keep_local() -> None:
    """Make Ray on this machine listen on loopback only and keep to itself; best before Ray is imported.

    Ray turns 127.0.0.1 into the machine's own address, and so opens its ports to the network, unless clusters
    are off.
    """
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # as in encoder/transport.py, for Ray's own gRPC
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # else `uv run` makes Ray pack and copy the project
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_task_oom_retries", str(_CRASHES))
    from ray._private import ray_constants

    ray_constants.ENABLE_RAY_CLUSTER = False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Join Ray without its thread that prints news of dead workers to stdout, which programs may read."""
    from ray._private import worker as private

    worker: Any = private
    original = worker.listen_error_messages
    worker.listen_error_messages = lambda *_args, **_kwargs: None
    try:
        yield
    finally:
        worker.listen_error_messages = original


@contextlib.contextmanager
def _lean() -> Iterator[None]:
    """Start Ray without the autoscaler's monitor and the log tailer, of no use to one machine.

    Saves 160 MB, and 1.3 s of waiting for them at each shutdown. Ray has no public switch for it.
    """
    from ray._private import parameter

    params: Any = parameter.RayParams
    original = params.__init__

    def lean(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.no_monitor = True
        self.include_log_monitor = False

    params.__init__ = lean
    try:
        yield
    finally:
        params.__init__ = original
