"""An exported graph in int8: weights and activations, calibrated with texts that never change.

Runs in the models' environment as a script of its own (`python quantize.py`, a JSON object on standard input), so it
imports nothing of Limner.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["NNCF_CI"] = "1"  # else NNCF tells its makers of each use


def quantized(graph: Path, feeds: list[dict[str, Any]], smoothing: float) -> Any:
    """The OpenVINO model of `graph`, quantized as NNCF does it for transformers."""
    import nncf
    import openvino as ov
    from nncf.quantization import advanced_parameters as advanced

    return nncf.quantize(
        ov.Core().read_model(str(graph)),
        nncf.Dataset(feeds),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        subset_size=len(feeds),
        advanced_parameters=advanced.AdvancedQuantizationParameters(
            smooth_quant_alphas=advanced.AdvancedSmoothQuantParameters(matmul=smoothing)
        ),
    )


def fed(tokenizer: Path, texts: list[str], max_tokens: int) -> Iterator[dict[str, Any]]:
    """One text a feed: without padding, nothing but the text decides what is seen."""
    import numpy as np
    from tokenizers import Tokenizer

    reader = Tokenizer.from_file(str(tokenizer))
    reader.no_padding()
    reader.enable_truncation(max_length=max_tokens)
    for text in texts:
        ids = np.array([reader.encode(text).ids], np.int64)
        yield {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def main() -> None:
    """Read folder, texts, max_tokens: quantize folder/graph.onnx to folder/graph.xml and graph.bin."""
    job = json.load(sys.stdin)
    folder = Path(job["folder"])
    import openvino as ov

    feeds = list(fed(folder / "tokenizer.json", job["texts"], job["max_tokens"]))
    model = quantized(folder / "graph.onnx", feeds, job["smoothing"])
    ov.save_model(model, str(folder / "graph.xml"), compress_to_fp16=False)


if __name__ == "__main__":
    main()
