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


def follow(level: Floats, rows: Floats, frozen: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The levels [B, D] that the rows [B, D] meet one after the other, and the level [D] after
    them. A frozen row does not move the level, a missing value leaves its column's as it is.

    >>> levels, after = follow(np.array([np.nan]), np.array([[4.0], [14.0]]), np.zeros(2, bool))
    >>> levels.tolist(), after.tolist()
    ([[nan], [4.0]], [5.0])
    """
    rows = np.clip(rows, -LARGEST, LARGEST)
    levels = np.empty_like(rows)
    current = np.append(level, np.full(rows.shape[1] - len(level), np.nan))
    known = not np.isnan(current).any()
    complete = not np.isnan(rows).any()
    for place, still in enumerate(frozen.tolist()):
        levels[place] = current
        if still:
            continue
        row = rows[place]
        if not (known and complete):
            current = np.where(np.isnan(current), row, current)
            row = np.where(np.isnan(row), current, row)
            known = not np.isnan(current).any()
        current = current + (row - current) * SHARE
    return levels, current
