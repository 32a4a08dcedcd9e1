"""Where a tuning computes: a run of its own, on a GPU where there is one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from limner.workers import alone as anywhere


@contextmanager
def alone(seed: int) -> Iterator[torch.device]:
    """Give the device to compute on; leave torch as it was. More workers use more cores."""
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if gpu else torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else CUDA's products are not reproducible
    with anywhere.alone(seed, warn_only=gpu):  # not every kernel of a GPU has such a form
        yield device
