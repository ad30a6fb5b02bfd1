"""A topic at either end of a pipeline, said in Python; nothing is connected before it runs.

Light: neither the Kafka client nor torch is imported here.
"""

from __future__ import annotations

from typing import Any

from stream_dagmm_connectors.kafka.options import RunOptions


class KafkaSource:
    """Topics of JSON events; every partition of them has a model of its own.

    `options` are those of `stream-dagmm run` under their names in Python (`delivery`,
    `commit_every_ms`, `on_lost_history`, `sasl_password_file`, ...).

    >>> KafkaSource("events", bootstrap_servers="127.0.0.1:9092", group="trees")
    KafkaSource('events', bootstrap_servers='127.0.0.1:9092', group='trees')
    """

    def __init__(
        self, *topics: str, bootstrap_servers: str, group: str = "stream-dagmm", **options: Any
    ) -> None:
        self._topics = topics
        self._options = {"bootstrap_servers": bootstrap_servers, "group": group, **options}

    def __repr__(self) -> str:
        said = [*map(repr, self._topics), *(f"{k}={v!r}" for k, v in self._options.items())]
        return f"KafkaSource({', '.join(said)})"

    @property
    def delivery(self) -> str | None:
        """What was said of it; None leaves the choice to what the detector offers."""
        return self._options.get("delivery")

    def to(self, sink: KafkaSink, **options: Any) -> RunOptions:
        """All that a run is told; `ValueError` names an option that is unknown or wrong."""
        held = {name: value for name, value in self._options.items() if value is not None}
        return RunOptions(input=self._topics, **sink.options, **(held | options))


class KafkaSink:
    """The topic of scored events, and the one of dead letters (`TOPIC.dead-letters`).

    Checkpoints go to `TOPIC.checkpoints`. Topics that are missing are made, unless the source was
    told `create_topics=False`.
    """

    def __init__(
        self, topic: str, *, dead_letters: str | None = None, include_event: bool = False
    ) -> None:
        self.options: dict[str, Any] = {
            "output": topic,
            "dead_letters": dead_letters,
            "include_event": include_event,
        }
