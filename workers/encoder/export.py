"""Export an encoder as one ONNX graph: token ids and mask in, pooled vector out, or probabilities of classes.

Runs as a process of its own (`python -m limner.workers.encoder.export`), so that torch stays out of its
caller.
"""

import inspect
import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

OPSET = 17
HEAD = "head.safetensors"


def export_graph(source: Path, target: Path, pooling: str, normalize: bool) -> None:
    """Write `target`/graph.onnx, float32, with free batch and sequence dimensions."""
    import torch
    from transformers import AutoModel

    class Pooled(torch.nn.Module):
        """The encoder, pooling over unmasked tokens, and L2 normalization."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModel.from_pretrained(str(source), attn_implementation="eager").float().eval()
            self.head = read_head(source)
            self.typed = "token_type_ids" in inspect.signature(self.encoder.forward).parameters

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            types = {"token_type_ids": torch.zeros_like(input_ids)} if self.typed else {}
            hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **types).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
            if pooling == "cls":
                vectors = hidden[:, 0]
            elif pooling == "max":
                vectors = (hidden + (weights - 1) * 1e9).amax(1)
            else:
                vectors = (hidden * weights).sum(1) / weights.sum(1)
            if self.head is not None:
                return torch.softmax(self.head(vectors), dim=-1)
            return torch.nn.functional.normalize(vectors, dim=-1) if normalize else vectors

    ids = torch.randint(2, 10, (3, 17))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    free = {0: "rows", 1: "tokens"}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Pooled(),
            (ids, mask),
            str(target / "graph.onnx"),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={"input_ids": free, "attention_mask": free, "embedding": {0: "rows"}},
            opset_version=OPSET,
            dynamo=False,
        )


def read_head(source: Path) -> Any:
    """What makes probabilities of classes of a pooled vector, where `source` has it; else None."""
    import torch
    from safetensors.torch import load_file

    if not (source / HEAD).is_file():
        return None
    state = load_file(source / HEAD)
    head = torch.nn.Linear(state["weight"].shape[1], state["weight"].shape[0])
    head.load_state_dict(state)
    return head.eval()


def export_tokenizer(source: Path, target: Path) -> None:
    """Write `target`/tokenizer.json: a copy, or a conversion of the older formats."""
    if (source / "tokenizer.json").is_file():
        shutil.copyfile(source / "tokenizer.json", target / "tokenizer.json")
        return
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(source))
    tokenizer.backend_tokenizer.save(str(target / "tokenizer.json"))


def main() -> None:
    """Read one JSON object of arguments: source, target, pooling, normalize."""
    job = json.loads(sys.argv[1])
    source, target = Path(job["source"]), Path(job["target"])
    export_tokenizer(source, target)
    export_graph(source, target, job["pooling"], job["normalize"])


if __name__ == "__main__":
    main()
