"""What int8 depends on, and where it can be had."""

import pytest

from limner.workers.encoder.calibration import SENTENCES, TEXTS, calibration_identity, calibration_texts
from tests.served import served

precision = served("precision")


def test_what_int8_is_calibrated_with_does_not_change_by_accident() -> None:
    """A change is allowed: it gives each int8 encoder a new fingerprint, and its texts are encoded again."""
    assert calibration_identity() == "ed4f1c62b1032405ae3d462ad6a5b6256f18a7c382ba55cb8e126f977acd8647"


def test_each_sentence_is_seen_and_long_texts_are_among_them() -> None:
    texts = calibration_texts()
    assert len(texts) == len(set(texts)) == TEXTS
    assert set(SENTENCES) <= set(texts)
    assert max(map(len, texts)) > 600


@pytest.mark.parametrize(
    ("flags", "possible"),
    [
        ("fpu sse4_2 avx2 avx512f avx512_vnni", True),
        ("fpu avx2 avx_vnni", True),
        ("fp asimd asimddp", True),
        ("fpu sse4_2 avx2 avx512f", False),
    ],
)
def test_int8_is_refused_where_its_sums_would_overflow(flags: str, possible: bool) -> None:
    if possible:
        precision.require_int8(f"flags : {flags}")
        return
    with pytest.raises(ValueError, match="choose auto"):
        precision.require_int8(f"flags : {flags}")


def test_auto_is_bfloat16_only_where_it_is_native() -> None:
    assert precision.precision_hint("auto", ["FP32", "BF16"]) == "bf16"
    assert precision.precision_hint("auto", ["FP32"]) == "f32"
    with pytest.raises(ValueError, match="expected auto"):
        precision.precision_hint("half", ["FP32"])
