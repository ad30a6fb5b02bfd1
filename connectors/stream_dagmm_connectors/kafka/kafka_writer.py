"""The `Writer` of kafka-python.

Its transactional calls wait for the brokers without end, so they run on a thread of their own and
are given up after a while; whatever one of them then did, the next writer of the same transactional
id ends that transaction before anything else.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError, UnknownError

from stream_dagmm_connectors.kafka.client import (
    Aborted,
    Fatal,
    NotYet,
    Offsets,
    Outgoing,
    Undecided,
)
from stream_dagmm_connectors.kafka.connection import Connection, Timing
from stream_dagmm_connectors.kafka.deadline import Deadline
from stream_dagmm_connectors.kafka.errors import classify, told
from stream_dagmm_connectors.kafka.kafka_records import to_commit

MAX_REQUEST_BYTES = 4 << 20
"""Beyond any record of ours; what a topic takes is the broker's to say."""


class KafkaWriter:
    """One producer, transactional where it has an id."""

    def __init__(
        self, connection: Connection, timing: Timing, transactional_id: str | None
    ) -> None:
        self._answer_s = timing.answer_timeout_ms / 1000
        self._transactional = transactional_id is not None
        self._sent: list[Any] = []
        self._used = False
        own = {"transactional_id": transactional_id} if self._transactional else {}
        try:
            self._producer = KafkaProducer(
                **connection.options(),
                **own,
                transaction_timeout_ms=timing.transaction_timeout_ms,
                acks="all",
                metrics_enabled=False,
                allow_auto_create_topics=False,
                max_request_size=MAX_REQUEST_BYTES,
                batch_size=256 << 10,
                linger_ms=5,
                max_block_ms=timing.answer_timeout_ms,
                request_timeout_ms=timing.answer_timeout_ms,
                delivery_timeout_ms=2 * timing.answer_timeout_ms,
            )
        except KafkaError as error:
            raise _of(error, NotYet) from error
        self._calls = Deadline()

    def start(self) -> None:
        """End what the last writer left open; `NotYet` while the brokers are at it."""
        if not self._transactional:
            return
        try:
            self._producer.init_transactions()
        except KafkaError as error:
            raise _of(error, NotYet) from error

    def begin(self) -> None:
        """Open a transaction."""
        if self._transactional:
            self._call(self._producer.begin_transaction, Aborted)

    def send(self, records: Iterable[Outgoing]) -> None:
        """Hand records over."""
        try:
            for place, run in itertools.groupby(records, lambda record: record.place):
                self._hand_over(TopicPartition(*place), run)
        except KafkaError as error:
            raise _of(self._behind(error), Aborted) from error
        except ValueError as error:  # an unknown partition
            # Added since this producer last looked, which the next one will see; or not there.
            raise (Aborted if self._used else Fatal)(str(error)) from error

    def _hand_over(self, to: TopicPartition, run: Iterator[Outgoing]) -> None:
        """The first of a partition as people send records: that looks up the partition, makes it
        part of the transaction, and says what is wrong. The others where that ends, without
        looking again: a third of all that kafka-python takes for a record with headers."""
        first, sent = next(run), self._sent
        sent.append(
            self._producer.send(
                to.topic,
                value=first.value,
                key=first.key,
                headers=list(first.headers),
                partition=to.partition,
                timestamp_ms=first.timestamp_ms,
            )
        )
        append = self._producer._accumulator.append
        for record in run:
            future, _, begun, _ = append(
                to, record.timestamp_ms, record.key, record.value, record.headers
            )
            sent.append(future)
            if begun:  # so the batch before is full
                self._producer._sender.wakeup()

    def settle(self) -> list[int]:
        """Offsets of all that was sent; every single record's answer is looked at, since a
        fenced producer says nothing elsewhere."""
        sent, self._sent = self._sent, []
        try:
            # It loses sight of a batch that the broker found too large and that was parted; the
            # answers of its records tell which of them is.
            with contextlib.suppress(UnknownError):
                self._producer.flush(timeout=self._answer_s)
            offsets = [future.get(timeout=self._answer_s).offset for future in sent]
        except KafkaError as error:
            raise _of(self._behind(error), Aborted) from error
        self._used = self._used or bool(offsets)
        return offsets

    def send_offsets(self, offsets: Offsets, membership: object) -> None:
        """Offsets into the transaction."""
        if not self._transactional:
            return
        told_offsets = to_commit(offsets)
        self._call(
            lambda: self._producer.send_offsets_to_transaction(told_offsets, membership), Aborted
        )

    def commit(self) -> None:
        """Commit; whatever goes wrong here, the outcome is open."""
        if self._transactional:
            self._call(self._producer.commit_transaction, Undecided)

    def abort(self) -> None:
        """Give the transaction up."""
        self._sent = []
        if self._transactional:
            self._call(self._producer.abort_transaction, Aborted)

    def close(self) -> None:
        """Release it at once."""
        self._calls.stop()
        try:
            self._producer.close(timeout=0)
        except KafkaError:
            # It refuses to close over unsent records, and would go on sending them.
            self._producer._sender.force_close()

    def _behind(self, error: KafkaError) -> KafkaError:
        """What a transaction went wrong over, where an error only says that it did."""
        manager = self._producer._transaction_manager
        first = None if manager is None else manager.last_error
        telling = isinstance(first, KafkaError) and classify(first) == "fatal"
        return first if telling and classify(error) == "abortable" else error

    def _call(self, call: Callable[[], None], failed: type[Aborted] | type[Undecided]) -> None:
        try:
            self._calls.run(call, self._answer_s)
        except KafkaError as error:
            raise _of(self._behind(error), failed) from error
        except TimeoutError as error:
            raise failed(str(error)) from error


def _of(error: KafkaError, otherwise: type[Exception]) -> Exception:
    return Fatal(told(error)) if classify(error) == "fatal" else otherwise(told(error))
