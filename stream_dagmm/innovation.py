"""What is new in an event beside its recent past: the context that moves with every event.

The level of a column is an exponentially weighted mean over about `MEMORY` events, missing until
the column is first seen; an event's innovation is its deviation from the level it meets.
"""

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats
from stream_dagmm.scaling import LARGEST

MEMORY = 10.0
"""Events: short enough to follow any drift that is not a jump, long enough to average noise."""

SHARE = 1.0 / MEMORY

STEP = 2.0
"""Usual innovations of a column that an ordinary step of its level is at most."""


def follow(
    level: Floats, rows: Floats, far: npt.NDArray[np.bool_], usual: Floats
) -> tuple[Floats, Floats]:
    """The levels [B, D] that the rows [B, D] meet one after the other, and the level [D] after
    them. A missing value leaves its column's level as it is. A far row moves none, as a flood would
    take them along; unless every column is an ordinary step from its level, for so a drift arrives
    where nothing was before.

    usual: [D] standard deviation of each column's innovations, 0 where it never varied.

    >>> rows, near = np.array([[4.0], [14.0]]), np.zeros(2, bool)
    >>> levels, after = follow(np.array([np.nan]), rows, near, np.ones(1))
    >>> levels.tolist(), after.tolist()
    ([[nan], [4.0]], [5.0])
    """
    rows = np.clip(rows, -LARGEST, LARGEST)
    levels = np.full((len(rows) + 1, rows.shape[1]), np.nan)
    levels[0, : len(level)] = level
    if np.isnan(levels[0]).any() or np.isnan(rows).any():
        move = _moved_where_seen
    else:
        move = _moved
    shares, step = SHARE * rows, STEP * usual
    for place, is_far in enumerate(far.tolist()):
        met, after = levels[place], levels[place + 1]
        if is_far and (np.abs(rows[place] - met) > step).any():
            after[:] = met
        else:
            move(met, rows[place], shares[place], after)
    return levels[:-1], levels[-1].copy()


def _moved(level: Floats, row: Floats, share: Floats, after: Floats) -> None:
    """Writes the level after a row, given its share in it."""
    np.multiply(level, 1.0 - SHARE, out=after)
    after += share


def _moved_where_seen(level: Floats, row: Floats, share: Floats, after: Floats) -> None:
    """The same where values or levels are missing."""
    _moved(level, row, share, after)
    np.copyto(after, level, where=np.isnan(row))
    np.copyto(after, row, where=np.isnan(level))
