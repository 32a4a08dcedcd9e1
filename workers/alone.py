"""Torch as a run of its own: what it computes does not depend on what ran before."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def alone(seed: int, *, warn_only: bool = False) -> Iterator[None]:
    """One thread, because sums of several depend on their number; its own chance; and torch left as it was.

    An operation that has no reproducible form is an error; with `warn_only` a warning.
    """
    import torch

    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    strict = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True, warn_only=warn_only)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.random.set_rng_state(state)
        torch.use_deterministic_algorithms(strict)
        torch.set_num_threads(threads)
