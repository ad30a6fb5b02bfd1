"""Which fields are numeric: the one thing that decoding remembers between events."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SIGHTINGS = 1_000
"""A field that was a number in this many events stays one."""

MAX_FIELDS = 4_096
MAX_NAME = 256
"""Both bound the state (4 MB at worst): later fields and longer names are never judged."""

_MIXED = -1


class FieldTypes:
    """Remembers each field's first 1,000 sightings, and says when text has come into a number.

    A sighting is an accepted event that has the field, with a number, a boolean or text. When the
    first 1,000 were all numbers or booleans, text is refused from the 1,001st on. Text among them
    makes the field mixed for good, and then everything is accepted. A refused event is no
    sighting of any of its fields, so the state is a function of the accepted events alone.

    >>> types = FieldTypes()
    >>> for _ in range(1000):
    ...     types.see({"amount": 1.5})
    >>> types.stranger({"amount": "n/a"})
    'amount'
    """

    def __init__(self) -> None:
        self._sightings: dict[str, int] = {}
        self._numeric: set[str] = set()
        self._settled: set[str] = set()

    def stranger(self, features: Mapping[str, Any]) -> str | None:
        """The first field that holds text and should be a number, or None. Changes nothing."""
        for name, value in features.items():
            if type(value) is str and name in self._numeric:
                return name
        return None

    def see(self, features: dict[str, Any]) -> None:
        """Count an accepted event."""
        if self._settled.issuperset(features):
            return
        # Sorted, so that neither the order of keys nor hashing decides who gets the last places.
        for name in sorted(features.keys() - self._settled):
            self._count(name, isinstance(features[name], str))

    def _count(self, name: str, text: bool) -> None:
        seen = self._sightings.get(name)
        if seen is None:
            if len(self._sightings) >= MAX_FIELDS or len(name) > MAX_NAME:
                return
            seen = 0
        self._set(name, _MIXED if text else seen + 1)

    def _set(self, name: str, sightings: int) -> None:
        self._sightings[name] = sightings
        if sightings in (_MIXED, SIGHTINGS):
            self._settled.add(name)
        if sightings == SIGHTINGS:
            self._numeric.add(name)

    def to_state(self) -> dict[str, Any]:
        """Names and their numeric sightings, -1 for mixed, sorted by name."""
        names = sorted(self._sightings)
        counts = [self._sightings[name] for name in names]
        return {"names": list(names), "sightings": np.array(counts, dtype=np.int64)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "FieldTypes":
        """The inverse of ``to_state``; raises ``ValueError`` for a state that cannot be."""
        names: Sequence[str] = state["names"]
        counts = [int(count) for count in state["sightings"]]
        if len(names) != len(counts) or any(not _MIXED <= n <= SIGHTINGS for n in counts):
            raise ValueError(
                f"field types: got {len(names)} names with sightings {counts[:5]}, expected one "
                f"number from -1 to {SIGHTINGS} for each; start with a new state"
            )
        types = cls()
        for name, count in zip(names, counts, strict=True):
            types._set(name, count)
        return types
