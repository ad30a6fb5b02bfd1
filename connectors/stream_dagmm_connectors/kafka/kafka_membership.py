"""Membership in a group with kafka-python: its callbacks, and what it keeps to itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer

from stream_dagmm_connectors.kafka.client import Listener, Place


def finish_joining(consumer: KafkaConsumer) -> None:
    """Bring a rebalance that began to its end. One that begins because partitions were added is
    forgotten by kafka-python 3.0 when a poll ends before the answer comes: it looks as if nothing
    had changed, no heart beats, and the partitions never arrive."""
    coordinator = consumer._coordinator
    with coordinator._lock:
        if coordinator.rejoining:
            coordinator.request_rejoin()


def displaced(consumer: KafkaConsumer) -> bool:
    """Whether the coordinator told a heartbeat that another process has this one's name.
    kafka-python 3.0 then stops beating without a word, and goes on fetching what belongs to it."""
    coordinator = consumer._coordinator
    with coordinator._lock:
        member = coordinator.stable() and not coordinator.need_rejoin()
        return bool(member and not coordinator._heartbeat_enabled)


class Relay(ConsumerRebalanceListener):  # type: ignore[misc]
    """Holds new partitions still before anything of them can be fetched, then passes on."""

    def __init__(self, consumer: Any, listener: Listener) -> None:
        self._consumer = consumer
        self._listener = listener
        self.calling = False
        """Whether partitions are being revoked at this moment."""

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        for place in assigned:
            self._consumer.pause(place)
            # Some position, or this very poll would ask for one and find none committed.
            self._consumer.seek(place, 0)
        self._listener.on_assigned([Place(*place) for place in assigned])

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self.calling = True
        try:
            self._listener.on_revoked([Place(*place) for place in revoked])
        finally:
            self.calling = False

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        self._listener.on_lost([Place(*place) for place in lost])
