"""What a spec's precision means to OpenVINO on this processor: pure functions, tested without OpenVINO."""

from collections.abc import Sequence


def precision_hint(precision: str, capabilities: Sequence[str]) -> str:
    """OpenVINO's name for a spec's precision; `auto` is bf16 only where native (emulated it is slow)."""
    if precision == "auto":
        return "bf16" if "BF16" in capabilities else "f32"
    if precision == "float16" and "FP16" not in capabilities:
        raise ValueError("precision float16 needs a GPU; on this CPU choose auto, float32 or bfloat16")
    # The rest of an int8 graph is float32 everywhere: in bfloat16 it is no faster, and other processors have none.
    known = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "int8": "f32"}
    if precision not in known:
        raise ValueError(f"precision {precision!r}: expected auto, float32, bfloat16, float16 or int8")
    return known[precision]


def require_int8(cpuinfo: str) -> None:
    """Raise ValueError for a processor that has no dot product of int8: its sums would overflow where others' do not.

    `cpuinfo` is the text of /proc/cpuinfo.
    """
    native = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}
    if not native & set(cpuinfo.split()):
        raise ValueError("precision int8 needs a processor with VNNI, AMX or the dot products of ARM: choose auto")
