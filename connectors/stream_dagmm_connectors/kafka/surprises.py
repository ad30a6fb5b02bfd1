"""Whether a partition is as it was left: lineage, arithmetic, history, checkpoint."""

from __future__ import annotations

from typing import Any

from stream_dagmm import checkpoint
from stream_dagmm_connectors.kafka.checkpoints import Found
from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.pacing import Kind
from stream_dagmm_connectors.kafka.partition import PartitionModel, Recipe
from stream_dagmm_connectors.kafka.positions import Progress


class Stopped(Exception):
    """The process must end here; the message says why, and what a person can do."""


class Surprise(Exception):
    """A partition is not as it was left."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def again(recipe: Recipe, place: Place, was: Progress) -> PartitionModel:
    """A model at the beginning of a lineage; `Surprise` if this process would make another of it
    than the one that scored so far."""
    model = PartitionModel(recipe, place, was.topic_id, was.start, was.parent, was.skipped)
    if model.progress.lineage != was.lineage:
        raise Surprise(
            "new-configuration",
            f"lineage {was.lineage} scored it so far, this configuration is lineage "
            f"{model.progress.lineage}; run it as it was",
        )
    if model.progress.arithmetic != was.arithmetic:
        raise Surprise(
            "new-arithmetic",
            f"arithmetic {was.arithmetic} scored it so far, this process has "
            f"{model.progress.arithmetic} (versions, instruction set or threads differ); run "
            "it on the same kind of machine",
        )
    return model


def state_of(found: Found, name: str) -> dict[str, Any]:
    """What a checkpoint holds."""
    state = checkpoint.loads(found.data, name=name)
    if not isinstance(state, dict):
        raise ValueError(f"{name} holds no model")
    return state


def refuse_lost(model: PartitionModel, first: int, end: int) -> None:
    """`Surprise` if the log, which begins at `first`, lacks what the model must learn up to
    `end`."""
    at = model.progress.next_offset
    if at < first and at < end:
        raise Surprise(
            "lost-history",
            f"the model must re-learn from offset {at}, the log begins at {first} (retention "
            "or deleted records)",
        )
