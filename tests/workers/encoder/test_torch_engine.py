"""The engine for GPUs, on a CPU: all of it but the calls that only a GPU has."""

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.integration.tiny_bert import write_tiny_bert
from tests.served import served

torch_engine, encoder, replay = served("torch_engine"), served("encoder"), served("replay")
WAITING = {"_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select"}


class Seen(TorchDispatchMode):
    """Notes the name of each operation."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("torch_engine") / "tiny")


def engine(folder: Path, **options: object) -> Any:
    settings = encoder.Options(dim=32, max_tokens=32, precision="float32", threads=1, **options)
    return torch_engine.TorchEngine(folder, settings, "cpu")


def rows(count: int, seed: int = 1) -> list[list[int]]:
    """Token ids of texts of 2 to 32 tokens."""
    made = random.Random(seed)
    return [[2, *(made.randrange(5, 60) for _ in range(made.randrange(0, 30))), 3] for _ in range(count)]


def batches(engine: Any, tokens: list[list[int]]) -> Any:
    parts = SimpleNamespace(engine=engine, pad=0)
    return encoder.BertEncoder._batches(parts, tokens, range(len(tokens)))


def plain(folder: Path, tokens: list[list[int]]) -> np.ndarray:
    """Transformers, one text at a time, no padding."""
    from transformers import AutoModel

    bert = AutoModel.from_pretrained(str(folder)).float().eval()
    with torch.inference_mode():
        vectors = [bert(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0) for ids in tokens]
    return torch.nn.functional.normalize(torch.stack(vectors), dim=-1).numpy()


@pytest.mark.parametrize("budget", [32, 256, 0])
def test_batches_of_any_budget_give_what_transformers_gives(folder: Path, budget: int) -> None:
    tokens, made = rows(70), engine(folder, token_budget=budget)
    out = np.empty((70, 32), np.float32)
    made.run(batches(made, tokens), out, lone=False)
    np.testing.assert_allclose(out, plain(folder, tokens), atol=1e-5)


def test_nothing_waits_for_the_device_between_batches(folder: Path) -> None:
    """An operation whose result Python looks at would stop a GPU's queue: there is none, whether texts are padded or
    not."""
    made = engine(folder, token_budget=64)
    for tokens in (rows(40), [[2, 7, 3]] * 40):
        with Seen() as seen:
            made.run(batches(made, tokens), np.empty((40, 32), np.float32), lone=False)
        assert not WAITING & set(seen.names)
        assert seen.names.count("index_copy_") > 1


def test_a_mask_that_transformers_looks_at_is_seen_to_wait(folder: Path) -> None:
    """What the test above looks for is there to be found."""
    made = engine(folder)
    ids = torch.tensor([[2, 7, 3]])
    with torch.inference_mode(), Seen() as seen:
        made.model(input_ids=ids, attention_mask=torch.ones_like(ids))
    assert WAITING & set(seen.names)


def test_replays_give_the_same_and_record_each_shape_once(folder: Path) -> None:
    """A request is padded to a recorded shape; what an earlier one left in its memory does not show."""
    made = engine(folder)
    shapes: list[Callable[[], torch.Tensor]] = []

    def record(run: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
        shapes.append(run)
        return run

    replays = replay.Replays(made.vectors, torch.device("cpu"), record)
    replays.record(32, 4)
    assert len(shapes) == 3 * 8  # 1, 2 and 4 texts; lengths of 4, 8, ... 32
    for tokens in (rows(4, 2), rows(1, 3), rows(3, 4), rows(1, 5), rows(2, 6)):
        out = np.empty((len(tokens), 32), np.float32)
        for batch in batches(made, tokens):
            with torch.inference_mode():
                out[batch.index] = replays(batch.ids, batch.mask)
        np.testing.assert_allclose(out, plain(folder, tokens), atol=1e-5)
    assert len(shapes) == 3 * 8


def test_int8_is_refused_with_what_to_choose(folder: Path) -> None:
    with pytest.raises(ValueError, match="choose auto"):
        torch_engine.precision_type("int8", "cuda")
