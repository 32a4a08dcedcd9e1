"""Where a training stands, in one file that is either whole or not there."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from limner.workers.history.files import write_atomic

_FILE = "checkpoint.safetensors"
Tensors = dict[str, torch.Tensor]
Parameters = Mapping[str, torch.Tensor]


@dataclass
class Progress:
    """Steps done, and how later texts fared: the least loss of an epoch, and the epochs since that were not better."""

    step: int = 0
    least: float | None = None
    worse: int = 0
    ended: bool = False


def save(folder: Path, progress: Progress, net: Parameters, optimizer: torch.optim.Optimizer, best: Tensors) -> None:
    """Keep what learns, its moments, and what was best; what does not learn is the encoder's own."""
    tensors = {f"net.{name}": tensor.detach() for name, tensor in net.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for name, parameter in net.items():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{key}.{name}"] = value
    said = {"progress": json.dumps(asdict(progress))}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomic(folder / _FILE, lambda path: save_file(plain, path, said))


def load(folder: Path, net: Parameters, optimizer: torch.optim.Optimizer, best: Tensors) -> Progress:
    """Set everything as it was when it was kept; from the beginning, where nothing is there."""
    path = folder / _FILE
    if not path.is_file():
        return Progress()
    with safe_open(path, "pt") as file:
        tensors: Mapping[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        said = file.metadata()
    for name, parameter in net.items():
        with torch.no_grad():
            parameter.copy_(tensors[f"net.{name}"])
        if f"best.{name}" in tensors:
            best[name] = tensors[f"best.{name}"]
        if f"exp_avg.{name}" in tensors:
            optimizer.state[parameter] = {
                "step": tensors[f"step.{name}"],
                **{key: tensors[f"{key}.{name}"].to(parameter.device) for key in ("exp_avg", "exp_avg_sq")},
            }
    return Progress(**json.loads(said["progress"]))


def remove(folder: Path) -> None:
    """A network that is complete needs no checkpoint."""
    (folder / _FILE).unlink(missing_ok=True)
