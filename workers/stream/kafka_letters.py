"""The topics of the dead: what was set aside, with the reason, acknowledged by Kafka before anything is committed."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

_SECONDS = 10.0  # until letters must be acknowledged
_SHORT = 1000  # characters of an event whose letter is too long for its topic


class Letters:
    """Writes to a topic a source. Errors are KafkaException."""

    def __init__(self, settings: Mapping[str, Any], topics: Mapping[str, str]) -> None:
        """`topics` by source."""
        from confluent_kafka import Producer

        self._settings, self._topics = settings, topics
        self._producer = Producer({**settings, "message.timeout.ms": int(_SECONDS * 1000)})

    def make_topics(self, exists: Callable[[str], bool]) -> None:
        """Make those that are missing, as the brokers make topics by default. LimnerError where that is not allowed."""
        from confluent_kafka import KafkaError, KafkaException
        from confluent_kafka.admin import AdminClient
        from confluent_kafka.cimpl import NewTopic

        missing = [topic for topic in self._topics.values() if not exists(topic)]
        if not missing:
            return
        admin = AdminClient(dict(self._settings))
        for topic, answer in admin.create_topics([NewTopic(each, 1) for each in missing]).items():
            try:
                answer.result(_SECONDS)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise LimnerError(
                        f"there is no topic {topic} for events that are set aside, and it cannot be created: "
                        f"{error.args[0].str()}"
                    ) from error

    def send(self, letters: Sequence[tuple[str, str]]) -> None:
        """Lines by source; returns when they are acknowledged. They may come twice where this fails."""
        from confluent_kafka import KafkaError, KafkaException

        refused: list[tuple[KafkaError, str, str]] = []
        for source, line in letters:
            self._write(source, line, refused)
        self._wait()
        long = [each for each in refused if each[0].code() == KafkaError.MSG_SIZE_TOO_LARGE]
        refused[:] = [each for each in refused if each not in long]
        for _, source, line in long:
            self._write(source, shortened(line), refused)
        self._wait()
        if refused:
            raise KafkaException(refused[0][0])

    def _write(self, source: str, line: str, refused: "list[tuple[KafkaError, str, str]]") -> None:
        from confluent_kafka import KafkaException

        def answered(error: "KafkaError | None", _: "Message") -> None:
            if error is not None:
                refused.append((error, source, line))

        try:
            self._produce(self._topics[source], line.encode(), answered)
        except KafkaException as error:
            refused.append((error.args[0], source, line))

    def _produce(self, topic: str, value: bytes, answered: Callable[..., None]) -> None:
        while True:
            try:
                self._producer.produce(topic, value, on_delivery=answered)
            except BufferError:  # the queue is full: wait for some to be acknowledged
                self._producer.poll(0.1)
            else:
                return

    def _wait(self) -> None:
        from confluent_kafka import KafkaError, KafkaException

        if self._producer.flush(_SECONDS + 5):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def shortened(line: str) -> str:
    """A letter with the beginning of its event only."""
    letter = json.loads(line)
    return json.dumps({**letter, "event": letter["event"][:_SHORT], "shortened": True})
