"""What the process is at, for whoever watches it from outside (metrics, the crash tests)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Phase = Literal[
    "poll",
    "score",
    "open transaction",
    "before commit",
    "chunk write",
    "commit in flight",
    "restore",
    "re-learn",
    "revoke",
]

Enter = Callable[[Phase], None]


def unwatched(phase: Phase) -> None:
    """Nobody watches."""
