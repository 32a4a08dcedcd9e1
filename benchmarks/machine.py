"""What a figure depends on besides the code: the machine and the versions of what it runs on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "limner", "feast", "ray", "duckdb", "pyarrow", "numpy", "pandas", "torch", "transformers", "openvino",
    "sentence-transformers", "tritonclient",
)  # fmt: skip
_FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory, and the instruction sets that encoders profit from."""
    import psutil

    known = _cpu_info()
    flags = set(known.get("flags", known.get("Features", "")).split())
    return {
        "processor": known.get("model name", platform.processor() or platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gigabytes": round(psutil.virtual_memory().total / 1e9, 1),
        "instructions": [name for name in _FEATURES if name in flags],
        "gpu": gpu(),
    }


def versions() -> dict[str, str]:
    """By package, as far as installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def gpu() -> str | None:
    """How many NVIDIA GPUs of which model, as their driver says; None without a driver."""
    names = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    for path in names:
        for line in path.read_text().splitlines():
            if line.startswith("Model:"):
                return f"{len(names)} x {line.partition(':')[2].strip()}"
    return None


def _cpu_info() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
