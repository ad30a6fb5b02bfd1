"""The `Writer` of confluent-kafka.

Its transactional calls take a time-out, and yet `send_offsets_to_transaction` of librdkafka 2.16
was seen to wait without end after a connection was cut; so they run on a thread and are given up.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from stream_dagmm_connectors.kafka.client import (
    Aborted,
    Fatal,
    Offsets,
    Outgoing,
    Place,
    Trouble,
    Undecided,
)
from stream_dagmm_connectors.kafka.confluent_options import (
    LOG,
    configuration,
    of,
    sorted_out,
    trouble,
)
from stream_dagmm_connectors.kafka.confluent_records import place_of
from stream_dagmm_connectors.kafka.connection import Connection, Timing
from stream_dagmm_connectors.kafka.deadline import Deadline

GRACE_S = 1.0
"""Beyond its own time-out a call gets so long."""
TOLD_S = 0.5
"""A producer that is destroyed while it tells the coordinator of a partition takes the process with
it (librdkafka 2.16: `txn_req_cnt > 0` in rdkafka_txnmgr.c), so that is over before."""
MAX_REQUEST_BYTES = 4 << 20
"""Beyond any record of ours; what a topic takes is the broker's to say."""


class ConfluentWriter:
    """One producer, transactional where it has an id."""

    def __init__(
        self, connection: Connection, timing: Timing, transactional_id: str | None
    ) -> None:
        self._answer_s = timing.answer_timeout_ms / 1000
        self._transactional = transactional_id is not None
        self._sent: list[Place] = []
        self._arrived: defaultdict[Place, deque[int]] = defaultdict(deque)
        self._refused: KafkaError | None = None
        self._used = False
        own: dict[str, Any] = {"message.timeout.ms": 2 * timing.answer_timeout_ms}
        if transactional_id is not None:
            own = {
                "transactional.id": transactional_id,
                "transaction.timeout.ms": timing.transaction_timeout_ms,
            }
        self._calls = Deadline()
        self._producer = Producer(
            {
                **configuration(connection),
                "enable.idempotence": True,
                "message.max.bytes": MAX_REQUEST_BYTES,
                "batch.size": 256 << 10,
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
                **own,
            },
            logger=LOG,
        )

    def start(self) -> None:
        """End what the last writer left open; `NotYet` while the brokers are at it."""
        if self._transactional:
            self._call(lambda: self._producer.init_transactions(self._answer_s))

    def begin(self) -> None:
        """Open a transaction."""
        if self._transactional:
            self._call(self._producer.begin_transaction)

    def send(self, records: Iterable[Outgoing]) -> None:
        """Hand records over."""
        with sorted_out():
            self._hand_over(records)

    def _hand_over(self, records: Iterable[Outgoing]) -> None:
        produce, sent, arrived = self._producer.produce, self._sent, self._on_delivery
        for record in records:
            while True:
                try:
                    produce(
                        record.place.topic,
                        value=record.value,
                        key=record.key,
                        partition=record.place.partition,
                        on_delivery=arrived,
                        timestamp=record.timestamp_ms or 0,
                        headers=list(record.headers),
                    )
                except BufferError:
                    self._producer.poll(0.1)
                    continue
                except KafkaException as error:
                    if self._passes(of(error).code()):
                        raise Aborted(of(error).str()) from error
                    raise
                sent.append(record.place)
                break
        self._producer.poll(0)

    def _passes(self, code: int) -> bool:
        """Whether a new producer may send what this one refuses: it was fenced while it slept,
        which is the end of the producer, not of the process; or a partition was added since it
        last looked."""
        return code == KafkaError._FATAL or (self._used and code == KafkaError._UNKNOWN_PARTITION)

    def settle(self) -> list[int]:
        """Offsets of all that was sent; `Aborted` where some of it did not arrive."""
        sent, self._sent = self._sent, []
        with sorted_out():
            left = self._producer.flush(self._answer_s)
        if self._refused is not None:
            if self._transactional:
                # Records are only told to be thrown away; to begin within a transaction is always
                # refused, and in the words of what it went wrong over.
                self._call(self._producer.begin_transaction)
            raise trouble(self._refused)
        if left:
            raise Aborted(f"{left} records were not acknowledged within {self._answer_s:g} s")
        # Of one partition they arrive in the order in which they were sent.
        offsets = [self._arrived[place].popleft() for place in sent]
        self._arrived.clear()
        self._used = self._used or bool(offsets)
        return offsets

    def send_offsets(self, offsets: Offsets, membership: object) -> None:
        """Offsets into the transaction."""
        if self._transactional:
            told = [TopicPartition(*place, c.offset, c.metadata) for place, c in offsets.items()]
            ask: Any = self._producer.send_offsets_to_transaction
            self._call(lambda: ask(told, membership, self._answer_s))

    def commit(self) -> None:
        """Commit; whatever goes wrong here, the outcome is open."""
        if self._transactional:
            self._call(lambda: self._producer.commit_transaction(self._answer_s), Undecided)

    def abort(self) -> None:
        """Give the transaction up."""
        self._sent = []
        if self._transactional:
            self._call(lambda: self._producer.abort_transaction(self._answer_s))

    def close(self) -> None:
        """Release it at once: what it still holds is thrown away, or sent and never committed."""
        self._calls.stop()
        with contextlib.suppress(Trouble), sorted_out():
            if self._transactional and len(self._producer):
                self._producer.flush(TOLD_S)
            self._producer.purge(in_queue=True, in_flight=True, blocking=False)
            self._producer.poll(0)

    def _call(self, call: Callable[[], object], otherwise: type[Trouble] = Aborted) -> None:
        try:
            with sorted_out(otherwise):
                self._calls.run(call, self._answer_s + GRACE_S)
        except TimeoutError as error:
            raise otherwise(str(error)) from error
        except Fatal:
            raise
        except Trouble as error:
            if self._refused is not None:  # what a transaction went wrong over says more
                raise trouble(self._refused, otherwise) from error
            raise otherwise(str(error)) if otherwise is Undecided else error from error

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._arrived[place_of(message)].append(message.offset() or 0)
        elif self._refused is None:
            self._refused = error
