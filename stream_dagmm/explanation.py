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

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats

Encode = Callable[[Sequence[Mapping[Any, Any]]], Floats]
"""Events to rows [B, D]: NaN where missing; column 0 counts features never learned."""

Score = Callable[[Floats], Floats]
"""Rows [B, D] to scores [B]."""

NO_FEATURES = "(no features)"
"""What the score of an event without features is put down to, so that it adds up there too."""

AT_ONCE = 256
"""Features whose places are looked up together."""


def contributions(encode: Encode, score: Score, event: Mapping[Any, Any]) -> dict[Hashable, float]:
    """Signed contributions in score units, one a feature, that add up to the event's score.

    The score of an event without any feature is shared equally; that event itself has it under
    `NO_FEATURES`. Takes 3 G + 2 scorings for G groups of features, at most one a column.

    >>> def encode(events): return np.array([[0.0, *map(e.get, "ab")] for e in events], dtype=float)
    >>> def total(rows): return 1.0 + np.nansum(rows, axis=1)
    >>> contributions(encode, total, {"a": 5.0, "b": -1.0})
    {'a': 5.5, 'b': -0.5}
    """
    names = sorted(event, key=str)
    row = encode([event])[0]
    if not names:
        return {NO_FEATURES: float(score(row[None])[0])}
    group, group_of_column, unknown = _groups(encode, event, names)

    def scored(kept: npt.NDArray[np.bool_]) -> Floats:
        rows = np.where(kept[:, group_of_column], row, np.nan)
        rows[:, 0] = kept @ unknown
        return score(rows)

    one = np.eye(len(unknown), dtype=np.bool_)
    order = np.argsort(scored(~one), kind="stable")
    first = np.tri(len(order) + 1, len(order), -1, dtype=np.bool_)[:, np.argsort(order)]
    falling, rising = scored(~first), scored(first)
    steps = np.empty(len(order))
    steps[order] = 0.5 * (falling[:-1] - falling[1:]) + 0.5 * (rising[1:] - rising[:-1])
    each = (steps / np.bincount(group))[group] + falling[-1] / len(names)
    by_name = dict(zip(names, each.tolist(), strict=True))
    return {name: by_name[name] for name in event}


def _groups(
    encode: Encode, event: Mapping[Any, Any], names: Sequence[Hashable]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """For each feature its group; for each column the group that it comes and goes with (any, where
    the event has nothing there); for each group how many of its features are unknown.

    Where a feature stands is where the event that has it alone has values. Shared columns come
    last, so features that have one in common have their last column in common.
    """
    last: list[int] = []
    counted: list[float] = []
    last_of_column: Any = 0
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
    group_of_column = np.searchsorted(group_ends, last_of_column)
    return group, group_of_column.clip(max=len(group_ends) - 1), unknown
