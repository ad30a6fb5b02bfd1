"""The topics that a run needs: said, made, and checked before the first record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import GroupIdNotFoundError, KafkaError, TopicAlreadyExistsError

from stream_dagmm_connectors.kafka.checkpoint_topic import TOPIC_CONFIGURATION
from stream_dagmm_connectors.kafka.client import Fatal, NotYet, Trouble
from stream_dagmm_connectors.kafka.connection import Connection
from stream_dagmm_connectors.kafka.errors import classify, told

LARGER_THAN_INPUT = {"max.message.bytes": str(2 << 20)}
"""Outputs carry the input's key and headers and more, so they may be longer than the input."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic as it would be made."""

    name: str
    partitions: int
    configuration: Mapping[str, str] = field(default_factory=dict)

    def command(self) -> str:
        """What makes it by hand, with the tools that come with Kafka.

        >>> Wanted("scored", 4).command()
        'kafka-topics.sh --create --topic scored --partitions 4'
        """
        words = [
            "kafka-topics.sh --create --topic",
            self.name,
            "--partitions",
            str(self.partitions),
        ]
        words += [f"--config {name}={value}" for name, value in self.configuration.items()]
        return " ".join(words)


def wanted(
    output: str, dead_letters: str, checkpoints: str | None, partitions: int
) -> list[Wanted]:
    """What a run needs beside its input, for an input of so many partitions."""
    needed = [
        Wanted(output, partitions, LARGER_THAN_INPUT),
        Wanted(dead_letters, partitions, LARGER_THAN_INPUT),
    ]
    if checkpoints is not None:
        needed.append(Wanted(checkpoints, partitions, TOPIC_CONFIGURATION))
    return needed


class Topics:
    """Looks at topics and makes them; `NotYet` where a broker is away, `Fatal` where it may not,
    `ValueError` for what is wrong."""

    def __init__(self, connection: Connection, within_s: float = 30.0) -> None:
        bounded = {"bootstrap_timeout_ms": int(1000 * within_s)}
        try:
            self._admin = KafkaAdminClient(**connection.options(), **bounded)
        except KafkaError as error:
            raise Fatal(f"{connection.bootstrap_servers}: {told(error)}; start the broker, or "
                        "correct --bootstrap-servers") from error  # fmt: skip

    def close(self) -> None:
        """Release the connection."""
        self._admin.close()

    def partitions(self, topics: Sequence[str]) -> dict[str, int]:
        """How many partitions the topics have; those that are not there are left out."""
        try:
            described = self._admin.describe_topics(list(topics))
        except KafkaError as error:
            raise _sorted(error) from error
        return {d["name"]: len(d["partitions"]) for d in described if d["partitions"]}

    def members(self, group: str, besides: str | None = None) -> int:
        """How many members the group has, not counting the one of this instance id."""
        try:
            described = self._admin.describe_groups([group])[group]
        except GroupIdNotFoundError:
            return 0
        except KafkaError as error:
            raise _sorted(error) from error
        names = [member["group_instance_id"] for member in described["members"]]
        return sum(name is None or name != besides for name in names)

    def create(self, missing: Sequence[Wanted]) -> None:
        """Make topics, and wait until they can be written; one that is there by now is fine."""
        for one in missing:
            options: dict[str, Any] = {
                "num_partitions": one.partitions,
                "configs": dict(one.configuration),
            }
            try:
                self._admin.create_topics({one.name: options}, wait_for_metadata=True)
            except TopicAlreadyExistsError:
                continue
            except KafkaError as error:
                raise _sorted(
                    error, f"topic {one.name} cannot be made; make it with: {one.command()}: "
                ) from error

    def compacted(self, topics: Sequence[str]) -> list[str]:
        """Those whose records may be cleaned away before a model could re-learn them."""
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        try:
            found = self._admin.describe_configs(asked)
        except KafkaError:
            return []  # no right to look is no reason to stop
        return [topic for topic in topics if "compact" in str(_policy(found, topic))]


def prepare(
    topics: Topics,
    inputs: Sequence[str],
    output: str,
    dead_letters: str,
    checkpoints: str | None,
    *,
    create: bool,
) -> list[str]:
    """Make what is missing and check what is there; gives warnings.

    Raises `ValueError` for an input that is not there, for a missing topic under
    `create=False`, and for an output with fewer partitions than the input.
    """
    there = topics.partitions(inputs)
    for topic in inputs:
        if topic not in there:
            raise ValueError(f"input topic {topic} is not there; make it, or correct --input")
    most = max(there.values())
    needed = wanted(output, dead_letters, checkpoints, most)
    held = topics.partitions([one.name for one in needed])
    missing = [one for one in needed if one.name not in held]
    if missing and not create:
        commands = "\n  ".join(one.command() for one in missing)
        raise ValueError(f"topics are missing, and --no-create-topics was said:\n  {commands}")
    for name in (output, dead_letters):
        if held.get(name, most) < most:
            raise ValueError(
                f"{name} has {held[name]} partitions, the input {most}; each partition's events "
                f"go to the partition of the same number, so give {name} at least {most}"
            )
    topics.create(missing)
    return [
        f"input topic {topic} is compacted: records that were cleaned away cannot be learned "
        "again, so a restore may find its history gone"
        for topic in topics.compacted(inputs)
    ]


def _sorted(error: KafkaError, before: str = "") -> Trouble:
    kind = NotYet if classify(error) == "retriable" else Fatal
    return kind(f"{before}{told(error)}")


def _policy(found: Any, topic: str) -> object:
    held = found.get("topic", {}).get(topic, {}) if isinstance(found, dict) else {}
    value = held.get("cleanup.policy", "") if isinstance(held, dict) else ""
    return value.get("value", "") if isinstance(value, dict) else value
