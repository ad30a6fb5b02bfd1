"""The options of `stream-dagmm run`, one field each; the command line composes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.connection import Connection, SecurityProtocol, Timing
from stream_dagmm_connectors.kafka.pacing import Kind, OnError, Pace, Policy

Delivery = Literal["exactly-once", "at-least-once"]
Client = Literal["kafka-python", "confluent"]


SERVERS = "HOST:PORT of a broker, or several with commas"


class Security(BaseModel):
    """Who this process is to the brokers, and whom it trusts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    security_protocol: SecurityProtocol = Field("PLAINTEXT", description="how brokers are reached")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="how this process says who it is"
    )
    sasl_username: str | None = Field(None, description="this process's name to the brokers")
    sasl_password_file: Path | None = Field(
        None, description="file that holds the password of that name and nothing else"
    )
    ssl_cafile: Path | None = Field(None, description="certificates to trust, PEM")
    ssl_certfile: Path | None = Field(None, description="this process's own certificate, PEM")
    ssl_keyfile: Path | None = Field(None, description="that certificate's key, PEM")

    def reach(self, bootstrap_servers: str) -> Connection:
        """The same for the clients."""
        said = {name: getattr(self, name) for name in Security.model_fields}
        return Connection(bootstrap_servers=bootstrap_servers, **said)


class Reaching(Security):
    """How to reach the brokers."""

    bootstrap_servers: str = Field(description=SERVERS)

    def connection(self) -> Connection:
        """The same for the clients."""
        return self.reach(self.bootstrap_servers)


class NamedTopics(Reaching):
    """Which topics a run reads and writes."""

    input: tuple[str, ...] = Field(
        min_length=1, description="topic of JSON events; may be given several times"
    )
    output: str = Field(description="topic of scored events")
    dead_letters: str | None = Field(
        None, description="topic of records that are no events (default: OUTPUT.dead-letters)"
    )
    checkpoints: str | None = Field(
        None, description="topic of the models' states (default: OUTPUT.checkpoints)"
    )
    checkpoint_store: str | None = Field(
        None,
        description="keep the models' states in this directory or object store (s3://..., whatever "
        "fsspec opens) instead of in a topic",
    )
    create_topics: bool = Field(True, description="make topics that are missing")

    @property
    def dead_letter_topic(self) -> str:
        """As said, or after the output."""
        return self.dead_letters or f"{self.output}.dead-letters"

    @property
    def checkpoint_topic(self) -> str | None:
        """As said, or after the output; None where another store was said."""
        if self.checkpoint_store is not None:
            return None
        return self.checkpoints or f"{self.output}.checkpoints"


class RunOptions(NamedTopics):
    """Everything else about a run but its detector, whose events and judgement are replay's."""

    group: str = Field("stream-dagmm", min_length=1, description="consumer group")
    group_instance_id: str | None = Field(
        None,
        description="this member's name for good: a restart within the session moves no partition",
    )
    client: Client = Field(
        "kafka-python", description="library that speaks to the brokers; confluent is an extra"
    )
    delivery: Delivery = Field("exactly-once", description="what a crash may do to the output")
    on_error: OnError = Field(
        "dead-letter", description="what becomes of a record that is no event"
    )
    largest_bad_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="stop when more of a partition's last few hundred records is bad",
    )
    skip_to: tuple[str, ...] = Field(
        (),
        description="bad records before this offset stop nothing, whatever --on-error and "
        "--largest-bad-share say; may be given several times",
    )
    include_event: bool = Field(False, description="embed the event in its scored record")
    commit_every_ms: int = Field(500, ge=1, description="longest time between commits")
    commit_every_records: int = Field(10_000, ge=1, description="most records in a transaction")
    checkpoint_every: int = Field(
        50_000, ge=1, description="records of a partition between two checkpoints"
    )
    keep_checkpoints: int = Field(10, ge=1, description="checkpoints kept of each partition")
    poll_records: int = Field(1_000, ge=1, description="most records of one poll")
    session_timeout_ms: int = Field(10_000, ge=6_000, description="silence that ends a membership")
    heartbeat_interval_ms: int = Field(3_000, ge=100, description="time between signs of life")
    max_poll_interval_ms: int = Field(60_000, ge=10_000, description="longest time between polls")
    transaction_timeout_ms: int = Field(10_000, ge=1_000, description="age that ends a transaction")
    drain_timeout: float = Field(20.0, gt=0, description="seconds to finish in after SIGTERM")
    unready_after: float = Field(15.0, gt=0, description="seconds without brokers until unready")
    exit_after: float = Field(60.0, gt=0, description="seconds without brokers until the exit")
    on_lost_history: Policy = Field("fail", description="when records to re-learn are gone")
    on_new_topic: Policy = Field("fail", description="when the input topic was made anew")
    on_new_configuration: Policy = Field("fail", description="when the options have changed")
    on_new_arithmetic: Policy = Field("fail", description="when versions or processor have changed")
    on_moved_offsets: Policy = Field("fail", description="when somebody moved the group's offsets")
    on_missing_offsets: Policy = Field(
        "fail", description="when the group has no offsets though there are checkpoints"
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="serve /metrics, /healthz and /readyz on this port"
    )

    metrics_host: str = Field("127.0.0.1", description="address to serve them on")

    @model_validator(mode="after")
    def _skips_can_be_read(self) -> Self:
        self.skips()
        return self

    def skips(self) -> dict[Place, int]:
        """Partition to offset; `ValueError` for what names no offset of an input's partition."""
        return dict(map(self._skip, self.skip_to))

    def _skip(self, said: str) -> tuple[Place, int]:
        *topic, partition, offset = ["", "", *said.split(":")][-3:]
        named = topic[0] or (self.input[0] if len(self.input) == 1 else "")
        if named not in self.input or not (partition.isdigit() and offset.isdigit()):
            raise ValueError(
                f"--skip-to is {said!r}, expected PARTITION:OFFSET as in 0:1842, with the topic in "
                f"front where there are several: {self.input[0]}:0:1842"
            )
        return Place(named, int(partition)), int(offset)

    def policies(self) -> dict[Kind, Policy]:
        """What to do when a partition is not as it was left."""
        return {
            "lost-history": self.on_lost_history,
            "new-topic": self.on_new_topic,
            "new-configuration": self.on_new_configuration,
            "new-arithmetic": self.on_new_arithmetic,
            "moved-offsets": self.on_moved_offsets,
            "missing-offsets": self.on_missing_offsets,
        }

    def timing(self) -> Timing:
        """The time-outs of the clients."""
        same = ("session_timeout_ms", "heartbeat_interval_ms", "max_poll_interval_ms")
        names = (*same, "transaction_timeout_ms")
        return Timing(**{name: getattr(self, name) for name in names})

    def pace(self) -> Pace:
        """How much at once, and how often."""
        same = ("commit_every_ms", "commit_every_records", "checkpoint_every", "poll_records")
        values: dict[str, Any] = {name: getattr(self, name) for name in same}
        return Pace(
            **values,
            unready_after_s=self.unready_after,
            exit_after_s=self.exit_after,
            drain_timeout_s=self.drain_timeout,
        )
