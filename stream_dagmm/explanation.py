"""Which features made an event strange: by how much the score falls when each one is missing.

A feature's single effect misleads where several say the same (taking one of two strange features
away changes little) or where one hides another. So features are taken away one after the other,
the most telling first, and also put back in that order into an event that has none; a feature's
contribution is the mean of its step on the two paths. Each path's steps add up to the whole, as
Shapley values do, of which this is the two-permutation estimate (Castro, Gomez, Tejada, 2009).
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from stream_dagmm.arithmetic import Floats

ScoreEvents = Callable[[Sequence[Mapping[Any, Any]]], Floats]

NO_FEATURES = "(no features)"
"""What the score of an event without features is put down to, so that it adds up there too."""


def contributions(score_events: ScoreEvents, event: Mapping[Any, Any]) -> dict[Hashable, float]:
    """Signed contributions in score units, one a feature, that add up to the event's score.

    The score of an event without any feature is shared equally; that event itself has it under
    `NO_FEATURES`. Takes 3 F + 2 scorings for F features.

    >>> def total(events): return np.array([1.0 + sum(e.values()) for e in events])
    >>> contributions(total, {"a": 5.0, "b": -1.0})
    {'a': 5.5, 'b': -0.5}
    """
    names = sorted(event, key=str)
    if not names:
        return {NO_FEATURES: float(score_events([{}])[0])}
    alone = score_events([_without(event, {name}) for name in names])
    order = [names[place] for place in np.argsort(alone, kind="stable")]
    cuts = range(len(order) + 1)
    falling = score_events([_without(event, set(order[:cut])) for cut in cuts])
    rising = score_events([_without(event, set(order[cut:])) for cut in cuts])
    steps = 0.5 * (falling[:-1] - falling[1:]) + 0.5 * (rising[1:] - rising[:-1])
    shared = falling[-1] / len(order)
    by_name = {name: float(step + shared) for name, step in zip(order, steps, strict=True)}
    return {name: by_name[name] for name in event}


def _without(event: Mapping[Any, Any], dropped: set[Any]) -> dict[Any, Any]:
    return {name: value for name, value in event.items() if name not in dropped}
