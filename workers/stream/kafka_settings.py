"""How to reach Kafka: the address that `--from` gives, and what is not for a command line: passwords, certificates.

Those are librdkafka's own properties, as lines `name=value` of the file that LIMNER_KAFKA_CONFIG names, or one by one
in the environment: LIMNER_KAFKA_SASL_PASSWORD is `sasl.password`. The environment goes before the file.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from limner.language.errors import LimnerError

VARIABLE = "LIMNER_KAFKA_"
FILE = f"{VARIABLE}CONFIG"
PORT = 9092
_DEFAULTS = {
    "group.id": "limner",
    "client.id": "limner",
    "session.timeout.ms": "10000",  # what a killed worker had goes to others that much later
    "heartbeat.interval.ms": "1000",  # and what is shared anew is told so often
    "partition.assignment.strategy": "cooperative-sticky",  # a worker that joins does not stop the others
    "queued.max.messages.kbytes": "16384",  # what is fetched ahead of the worker; then Kafka waits
    "socket.keepalive.enable": "true",
}
_OWN = {
    "bootstrap.servers": "`--from` says where it is",
    "enable.auto.commit": "events are committed when they have happened",
    "enable.auto.offset.store": "events are committed when they have happened",
    "enable.partition.eof": "the end of a topic is noticed",
    "auto.offset.reset": "a new group begins with the oldest event",
    "isolation.level": "events of transactions that were aborted are none",
}
_FIXED = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "enable.partition.eof": "true",
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
}
_CONSUMER = ("group.", "session.", "partition.", "queued.", "fetch.", "max.poll.", "heartbeat.")
_SECRETS = ("password", "secret", "ssl.key.pem", "sasl.oauthbearer.config", "assertion")


@dataclass(frozen=True)
class KafkaSettings:
    """librdkafka's properties for a consumer and a producer; `shown` is what may be said of the address."""

    shown: str
    consumer: Mapping[str, str]
    producer: Mapping[str, str]

    @classmethod
    def of(cls, url: str, environment: Mapping[str, str] | None = None) -> "KafkaSettings":
        """`kafka://HOST:PORT[,HOST:PORT]`. LimnerError where that, the file or a property cannot be."""
        environment = os.environ if environment is None else environment
        servers = ",".join(_servers(url))
        given = _file(environment.get(FILE)) | _variables(environment)
        for name in _OWN.keys() & given.keys():
            raise LimnerError(f"Kafka: {name} cannot be set: {_OWN[name]}")
        common = {"bootstrap.servers": servers} | _DEFAULTS | given
        producer = {name: value for name, value in common.items() if not name.startswith(_CONSUMER)}
        return cls(f"kafka://{servers}", common | _FIXED, {"enable.idempotence": "true", **producer})

    @property
    def group(self) -> str:
        """The consumer group."""
        return self.consumer["group.id"]

    def hidden(self, text: str) -> str:
        """A text without any secret that is among the properties."""
        for name, value in self.consumer.items():
            if value and any(each in name for each in _SECRETS):
                text = text.replace(value, "***")
        return text


def _servers(url: str) -> list[str]:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise LimnerError(
            "--from kafka://…: a name and password are not for the command line: put them into "
            f"{VARIABLE}SASL_USERNAME and {VARIABLE}SASL_PASSWORD, or into the file that {FILE} names"
        )
    servers = [each.strip() for each in parts.netloc.split(",")]
    if parts.scheme != "kafka" or not all(servers) or parts.path.strip("/") or parts.query or parts.fragment:
        raise LimnerError(f"--from {url}: expected kafka://HOST:PORT[,HOST:PORT]")
    return [each if each.rpartition(":")[2].isdigit() else f"{each}:{PORT}" for each in servers]


def _file(path: str | None) -> dict[str, str]:
    if not path:
        return {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LimnerError(f"{FILE}: cannot read {path}: {error}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise LimnerError(f"{FILE}: {path}:{number}: expected name=value, such as security.protocol=SASL_SSL")
        found[name.strip()] = value.strip()
    return found


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(VARIABLE).lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith(VARIABLE) and name != FILE
    }
