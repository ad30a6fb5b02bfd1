"""Whether a checkpoint is of this very run: what was told, what was found, and what to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from stream_dagmm_connectors.configuration import canonical, differences, lineage
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.events import LinePosition, PartitionPosition, Position
from stream_dagmm_connectors.ports import Source
from stream_dagmm_connectors.scoring import Detector, Judgement, scoring_configuration

CHECKPOINT_FORMAT = 1
"""Of the tree that `Pipeline` saves; the detector's part has a format of its own."""

_WAY_OUT = "run it as it was, give another checkpoint directory, or start afresh (--fresh)"
_ADDED_LATER = {"dead_letters"}
"""Outputs that may come and go: one may want dead letters kept only once there are some."""


def told(
    source: Source, detector: Detector, decoder: Decoder, judgement: Judgement, parent: str | None
) -> dict[str, Any]:
    """Everything that decides what is written, as plain values."""
    everything = scoring_configuration(detector, judgement) | {
        "source": source.name,
        "start": asdict(source.start),
        "events": decoder.configuration(),
        "parent": parent,
    }
    return {name: canonical(value) for name, value in everything.items()}


def lineage_of(source: Source, told: Mapping[str, Any], parent: str | None) -> str:
    """The lineage of a run: its own words on source, start and parent enter only once."""
    apart = ("source", "start", "parent")
    configuration = {name: value for name, value in told.items() if name not in apart}
    return lineage(
        configuration,
        state_format=CHECKPOINT_FORMAT,
        source=source.name,
        start=asdict(source.start),
        parent=parent,
    )


def refuse_another(
    tree: Mapping[str, Any],
    told: Mapping[str, Any],
    fingerprint: Mapping[str, str],
    outputs: Collection[str],
) -> None:
    """`ValueError` unless the checkpoint was made by the same words, arithmetic and outputs."""
    if tree.get("format") != CHECKPOINT_FORMAT:
        raise ValueError(
            f"checkpoint format {tree.get('format')}, this version reads {CHECKPOINT_FORMAT}; "
            "use the version that made it, or start afresh (--fresh)"
        )
    changed = differences(told, tree["run"])
    changed += differences(fingerprint, tree["arithmetic"], "arithmetic")
    held = set(tree["extents"]) | _ADDED_LATER
    changed += [
        f"output {name}: {'there' if name in held else 'here'} only"
        for name in sorted(held ^ (set(outputs) | _ADDED_LATER))
    ]
    if changed:
        raise ValueError(
            f"the checkpoint was made by another run: {'; '.join(changed)}; {_WAY_OUT}"
        )


def position_of(held: Mapping[str, int]) -> Position:
    """A position from its parts by name."""
    return LinePosition(**held) if "line" in held else PartitionPosition(**held)
