"""The partitions of this process, by how far each has come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.partition import PartitionModel
from stream_dagmm_connectors.kafka.positions import Progress


@dataclass(slots=True)
class Ours:
    """The partitions of this process: to be begun, re-learning (with a target), or live."""

    coming: set[Place] = field(default_factory=set)
    models: dict[Place, PartitionModel] = field(default_factory=dict)
    targets: dict[Place, Progress] = field(default_factory=dict)
    saved: dict[Place, int] = field(default_factory=dict)
    """Records that the model had seen at its last checkpoint."""

    def drop(self, places: Iterable[Place]) -> None:
        """Forget these."""
        for place in places:
            self.coming.discard(place)
            for held in (self.models, self.targets, self.saved):
                held.pop(place, None)

    @property
    def live(self) -> list[Place]:
        """Partitions whose model stands where the output does."""
        return [place for place in self.models if place not in self.targets]
