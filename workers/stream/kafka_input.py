"""Events from Kafka: a topic a source, read by a consumer group; a record is an event, its value the JSON object.

A record is committed when it has happened, and all before it in its partition have. What was not, because its worker
died or its partition went to another worker, comes again; ids make it count once. No more is fetched than a bounded
queue holds: a worker that is behind leaves the rest where it is.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from limner.language.errors import LimnerError
from limner.workers.stream.events import Raw
from limner.workers.stream.inputs import Batch, Member, Sharing, Told
from limner.workers.stream.kafka_letters import Letters
from limner.workers.stream.kafka_settings import VARIABLE, KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

PREFIX = "events."
DEAD = ".dead"
_CONNECT = 10.0  # seconds
_AGAIN = 2.0  # seconds until a commit that failed is tried again
_SAID = 30.0  # seconds for which a trouble that goes on is not told again
Partition = tuple[str, int]  # topic, number
log = logging.getLogger("limner.kafka")
log.addHandler(logging.NullHandler())  # what matters is told as an error; the rest is for who configures logging


@dataclass
class _Given:
    """A batch that was given, by partition the offset behind its last record, and what of `done` is done."""

    batch: Batch
    behind: dict[Partition, int]
    told: bool = False
    done: bool = False


@dataclass
class Kafka:
    """The topics `events.SOURCE`; what cannot be taken goes to `events.SOURCE.dead`, with its reason.

    It joins its group when it is asked to go on: a worker that still reads histories keeps no partition from others.
    """

    url: str
    sources: Sequence[str]
    sharing: Sharing = Sharing.OWN
    _given: list[_Given] = field(default_factory=list)
    _taking: list["Message"] = field(default_factory=list)
    _assigned: set[Partition] | None = None  # None: the group has not said yet
    _ended: set[Partition] = field(default_factory=set)
    _troubles: "list[KafkaError]" = field(default_factory=list)
    _behind: dict[Partition, int] = field(default_factory=dict)  # the offsets that Kafka was told
    _refused: set[Partition] = field(default_factory=set)  # those of which it did not take it
    _committed: float = 0.0
    _said: float = -_SAID
    _took: int = 0

    def __post_init__(self) -> None:
        """Connect. LimnerError where that fails, or a topic is missing."""
        try:
            from confluent_kafka import Consumer
        except ImportError as error:
            raise LimnerError(
                "events from Kafka need the package confluent-kafka: `pip install 'limner[kafka]'`"
            ) from error
        self._settings = KafkaSettings.of(self.url)
        self._topics = {f"{PREFIX}{source}": source for source in self.sources}
        with self._explained():
            self._consumer: Consumer = Consumer(
                {
                    **self._settings.consumer,
                    "error_cb": self._trouble,
                    "on_commit": self._on_commit,
                    "logger": log,
                }
            )
            try:
                self._look()
                self._letters = Letters(
                    {**self._settings.producer, "error_cb": self._trouble, "logger": log},
                    {source: f"{topic}{DEAD}" for topic, source in self._topics.items()},
                )
                self._letters.make_topics(self._exists)
                self._troubles.clear()
            except BaseException:
                self._consumer.close()
                raise

    @property
    def name(self) -> str:
        """The group's coordinator keeps the position."""
        return self._settings.shown

    @property
    def exhausted(self) -> bool:
        """Whether the ends of all partitions that the group leaves to this worker were reached the last time."""
        return self._took == 0 and self._assigned is not None and self._assigned <= self._ended

    def go_on(self, position: str | None, member: Member) -> None:
        """Join the group; it knows what was committed."""
        with self._explained():
            self._consumer.subscribe(
                list(self._topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
            )

    def take(self, most: int, seconds: float) -> Batch:
        """Records that are there, in the order of each partition; waits so long for the first one.

        A trouble that goes on is told once; taking goes on beside it, and so does what falls due without an event.
        """
        deadline = time.monotonic() + seconds
        with self._explained():
            while len(self._taking) < most:
                wait = 0.0 if self._taking else max(0.0, deadline - time.monotonic())
                message = self._consumer.poll(wait)
                if message is not None:
                    self._sort(message)
                elif wait == 0.0 or time.monotonic() >= deadline:
                    break
        behind = {(_topic(each), _number(each)): _offset(each) + 1 for each in self._taking}
        batch = Batch([Raw(self._topics[_topic(each)], each.value() or b"") for each in self._taking])
        self._took, self._taking = len(self._taking), []
        if behind:
            self._troubles.clear()
            self._given.append(_Given(batch, behind))
        else:
            if self._refused and time.monotonic() - self._committed > _AGAIN:
                with self._explained():
                    self._commit({})
            self._tell()
        return batch

    def done(self, batch: Batch, told: Told) -> None:
        """Tell of what was set aside, then commit; not what others have by now: it comes to them again."""
        given = next((each for each in self._given if each.batch is batch), None)
        if given is None:
            return
        with self._explained():
            if not given.told:
                self._letters.send(told.letters)
                given.told = True
            given.done = True
            happened = 0
            behind: dict[Partition, int] = {}
            for each in self._given:  # a commit counts for all that is before it in a partition
                if not each.done:
                    break
                happened += 1
                behind |= each.behind
            self._commit(behind)
            del self._given[:happened]

    def close(self) -> None:
        """Leave the group: others have the partitions at once."""
        self._consumer.close()

    def _commit(self, behind: dict[Partition, int]) -> None:
        """Without waiting: what is not committed comes again, and a coordinator that is away may be so for minutes."""
        from confluent_kafka import TopicPartition

        self._behind |= behind
        behind |= {each: self._behind[each] for each in self._refused}
        self._refused.clear()
        if behind:
            self._committed = time.monotonic()
            offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in sorted(behind.items())]
            self._consumer.commit(offsets=offsets, asynchronous=True)

    def _on_commit(self, error: "KafkaError | None", partitions: "Sequence[TopicPartition]") -> None:
        for each in partitions:
            wrong, where = error or each.error, (each.topic, each.partition)
            if wrong is not None and not _taken_away(wrong):
                self._trouble(wrong)
                if where in self._behind:
                    self._refused.add(where)

    def _sort(self, message: "Message") -> None:
        from confluent_kafka import KafkaError, KafkaException

        error = message.error()
        if error is None:
            self._ended.discard((_topic(message), _number(message)))
            self._taking.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._ended.add((_topic(message), _number(message)))
        elif error.code() != KafkaError._MAX_POLL_EXCEEDED:  # it joins again by itself, and its records come again
            raise KafkaException(error)  # what was taken until now is given the next time

    def _on_assign(self, _: "Consumer", partitions: Iterable["TopicPartition"]) -> None:
        self._assigned = (self._assigned or set()) | {(each.topic, each.partition) for each in partitions}

    def _on_revoke(self, _: "Consumer", partitions: Iterable["TopicPartition"]) -> None:
        """Forget what was taken of partitions that go to others, and may come back with the same records."""
        gone = {(each.topic, each.partition) for each in partitions}
        self._assigned = ((self._assigned or set()) - gone) or None
        self._ended -= gone
        self._taking = [each for each in self._taking if (_topic(each), _number(each)) not in gone]
        for each in gone:
            self._behind.pop(each, None)
        self._refused -= gone
        for given in self._given:
            given.behind = {each: offset for each, offset in given.behind.items() if each not in gone}

    def _look(self) -> None:
        for topic in self._topics:
            if not self._exists(topic):
                raise LimnerError(
                    f"there is no topic {topic} at {self._settings.shown}: create it, with as many partitions as there "
                    "may be workers"
                )

    def _exists(self, topic: str) -> bool:
        from confluent_kafka import KafkaError, KafkaException

        found = self._consumer.list_topics(topic, timeout=_CONNECT).topics.get(topic)
        if found is not None and found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaException(found.error)
        return found is not None and found.error is None and bool(found.partitions)

    def _trouble(self, error: "KafkaError") -> None:
        """Of a broker or a connection; librdkafka goes on trying."""
        log.warning("%s", error)
        self._troubles.append(error)

    def _tell(self) -> None:
        """LimnerError for a trouble that has not been told of lately; one connection that is lost is none."""
        from confluent_kafka import KafkaError

        if all(each.code() == KafkaError._TRANSPORT for each in self._troubles):
            return
        troubles, moment = self._told(), time.monotonic()
        if moment - self._said >= _SAID:
            self._said = moment
            raise self._problem(troubles)

    def _told(self) -> str:
        """What is in the way, each trouble once; then it is forgotten."""
        troubles, self._troubles = self._troubles, []
        return "; ".join(dict.fromkeys(each.str() for each in troubles))

    def _problem(self, text: str) -> LimnerError:
        return LimnerError(self._settings.hidden(f"events of {self._settings.shown}: {text}; see that the brokers run"))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from confluent_kafka import KafkaError, KafkaException

        try:
            yield
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            if cause.code() == KafkaError._INVALID_ARG:
                raise LimnerError(self._settings.hidden(f"{VARIABLE}…: {cause.str()}")) from None
            self._troubles.insert(0, cause)
            raise self._problem(self._told()) from None


def _taken_away(error: "KafkaError") -> bool:
    """Whether a commit fails because the partitions are, or are about to be, another worker's."""
    from confluent_kafka import KafkaError

    return error.code() in {
        KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.STALE_MEMBER_EPOCH, KafkaError.FENCED_MEMBER_EPOCH, KafkaError._ASSIGNMENT_LOST,
    }  # fmt: skip


def _topic(message: "Message") -> str:
    return str(message.topic())


def _number(message: "Message") -> int:
    number: Any = message.partition()
    return int(number)


def _offset(message: "Message") -> int:
    offset: Any = message.offset()
    return int(offset)
