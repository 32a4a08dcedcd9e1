"""Settings are read strictly."""

import pytest

from limner.language.errors import LimnerError
from limner.workers.encoder.settings import TritonSettings


def test_settings_survive_a_round_trip() -> None:
    """What is written is what is read."""
    settings = TritonSettings.from_mapping({"url": "gpu.internal:9001", "in_flight": 8, "deadline_s": 30})
    assert TritonSettings.from_mapping(settings.to_mapping()) == settings
    assert (settings.host, settings.grpc_port) == ("gpu.internal", 9001)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"in_fligt": 4}, "unknown triton setting 'in_fligt': did you mean 'in_flight'?"),
        ({"zzz": 4}, "expected one of url, "),
        ({"in_flight": "4"}, "triton in_flight '4': expected int"),
        ({"in_flight": True}, "triton in_flight True: expected int"),
        ({"in_flight": 0}, "triton in_flight 0: expected more than 0"),
        ({"url": "localhost"}, "triton url 'localhost': expected host:port"),
        ({"rows_per_request": 2048}, "at most 1024"),
    ],
)
def test_a_wrong_setting_is_named(mapping: dict[str, object], words: str) -> None:
    """With the nearest valid name, or the type expected."""
    with pytest.raises(LimnerError) as caught:
        TritonSettings.from_mapping(mapping)
    assert words in str(caught.value)
