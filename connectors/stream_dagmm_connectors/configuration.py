"""What a run was told, as plain values that can be compared and hashed.

A lineage and the check of a checkpoint both stand on this: equal configurations give equal values
in every process, and where two differ the difference can be said in one line.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping

import numpy as np

LINEAGE_DIGITS = 16
"""Hexadecimal digits kept, 64 bits: among a million lineages a collision has odds of 3 in 10^8."""


def lineage(
    configuration: Mapping[str, object],
    *,
    state_format: int,
    source: str,
    start: Mapping[str, int],
    parent: str | None = None,
) -> str:
    """The history of a model in 16 hexadecimal digits, computed and never drawn.

    Equal arguments, in whatever order, give equal lineages, and equal lineages score equal events
    equally. `start` is the position it begins at; `parent` the lineage it goes on from.

    >>> lineage({"half_life": math.inf}, state_format=1, source="shuttle", start={"line": 2})
    'bfaa749dd8f61a21'
    """
    history = {
        "configuration": canonical(configuration),
        "state_format": state_format,
        "source": source,
        "start": start,
        "parent": parent,
    }
    text = json.dumps(history, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:LINEAGE_DIGITS]


def configuration_of(detector: object) -> dict[str, object]:
    """What was said to a detector when it was made, as JSON-able values under stable names.

    Our detectors say it themselves (`configuration()`); of any other River estimator its
    constructor's arguments are taken, estimators inside it included.

    >>> from river import anomaly, preprocessing
    >>> configuration_of(preprocessing.StandardScaler() | anomaly.HalfSpaceTrees(seed=1))["class"]
    'Pipeline'
    """
    said = getattr(detector, "configuration", None)
    if callable(said):
        return {"class": type(detector).__name__, "arguments": canonical(said())}
    described = canonical(detector)
    return described if isinstance(described, dict) else {"class": type(detector).__name__}


def canonical(value: object) -> object:
    """A JSON-able value that is equal for equal meanings, in every process.

    >>> canonical((1, np.float64(0.5), float("inf"), len))
    [1, 0.5, 'inf', 'builtins.len']
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no infinity, and a half-life may be infinite
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): canonical(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return sorted(str(canonical(part)) for part in value)
    return _canonical_object(value)


def _canonical_object(value: object) -> object:
    parameters = getattr(value, "_get_params", None)
    if callable(parameters) and not isinstance(value, type):
        return {"class": type(value).__name__, "arguments": canonical(parameters())}
    # Never a repr: it may hold an address, which differs from process to process.
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def differences(ours: object, theirs: object, path: str = "") -> list[str]:
    """Where two canonical values differ, one line for each place: `seed: 1 there, 2 here`.

    >>> differences({"seed": 2, "rate": 0.1}, {"seed": 1, "rate": 0.1})
    ['seed: 1 there, 2 here']
    """
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        keys = sorted({*ours, *theirs})
        parts = (
            differences(ours.get(key), theirs.get(key), f"{path}.{key}" if path else str(key))
            for key in keys
        )
        return [line for lines in parts for line in lines]
    if ours == theirs:
        return []
    return [f"{path}: {json.dumps(theirs)} there, {json.dumps(ours)} here"]
