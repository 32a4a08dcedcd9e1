"""What a tuned network says of texts, asked in this process: to calibrate it, and to measure it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from limner.workers.derive.values import Array
from limner.workers.models.tuning import network
from limner.workers.models.tuning.alone import alone
from limner.workers.models.tuning.tokens import Tokens

ROWS = 64


def scores(folder: Path, pooling: str, max_tokens: int, texts: Sequence[str]) -> Array:
    """[texts, classes], computed in float32; batches are of texts of like length."""
    head = load_file(folder / network.HEAD)
    tokens = Tokens(folder, max_tokens)
    rows = tokens(texts)
    order = np.argsort([len(each) for each in rows], kind="stable")
    found = np.zeros((len(rows), len(head["bias"])))
    with alone(0) as device, torch.no_grad():
        net = network.load(folder, pooling, len(head["bias"]))
        net.head.load_state_dict(head)
        net.eval().to(device)
        for begin in range(0, len(order), ROWS):
            batch = order[begin : begin + ROWS]
            ids, mask = (torch.from_numpy(each).to(device) for each in tokens.filled([rows[each] for each in batch]))
            found[batch] = net(ids, mask).cpu().numpy()
    return found


def cooled(folder: Path, temperature: float) -> bytes:
    """The head's file, its scores divided by the temperature."""
    from safetensors.torch import save

    head = load_file(folder / network.HEAD)
    return save({name: head[name] / temperature for name in sorted(head)}, {"format": "pt"})
