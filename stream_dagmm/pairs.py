"""K pairs of points, A_k among the data and B_k among the codes, and three ways to encode by them.

p_k(x) is the density of x around A_k, e_k = exp(-|B_k - z|^2), S = sum_k e_k, q_k = e_k / (b + S);
the bound is L_2(z, x) = log sum_k q_k p_k and r_k = p_k e_k / sum_j p_j e_j. Encodings look for the
z of a row; rows move independently, so each one's bits are its own, and each says whether it
converged within the cap on its steps.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats

TOLERANCE = 1e-4
"""Step, in units of the code, below which a row has converged."""


class Encoded(NamedTuple):
    """Codes of rows."""

    z: Floats
    """[B, Z]"""
    converged: npt.NDArray[np.bool_]
    """[B] whether the last step was below `TOLERANCE`."""


def log_kernel(z: Floats, codes: Floats) -> Floats:
    """log e_k [B, K] at z [B, Z] for the codes B_k [K, Z]."""
    total = np.zeros((len(z), len(codes)))
    for place in range(codes.shape[1]):
        total -= (z[:, place, None] - codes[:, place]) ** 2
    return total


def log_sum(logs: Floats) -> Floats:
    """Log of the sum of exponentials [B] over [B, K]."""
    top = logs.max(axis=1)
    return np.asarray(top + np.log(np.exp(logs - top[:, None]).sum(axis=1)))


def shares(logs: Floats) -> Floats:
    """Exponentials [B, K] divided by their sum: r_k for log p_k + log e_k."""
    exponentials = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def log_normaliser(log_e: Floats, background: float) -> Floats:
    """log(b + S) [B]."""
    total = log_sum(log_e)
    return np.logaddexp(total, np.log(background)) if background > 0.0 else total


def bound(z: Floats, log_p: Floats, codes: Floats, background: float) -> Floats:
    """L_2 = J - log(b + S) [B]."""
    log_e = log_kernel(z, codes)
    return np.asarray(log_sum(log_p + log_e) - log_normaliser(log_e, background))


def expected(z: Floats, log_p: Floats, codes: Floats) -> Floats:
    """sum_k (e_k / S) log p_k [B], which bounds L_2 from below at b = 0 (Jensen)."""
    return np.asarray((shares(log_kernel(z, codes)) * log_p).sum(axis=1))


def pull(weights: Floats, z: Floats, codes: Floats) -> Floats:
    """2 sum_k weights_k (B_k - z) [B, Z] for weights [B, K]: every gradient here is one."""
    columns = [(weights * (codes[:, j] - z[:, j, None])).sum(axis=1) for j in range(z.shape[1])]
    return 2.0 * np.stack(columns, axis=1)


def bound_gradient(z: Floats, log_p: Floats, codes: Floats, background: float) -> Floats:
    """Gradient [B, Z] of L_2: 2 sum_k (r_k - q_k) (B_k - z)."""
    log_e = log_kernel(z, codes)
    q = np.exp(log_e - log_normaliser(log_e, background)[:, None])
    return pull(shares(log_p + log_e) - q, z, codes)


def expected_gradient(z: Floats, log_p: Floats, codes: Floats) -> Floats:
    """Gradient [B, Z] of sum_k (e_k / S) log p_k: each code pulls by how much better it is than
    the mean."""
    weights = shares(log_kernel(z, codes))
    better = log_p - (weights * log_p).sum(axis=1, keepdims=True)
    return pull(weights * better, z, codes)


def nearest(log_p: Floats, codes: Floats) -> Floats:
    """Where encodings start: the code [B, Z] of the likeliest pair."""
    return np.asarray(codes[log_p.argmax(axis=1)])


def fixed_point(z: Floats, log_p: Floats, codes: Floats, steps: int) -> Encoded:
    """z <- sum_k r_k B_k from z [B, Z], at most `steps` times: mean shift (Cheng 1995), which
    ascends J and never leaves the convex hull of the codes."""
    converged = np.zeros(len(z), dtype=np.bool_)
    for _ in range(steps):
        weights = shares(log_p + log_kernel(z, codes))
        columns = [(weights * codes[:, j]).sum(axis=1) for j in range(z.shape[1])]
        moved = np.where(converged[:, None], z, np.stack(columns, axis=1))
        converged = converged | (np.abs(moved - z).max(axis=1) < TOLERANCE)
        z = moved
        if converged.all():
            break
    return Encoded(z, converged)


def ascended(
    z: Floats,
    value: Callable[[Floats], Floats],
    gradient: Callable[[Floats], Floats],
    box: float,
    steps: int,
) -> Encoded:
    """Gradient ascent of a value [B] from z [B, Z] inside [-box, box]^Z, each row with a step of
    its own: doubled after a rise, quartered and not taken otherwise, so the value never falls."""
    rate, current, slope = np.full((len(z), 1), 0.5), value(z), gradient(z)
    converged = np.zeros(len(z), dtype=np.bool_)
    for _ in range(steps):
        tried = np.clip(z + rate * slope, -box, box)
        reached = value(tried)
        small = np.abs(tried - z).max(axis=1) < TOLERANCE
        rises = ~converged & (reached > current)
        converged = converged | small
        z = np.where(rises[:, None], tried, z)
        current = np.where(rises, reached, current)
        rate = np.where(rises[:, None], 2.0 * rate, 0.25 * rate)
        if converged.all():
            break
        slope = gradient(z)
    return Encoded(z, converged)
