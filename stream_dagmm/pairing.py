"""How K pairs learn: moments for the points A, gradient steps for the codes B, one scale."""

from typing import NamedTuple

import numpy as np

from stream_dagmm import scaling
from stream_dagmm.arithmetic import Floats

LEAST_VARIANCE = 0.05
"""Of a column around the points, in squared standard deviations."""


class Pairs(NamedTuple):
    """What is learned."""

    points: Floats
    """[K, D] A, in standardised units."""
    codes: Floats
    """[K, Z] B"""
    mass: Floats
    """[K] decayed sum of r, in events."""
    variance: Floats
    """[D] around the points."""


def spread_to(codes: Floats, spread: float) -> Floats:
    """Codes [K, Z] around 0 with this root mean square."""
    centred = codes - codes.mean(axis=0)
    size = float(np.sqrt((centred**2).mean()))
    return np.asarray(centred * (spread / size)) if size > 0.0 else centred


def moved(standing: Pairs, gain: Floats, shift: Floats) -> Pairs:
    """The pairs in the units that columns have now; new columns begin at the shift."""
    added = len(gain) - standing.points.shape[1]
    points = np.pad(standing.points, ((0, 0), (0, added))) * gain + shift
    old = np.append(standing.variance, np.full(added, 0.5))
    variance = np.where(gain > 0.0, old * gain**2, old)
    return standing._replace(
        points=np.clip(points, -scaling.CLIP, scaling.CLIP),
        variance=np.clip(variance, LEAST_VARIANCE, scaling.CLIP**2),
    )


def with_points(standing: Pairs, rows: Floats, r: Floats, decay: float) -> Pairs:
    """A as exponentially weighted means of rows [B, D] that belong to pairs by r [B, K]; decay is
    what is left of the weight of the past."""
    incoming = r.sum(axis=0)
    mass = decay * standing.mass + incoming
    toward = r.T @ rows - incoming[:, None] * standing.points
    points = standing.points + toward / np.maximum(mass, 1e-12)[:, None]
    return standing._replace(points=points, mass=mass)


def with_codes(
    standing: Pairs, z: Floats, weights: Floats, incoming: Floats, rate: float, spread: float
) -> Pairs:
    """A step of B up the gradient of L_2 at codes z [B, Z], 2 (r_k - q_k) (z - B_k) for the weights
    r - q [B, K], per event [K] that came to each pair; held to its spread."""
    slope = 2.0 * (weights.T @ z - weights.sum(axis=0)[:, None] * standing.codes)
    step = slope / (incoming[:, None] + 1.0)
    codes = standing.codes + rate * np.clip(step, -1.0, 1.0)
    return standing._replace(codes=spread_to(codes, spread))


def with_variance(standing: Pairs, rows: Floats, r: Floats, decay: float) -> Pairs:
    """The one diagonal scale as exponentially weighted mean of the squares around the points."""
    squares = np.zeros(rows.shape[1])
    for share, point in zip(r.T, standing.points, strict=True):
        squares += share @ (rows - point) ** 2
    observed = squares / len(rows) + LEAST_VARIANCE
    part = max(0.05, 1.0 - decay)
    return standing._replace(variance=standing.variance + part * (observed - standing.variance))
