"""A Triton of a benchmark's own: installed once for the project, run from the benchmark's folder, on free ports."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from limner.benchmarks.ports import free_ports

if TYPE_CHECKING:
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.resolve import EncoderModel
    from limner.workers.encoder.settings import TritonSettings


@contextmanager
def own_triton(
    folder: Path, models: "Sequence[EncoderModel]", installed: Path | None
) -> "Iterator[tuple[TritonHome, TritonSettings]]":
    """Serve `models` from `folder` for the length of a block, beside any server that runs already.

    `installed` is a project whose Triton is lent, installed there if it is not yet; without one it is installed anew.
    """
    from limner.workers.encoder import serving
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.install import install
    from limner.workers.encoder.settings import TritonSettings

    home = TritonHome(folder)
    home.base.mkdir(parents=True)
    lender = TritonHome(installed or folder)
    install(lender)
    if installed is not None:
        home.server.symlink_to(lender.server.resolve())
        home.environment.symlink_to(lender.environment.resolve())
    grpc, http, metrics = free_ports(3)
    settings = TritonSettings(url=f"127.0.0.1:{grpc}", http_port=http, metrics_port=metrics)
    try:
        serving.up(home, settings, models)
        yield home, settings
    finally:
        serving.down(home)
