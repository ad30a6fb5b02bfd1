"""Partitions that nobody owns, because a member with a name was killed as it handed them over.

A group shares cooperatively in two steps: who owns too much lets it go, then asks for the second
step, in which it is given away. A named member that is killed between them and is back within its
session gets what the first step had left to it, and the brokers (4.3) see nothing to share; so
what it had let go lies about until somebody joins or leaves, whatever the client library. Whoever
comes back under a name looks for such partitions, and has its own membership ended where it finds
some: it joins again as a new member, and all share anew.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError

from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.connection import Connection
from stream_dagmm_connectors.kafka.errors import classify, told

LOG = logging.getLogger("stream_dagmm")
LOOK_EVERY_S = 3.0
"""Between the two steps partitions have no owner either; not at two looks so far apart."""


class Sharing:
    """Looks at a group from outside, until all partitions were seen to have an owner."""

    def __init__(
        self, connection: Connection, group: str, instance: str, topics: Sequence[str]
    ) -> None:
        self._connection = connection
        self._group = group
        self._instance = instance
        self._topics = list(topics)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sharing", daemon=True)

    def start(self) -> None:
        """Look from now on, on a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; one look may be under way, and is not waited for."""
        self._stop.set()

    def _run(self) -> None:
        before: set[Place] | None = None
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                admin = KafkaAdminClient(**self._connection.options())
                with contextlib.closing(admin):
                    before = self._looked(admin, before)
            except KafkaError as error:
                if classify(error) == "fatal":
                    LOG.warning("who owns which partition cannot be looked up: %s", told(error))
                    return
                before = None
            if before == set():
                return

    def _looked(self, admin: Any, before: set[Place] | None) -> set[Place] | None:
        """Partitions without an owner; None while that is not settled."""
        now = unowned(admin, self._group, self._instance, self._topics)
        if not now or now != before:
            return now
        LOG.warning("nobody owns %s; the group shares anew", ", ".join(map(str, sorted(now))))
        admin.remove_group_members(self._group, [MemberToRemove(group_instance_id=self._instance)])
        return None


def unowned(admin: Any, group: str, instance: str, topics: Sequence[str]) -> set[Place] | None:
    """Partitions of the topics that no member of the group has; None while the group is sharing,
    or has no member of that name."""
    described = admin.describe_groups([group])[group]
    names = [member["group_instance_id"] for member in described["members"]]
    if described["group_state"] != "Stable" or instance not in names:
        return None
    held = {
        Place(one["topic"], partition)
        for member in described["members"]
        for one in (member["member_assignment"] or {}).get("assigned_partitions", ())
        for partition in one["partitions"]
    }
    there = {
        Place(one["name"], partition["partition_index"])
        for one in admin.describe_topics(list(topics))
        for partition in one["partitions"]
    }
    return there - held


@contextlib.contextmanager
def shared_out(
    connection: Connection, group: str, instance: str | None, topics: Sequence[str]
) -> Iterator[None]:
    """While the block runs, no partition stays without an owner for having been let go by the last
    process of this name; without a name there is nothing to do, since nobody comes back."""
    if instance is None:
        yield
        return
    sharing = Sharing(connection, group, instance, topics)
    sharing.start()
    try:
        yield
    finally:
        sharing.stop()
