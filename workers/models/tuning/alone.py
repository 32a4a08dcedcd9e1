"""Torch as a run of its own: its chance, its threads and its kernels do not depend on what ran before."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def alone(seed: int) -> Iterator[torch.device]:
    """Give the device to compute on, a GPU where there is one; leave torch as it was.

    One thread, because sums of several depend on their number: more workers use more cores.
    """
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if gpu else torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else CUDA's products are not reproducible
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    strict = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True, warn_only=gpu)  # not every kernel of a GPU has such a form
    torch.manual_seed(seed)
    try:
        yield device
    finally:
        torch.random.set_rng_state(state)
        torch.use_deterministic_algorithms(strict)
        torch.set_num_threads(threads)
