"""An encoder with a head of classes: made of a transformers folder, and made one again."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from limner.workers.encoder import export
from limner.workers.encoder.export import export_tokenizer

CONFIG, WEIGHTS, HEAD, TOKENIZER = "config.json", "model.safetensors", export.HEAD, "tokenizer.json"
FILES = (CONFIG, WEIGHTS, HEAD, TOKENIZER)
DROPPED = 0.1
SPREAD = 0.02  # of a head's first weights, as in BERT


class Network(torch.nn.Module):
    """Token ids and mask [rows, tokens] to scores [rows, classes]: the encoder, its pooling, a weighted sum."""

    def __init__(self, encoder: Any, pooling: str, dim: int, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.drop = torch.nn.Dropout(DROPPED)
        self.head = torch.nn.Linear(dim, classes)
        torch.nn.init.normal_(self.head.weight, std=SPREAD)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """[rows, classes] scores."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        scores: torch.Tensor = self.head(self.drop(pooled(hidden, mask, self.pooling)))
        return scores


def pooled(hidden: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """[rows, dim] of [rows, tokens, dim], over the tokens that the mask leaves."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "max":
        return hidden.masked_fill(weights == 0, float("-inf")).amax(1)
    return (hidden * weights).sum(1) / weights.sum(1)


def load(folder: Path, pooling: str, classes: int) -> Network:
    """The encoder in `folder`, with a new head."""
    from transformers import AutoModel
    from transformers.utils import logging as reports

    logging: Any = reports
    logging.set_verbosity_error()  # it reports a pooler that there is not, and moves a bar
    logging.disable_progress_bar()
    encoder = AutoModel.from_pretrained(str(folder)).float()
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # its vectors are pooled of the last layer
    return Network(encoder, pooling, int(encoder.config.hidden_size), classes)


def adapt(net: Network, rank: int) -> None:
    """Let only low-rank additions to the encoder's linear layers learn, and the head (E. Hu and others, 2021)."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=DROPPED, target_modules="all-linear", bias="none"
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it asks transformers by a name that has been replaced
        net.encoder = get_peft_model(net.encoder, config)


def merged(net: Network) -> Network:
    """The network with the additions in its weights: it computes what it did, as fast as an encoder does."""
    if hasattr(net.encoder, "merge_and_unload"):
        net.encoder = net.encoder.merge_and_unload()
    return net


def write(net: Network, source: Path, target: Path) -> None:
    """Write the files that serve a merged network; the tokenizer is that of `source`, and so is what config says."""
    config = json.loads((source / CONFIG).read_text(encoding="utf-8"))
    config = {key: value for key, value in config.items() if key not in ("torch_dtype", "_name_or_path")}
    text = json.dumps(config | {"dtype": "float32"}, sort_keys=True, indent=1)
    (target / CONFIG).write_text(text, encoding="utf-8")
    save_file(_plain(net.encoder), target / WEIGHTS, {"format": "pt"})
    save_file(_plain(net.head), target / HEAD, {"format": "pt"})
    export_tokenizer(source, target)


def _plain(module: Any) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = module.state_dict()
    return {name: state[name].detach().cpu().clone().contiguous() for name in sorted(state)}
