"""A recipe from the configuration that lies in a checkpoint, so that nobody has to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import stream_dagmm
from stream_dagmm_connectors.configuration import differences
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.kafka.partition import Recipe
from stream_dagmm_connectors.scoring import Judgement


def remade(said: Mapping[str, Any], given: Recipe) -> Recipe:
    """The recipe given, with the detector, judgement and decoder of a configuration.

    `ValueError` where this version cannot make them: another version's, or a detector that does
    not come with stream_dagmm and is not the one given.
    """
    if given.configuration() == said:
        return given
    kind = getattr(stream_dagmm, str(said["detector"].get("class")), None)
    if kind is None:
        raise ValueError(
            f"the checkpoint's detector {said['detector'].get('class')} does not come with "
            "stream_dagmm; say the same options as the run"
        )
    arguments = _numbers(said["detector"]["arguments"])
    judgement = Judgement(said["alarm_rate"], said["explain_below"], said["learn"])
    recipe = replace(
        given,
        detector=lambda: kind(**arguments),
        judgement=judgement,
        decoder=lambda: Decoder(**said["events"]),
    )
    changed = differences(recipe.configuration(), said)
    if changed:
        raise ValueError(f"the checkpoint's configuration cannot be made: {'; '.join(changed)}")
    return recipe


def _numbers(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Infinities as they were: `canonical` writes them as text."""
    infinite = ("inf", "-inf")
    return {name: float(v) if v in infinite else v for name, v in arguments.items()}
