"""Density at the scale of a tenth of the data: how far an event's nearest kin are.

The nearest few rows of a memory say whether an event was seen before, and excuse any anomaly that
came twice. The nearest tenth of it say whether the event belongs to a population.
"""

import numpy as np

from stream_dagmm.arithmetic import Floats, Singles, coarse_distances_to, coarse_operand

SHARE = 0.1
"""Of the memory, the nearest. Half as many find finer structure and excuse clusters of anomalies;
twice as many the other way round."""

LEAST_SQUARE = 1e-2
"""Added to squared distances, per column and in squared standard deviations: a row among its own
copies is as near as one can be, not infinitely near."""


def log_distance(rows: Floats, memory: Floats) -> Floats:
    """Log of the geometric mean distance [B] between rows [B, D] and their nearest `SHARE` of the
    memory [R, D], both standardised; in standard deviations per root column.

    >>> memory = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> log_distance(np.array([[0.0, 0.0], [6.0, 8.0]]), memory).round(2).tolist()
    [-2.3, 1.26]
    """
    return log_distance_to(coarse_operand(memory), rows)


def log_distance_to(
    operand: Singles, rows: Floats, least: float = LEAST_SQUARE, share: float = SHARE
) -> Floats:
    """`log_distance` to a memory prepared once, by `arithmetic.coarse_operand`.

    least: `LEAST_SQUARE` in the units of the rows. share: as `SHARE`.
    """
    held = operand.shape[1]
    nearest = max(1, int(share * held))
    squares = coarse_distances_to(operand, rows)
    if nearest < held:
        squares.partition(nearest - 1, axis=1)
    per_column = squares[:, :nearest].astype(np.float64) / rows.shape[1] + least
    return np.asarray(0.5 * np.log(per_column).sum(axis=1) / nearest)
