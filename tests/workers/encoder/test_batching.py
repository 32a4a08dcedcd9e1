"""Micro-batches: pure functions of the served model, loaded from its file as Triton does."""

import importlib.util
from types import ModuleType

from hypothesis import given
from hypothesis import strategies as st

from limner.workers.encoder.repository import templates


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("batching", templates() / "bert_encoder" / "1" / "batching.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


batching = load()
LENGTHS = st.lists(st.integers(1, 256), min_size=1, max_size=300).map(lambda lengths: sorted(lengths, reverse=True))


@given(st.integers(1, 8192))
def test_a_length_is_rounded_up_to_a_bucket_of_its_own(tokens: int) -> None:
    """A bucket holds its text, wastes little, and is its own bucket."""
    bucket = batching.length_bucket(tokens)
    assert tokens <= bucket <= max(4, tokens + 31)
    assert batching.length_bucket(bucket) == bucket


@given(LENGTHS, st.sampled_from([128, 512, 1024]), st.integers(1, 2))
def test_each_micro_batch_is_of_a_warmed_shape(lengths: list[int], budget: int, streams: int) -> None:
    """All texts are covered in order, by shapes that were compiled before the model was ready."""
    warmed = set(batching.shapes(256, budget))
    start = 0
    for rows in batching.cut_bucketed(lengths, budget, streams):
        assert (rows, batching.length_bucket(lengths[start])) in warmed
        start += rows
    assert start == len(lengths)


def test_cutting_costs_least_in_padding_and_launches() -> None:
    """Against every possible cut of a few texts."""
    lengths = [40, 33, 20, 9, 5, 5, 4]

    def cost(cuts: list[int]) -> int:
        total, start = 0, 0
        for rows in cuts:
            total += rows * batching.length_bucket(lengths[start]) + batching.LAUNCH_COST
            start += rows
        return total

    def all_cuts(left: int) -> list[list[int]]:
        if left == 0:
            return [[]]
        return [[rows, *rest] for rows in batching.ROW_BUCKETS if rows <= left for rest in all_cuts(left - rows)]

    assert cost(batching.cut_bucketed(lengths, 512, 1)) == min(
        cost(cuts) for cuts in all_cuts(len(lengths)) if fits(cuts, lengths, sum(lengths))
    )


def fits(cuts: list[int], lengths: list[int], cap: int) -> bool:
    """Whether each batch is within the cap a small request gets."""
    start = 0
    for rows in cuts:
        if rows > 1 and rows * batching.length_bucket(lengths[start]) > cap:
            return False
        start += rows
    return True


@given(LENGTHS, st.integers(256, 4096))
def test_a_gpu_batch_keeps_within_its_token_budget(lengths: list[int], budget: int) -> None:
    """Longest times rows stays within the budget, unless one text alone is longer."""
    start = 0
    for rows in batching.cut_by_budget(lengths, budget):
        assert rows == 1 or rows * lengths[start] <= budget
        start += rows
    assert start == len(lengths)
