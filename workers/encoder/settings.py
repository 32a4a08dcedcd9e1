"""Where Triton is and how hard it may be pressed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from limner.language.errors import LimnerError

GRPC_PORT = 8001
MOST_ROWS = 1024  # max_batch_size in config.pbtxt


@dataclass(frozen=True)
class TritonSettings:
    """The keys of `batch_engine.triton` in feature_store.yaml.

    `url` is the gRPC address, host:port; several with commas between, or dns:///host:port for all addresses of a
    name, share the requests. `http_port` and `metrics_port` concern only a server started here by
    `limner triton up`. At most `in_flight` requests of up to `rows_per_request` texts (and
    `chars_per_request` characters) are outstanding. Each has `deadline_s` seconds and is sent up to
    `attempts` times, with growing pauses of about 30 s in all. `mend` allows a dead model process to be
    reloaded through the model-control API.
    """

    url: str = f"127.0.0.1:{GRPC_PORT}"
    http_port: int = 8000
    metrics_port: int = 8002
    rows_per_request: int = 256
    chars_per_request: int = 1_000_000
    in_flight: int = 4
    deadline_s: float = 60.0
    attempts: int = 8
    mend: bool = True

    def __post_init__(self) -> None:
        for address in self.addresses:
            host, _, port = address.removeprefix("dns:///").rpartition(":")
            if not host or not port.isdigit():
                raise LimnerError(
                    f"triton url {self.url!r}: expected host:port of Triton's gRPC endpoint, e.g. 127.0.0.1:8001; "
                    "several with commas between"
                )
        for key in ("rows_per_request", "chars_per_request", "in_flight", "deadline_s", "attempts"):
            if getattr(self, key) <= 0:
                raise LimnerError(f"triton {key} {getattr(self, key)!r}: expected more than 0")

        if self.rows_per_request > MOST_ROWS:
            raise LimnerError(
                f"triton rows_per_request {self.rows_per_request}: the served model takes at most {MOST_ROWS}"
            )

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "TritonSettings":
        """Read settings; raises LimnerError naming an unknown key (and the nearest) or a wrong type."""
        types = {field.name: field.type for field in fields(cls)}
        for key, value in mapping.items():
            if key not in types:
                near = get_close_matches(key, types, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(types)}"
                raise LimnerError(f"unknown triton setting {key!r}: {hint}")
            expected = types[key]
            allowed = (int, float) if expected is float else expected
            if not isinstance(value, allowed) or (isinstance(value, bool) and expected is not bool):  # type: ignore[arg-type]
                raise LimnerError(f"triton {key} {value!r}: expected {getattr(expected, '__name__', expected)}")
        return cls(**mapping)

    def to_mapping(self) -> dict[str, Any]:
        """All keys with their values: what `from_mapping` reads."""
        return asdict(self)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses in `url`."""
        return tuple(address.strip() for address in self.url.split(","))

    @property
    def host(self) -> str:
        """The host of the first address."""
        return self.addresses[0].removeprefix("dns:///").rpartition(":")[0]

    @property
    def grpc_port(self) -> int:
        """The port of the first address."""
        return int(self.addresses[0].rpartition(":")[2])

    def at(self, grpc_port: int) -> "TritonSettings":
        """Return the same settings for a server on this machine at another gRPC port."""
        return replace(self, url=f"127.0.0.1:{grpc_port}")
