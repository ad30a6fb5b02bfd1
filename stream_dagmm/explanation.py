"""Which features made an event strange: by how much the score falls when each one is missing.

A feature's single effect misleads where several say the same (taking one of two strange features
away changes little) or where one hides another. So features are taken away one after the other,
the most telling first, and also put back in that order into an event that has none; a feature's
contribution is the mean of its step on the two paths. Each path's steps add up to the whole, as
Shapley values do, of which this is the two-permutation estimate (Castro, Gomez, Tejada, 2009).

Features that a model cannot tell apart (those that share a hashed column, and those that it never
learned) come and go together and share alike. So the work is bounded by the model's columns, not by
the event, which may have any number of features.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats

Event = Mapping[Any, Any]

Encode = Callable[[Sequence[Event]], Floats]
"""Events to rows [B, D]: NaN where missing; column 0 counts features never learned."""

Score = Callable[[Floats, npt.NDArray[np.intp]], Floats]
"""Rows [B, D], and which of the events [B] each is a variant of, to scores [B]."""

NO_FEATURES = "(no features)"
"""What the score of an event without features is put down to, so that it adds up there too."""

AT_ONCE = 256
"""Features whose places are looked up together, and whose events are scored together."""


def contributions(
    encode: Encode, score: Score, events: Sequence[Event]
) -> list[dict[Hashable, float]]:
    """For each event signed contributions in score units, one a feature, that add up to its score.

    The score of an event without any feature is shared equally; that event itself has it under
    `NO_FEATURES`. Takes 3 G + 2 scorings for G groups of features, at most one a column.

    >>> def encode(events): return np.array([[0.0, *map(e.get, "ab")] for e in events], dtype=float)
    >>> def total(rows, _): return 1.0 + np.nansum(rows, axis=1)
    >>> contributions(encode, total, [{"a": 5.0, "b": -1.0}])
    [{'a': 5.5, 'b': -0.5}]
    """
    found = []
    for places in _batches(events):
        paths = [Paths.of(encode, events[place]) for place in places]
        without_one = _scored(score, [one.without_each() for one in paths], places)
        paths = [one.ordered(scores) for one, scores in zip(paths, without_one, strict=True)]
        along = _scored(score, [one.along() for one in paths], places)
        found += [one.shares(scores) for one, scores in zip(paths, along, strict=True)]
    return found


def _scored(score: Score, variants: Sequence[Floats], places: Sequence[int]) -> list[Floats]:
    """The scores of each event's variants, all found in one go."""
    lengths = list(map(len, variants))
    scores = score(np.vstack(variants), np.repeat(places, lengths))
    return np.split(scores, np.cumsum(lengths)[:-1])


def _batches(events: Sequence[Event]) -> Iterator[range]:
    """Runs of events with `AT_ONCE` features together, or of one event that has more."""
    start, features = 0, 0
    for place, event in enumerate(events):
        features += len(event)
        if features > AT_ONCE and place > start:
            yield range(start, place)
            start, features = place, len(event)
    if events:
        yield range(start, len(events))


class Paths(NamedTuple):
    """An event of N features in G groups, and the variants of it that lack some."""

    names: list[Hashable]
    """[N] sorted, so that the order of the event's keys decides nothing but that of its answer."""
    given: list[Hashable]
    """[N] as they came."""
    row: Floats
    """[D]"""
    group: npt.NDArray[np.intp]
    """[N] of each feature."""
    group_of_column: npt.NDArray[np.intp]
    """[D] the group that it comes and goes with; any, where the event has nothing there."""
    unknown: Floats
    """[G] how many features of each group were never learned."""
    order: npt.NDArray[np.intp]
    """[G] the groups, the most telling first; any until they are `ordered`."""

    @classmethod
    def of(cls, encode: Encode, event: Event) -> Self:
        """Where a feature stands is where the event that has it alone has values. Shared columns
        come last, so features that have one in common have their last column in common."""
        names = sorted(event, key=str)
        row = encode([event])[0]
        last: list[int] = [] if names else [0]
        counted: list[float] = [] if names else [0.0]
        last_of_column = np.zeros(len(row))
        for start in range(0, len(names), AT_ONCE):
            alone = encode([{name: event[name]} for name in names[start : start + AT_ONCE]])
            stands = ~np.isnan(alone)
            stands[:, 0] = False
            ends = (stands * np.arange(stands.shape[1])).max(axis=1)
            last += ends.tolist()
            counted += alone[:, 0].tolist()
            last_of_column = np.maximum(last_of_column, (stands * ends[:, None]).max(axis=0))
        group_ends, group = np.unique(last, return_inverse=True)
        unknown = np.bincount(group, weights=counted).astype(np.float64)
        group_of_column = np.searchsorted(group_ends, last_of_column).clip(max=len(unknown) - 1)
        order = np.arange(len(unknown))
        return cls(names, list(event), row, group, group_of_column, unknown, order)

    def variants(self, kept: npt.NDArray[np.bool_]) -> Floats:
        """Rows [B, D] of the event that has the groups kept [B, G] alone."""
        rows = np.where(kept[:, self.group_of_column], self.row, np.nan)
        rows[:, 0] = kept @ self.unknown
        return rows

    def without_each(self) -> Floats:
        """Rows [G, D], each without a group."""
        return self.variants(~np.eye(len(self.unknown), dtype=np.bool_))

    def ordered(self, scores: Floats) -> Self:
        """The paths that begin where leaving a group out takes most away, by the scores [G]."""
        return self._replace(order=np.argsort(scores, kind="stable"))

    def along(self) -> Floats:
        """Rows [2 (G + 1), D]: the groups taken away one after the other, and put back likewise."""
        count = len(self.order)
        first = np.tri(count + 1, count, -1, dtype=np.bool_)[:, np.argsort(self.order)]
        return self.variants(np.vstack([~first, first]))

    def shares(self, scores: Floats) -> dict[Hashable, float]:
        """What each feature adds to the score, by the scores of the rows `along` the paths."""
        falling, rising = np.split(scores, 2)
        if not self.names:
            return {NO_FEATURES: float(falling[-1])}
        steps = np.empty(len(self.order))
        steps[self.order] = 0.5 * (falling[:-1] - falling[1:]) + 0.5 * (rising[1:] - rising[:-1])
        each = (steps / np.bincount(self.group))[self.group] + falling[-1] / len(self.names)
        by_name = dict(zip(self.names, each.tolist(), strict=True))
        return {name: by_name[name] for name in self.given}
