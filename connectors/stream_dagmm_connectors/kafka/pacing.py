"""What a run is told about its pace and about surprises; light, so that `--help` needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "lost-history",
    "new-topic",
    "new-configuration",
    "new-arithmetic",
    "moved-offsets",
    "missing-offsets",
]
"""In what a partition may not be as it was left."""

Policy = Literal["fail", "new-lineage"]

OnError = Literal["dead-letter", "skip", "fail"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at once, and how often."""

    poll_timeout_ms: int = 100
    poll_records: int = 1_000
    commit_every_ms: int = 500
    commit_every_records: int = 10_000
    checkpoint_every: int = 50_000
    """Records of a partition between two checkpoints of it."""
    unready_after_s: float = 15.0
    exit_after_s: float = 60.0
    drain_timeout_s: float = 20.0
    close_timeout_ms: int = 5_000
