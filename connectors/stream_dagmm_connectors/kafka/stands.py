"""What is committed of a partition, and what a commit makes of it."""

from __future__ import annotations

from typing import NamedTuple

from stream_dagmm_connectors.kafka.checkpoints import Earlier
from stream_dagmm_connectors.kafka.client import Committed
from stream_dagmm_connectors.kafka.positions import Pointer


class Stand(NamedTuple):
    """What is committed of a partition, as far as this process knows."""

    offset: int | None
    """None before the first commit."""
    pointer: Pointer | None
    kept: list[Earlier]


class Asked(NamedTuple):
    """What a commit was to make of a partition."""

    committed: Committed
    after: Stand
    records: int
    """How many of the pending records it covers; later ones came while its outcome was open."""
