"""How to reach the brokers; what is secret is read late, and never printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


@dataclass(frozen=True, slots=True)
class Connection:
    """Brokers and credentials. A password is a file's name, not a value, so that no `repr`, log
    or core of the command line holds it."""

    bootstrap_servers: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password_file: Path | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

    def options(self) -> dict[str, Any]:
        """The options of every client of kafka-python. `ValueError` for a file that is not there.

        >>> Connection("127.0.0.1:9092").options()["bootstrap_servers"]
        ['127.0.0.1:9092']
        """
        said: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "security_protocol": self.security_protocol,
            # A broker that comes back is tried again within a second, not within thirty.
            "reconnect_backoff_max_ms": 1000,
        }
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            file = getattr(self, name)
            if file is not None:
                said[name] = str(file)
        if self.sasl_mechanism is not None:
            said["sasl_mechanism"] = self.sasl_mechanism
            said["sasl_plain_username"] = self.sasl_username
            said["sasl_plain_password"] = self._password()
        return said

    def _password(self) -> str | None:
        if self.sasl_password_file is None:
            return None
        try:
            return self.sasl_password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(
                f"sasl_password_file {self.sasl_password_file} cannot be read ({error.strerror}); "
                "name a file that holds the password alone"
            ) from None


@dataclass(frozen=True, slots=True)
class Timing:
    """The time-outs that decide how soon another member takes over, in milliseconds.

    With the defaults a killed member's partitions score again within 30 s: its session ends after
    10, and a broker looks for transactions beyond their time-out of 10 every 10.
    """

    session_timeout_ms: int = 10_000
    heartbeat_interval_ms: int = 3_000
    max_poll_interval_ms: int = 60_000
    transaction_timeout_ms: int = 10_000
    request_timeout_ms: int = 30_000
    metadata_max_age_ms: int = 30_000
    """How long partitions that were added may go unnoticed."""
    answer_timeout_ms: int = 8_000
    """The longest that a call to the brokers may hold up the loop; below the session's."""


@dataclass(frozen=True)
class Member:
    """Whose clients reach the brokers in the same way: a process, as a member of its group."""

    connection: Connection
    timing: Timing = Timing()
    group: str = field(kw_only=True)
    instance: str | None = field(default=None, kw_only=True)

    @property
    def answer_timeout_ms(self) -> int:
        """The longest that a call may hold up the loop."""
        return self.timing.answer_timeout_ms
