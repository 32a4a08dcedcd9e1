"""How Kafka is reached: what may be set, where it comes from, and that no secret is ever told."""

import sys
from pathlib import Path

import pytest

from limner.language.errors import LimnerError
from limner.workers.stream.kafka_input import Kafka
from limner.workers.stream.kafka_letters import shortened
from limner.workers.stream.kafka_settings import KafkaSettings


def test_an_address_has_servers_and_nothing_else() -> None:
    """A name and password in it would be in the list of processes, and in the ledger."""
    found = KafkaSettings.of("kafka://one:9093,two", {})
    assert found.consumer["bootstrap.servers"] == found.producer["bootstrap.servers"] == "one:9093,two:9092"
    assert (found.shown, found.group) == ("kafka://one:9093,two:9092", "limner")
    for url in ("kafka:", "kafka://", "kafka://a,", "kafka://a/topic", "kafka://a?b=c"):
        with pytest.raises(LimnerError, match="expected kafka://HOST:PORT"):
            KafkaSettings.of(url, {})
    with pytest.raises(LimnerError, match="not for the command line") as error:
        KafkaSettings.of("kafka://joe:hunter2@host:9092", {})
    assert "hunter2" not in str(error.value)


def test_properties_come_from_a_file_and_the_environment(tmp_path: Path) -> None:
    """The environment goes first; what the promises of a stream hang on cannot be set."""
    file = tmp_path / "kafka.properties"
    file.write_text("# ours\nsecurity.protocol = SASL_SSL\nsasl.password=a=b\n\ngroup.id=shop\nfetch.wait.max.ms=5\n")
    environment = {"LIMNER_KAFKA_CONFIG": str(file), "LIMNER_KAFKA_SASL_USERNAME": "joe", "LIMNER_KAFKA_GROUP_ID": "x"}
    found = KafkaSettings.of("kafka://h", environment)
    assert found.consumer["sasl.password"] == found.producer["sasl.password"] == "a=b"
    assert found.producer["sasl.username"] == "joe"
    assert found.group == "x"
    assert found.consumer["enable.auto.commit"] == "false"
    assert not {"group.id", "fetch.wait.max.ms", "enable.auto.commit"} & found.producer.keys()
    assert found.hidden("wrong: a=b") == "wrong: ***"
    with pytest.raises(LimnerError, match=r"auto\.offset\.reset cannot be set: a new group begins with the oldest"):
        KafkaSettings.of("kafka://h", {"LIMNER_KAFKA_AUTO_OFFSET_RESET": "latest"})
    file.write_text("sasl.password\n")
    with pytest.raises(LimnerError, match=r"kafka\.properties:1: expected name=value"):
        KafkaSettings.of("kafka://h", environment)
    with pytest.raises(LimnerError, match="cannot read"):
        KafkaSettings.of("kafka://h", {"LIMNER_KAFKA_CONFIG": str(tmp_path / "none")})


def test_a_property_that_there_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By librdkafka; a secret beside it is not."""
    monkeypatch.setenv("LIMNER_KAFKA_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("LIMNER_KAFKA_SASL_PASWORD", "hunter2")
    with pytest.raises(LimnerError, match=r'No such configuration property: "sasl\.pasword"') as error:
        Kafka("kafka://127.0.0.1:1", ["a"])
    assert "hunter2" not in str(error.value)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few need Kafka."""
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(LimnerError, match=r"pip install 'limner\[kafka\]'"):
        Kafka("kafka://127.0.0.1:1", ["a"])


def test_a_letter_that_is_too_long_keeps_its_reason() -> None:
    """And the beginning of its event."""
    short = shortened('{"received": "now", "reason": "so", "event": "' + "x" * 100_000 + '"}')
    assert len(short) < 1200
    assert '"reason": "so"' in short
    assert '"shortened": true' in short
