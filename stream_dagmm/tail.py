"""Beyond the largest scores, where a rank says no more: a generalised Pareto law (Siffer et al.
2017, "Anomaly Detection in Streams with Extreme Value Theory")."""

import numpy as np

from stream_dagmm.arithmetic import Floats
from stream_dagmm.digest import Digest, Ranks

TAIL_EVENTS = 100.0
TAIL_LARGEST_SHARE = 0.1
TAIL_FEWEST_VALUES = 10
TAIL_FROM_EVENTS = 256.0
"""The tail is fitted to the largest hundred scores, at most a tenth of all; where these have fewer
than 10 distinct values, or all weigh less than 256 events, ranks are all there is."""

NEARLY_EXPONENTIAL = 1e-3
PARETO_GRID = 30

SMALLEST_P = 1e-300


def beyond(
    past: Digest, ranks: Ranks, last: float, scores: Floats, start: float, by_rank: Floats
) -> Floats:
    """p-values of scores above the last rank, whose own is `start`, by a generalised Pareto law;
    `by_rank` where there is none."""
    largest = min(TAIL_EVENTS, TAIL_LARGEST_SHARE * ranks.total)
    threshold = past.values[int(np.searchsorted(-ranks.above, -largest))]
    is_above = past.values > threshold
    excess = past.values[is_above] - threshold
    if ranks.total < TAIL_FROM_EVENTS or len(np.unique(excess)) < TAIL_FEWEST_VALUES:
        return by_rank
    with np.errstate(all="ignore"):  # what is not a number after all goes by its rank
        shape, theta = _pareto(excess, past.weights[is_above])
        reach = np.log1p(-theta * (np.append(last, scores) - threshold)) / shape
        p = start * np.exp(reach[0] - reach[1:])
    return np.asarray(np.where(np.isnan(p), by_rank, np.maximum(p, SMALLEST_P)))


def _pareto(excess: Floats, weights: Floats) -> tuple[float, float]:
    """Shape and theta = -shape / scale of the generalised Pareto law (Zhang, Stephens 2009).

    A mean over a grid of theta, weighted by profile likelihood: near to maximum likelihood without
    its iterations. A law that would end somewhere gives way to a nearly exponential one, so that
    what lies beyond its end is still ordered.
    """
    shares = weights / weights.sum()
    quartile = excess[int(np.searchsorted(shares.cumsum(), 0.25))]
    step = 1.0 - np.sqrt(PARETO_GRID / (np.arange(PARETO_GRID) + 0.5))
    theta = 1.0 / excess[-1] + step / (3.0 * quartile)
    shape = (np.log1p(-theta[:, None] * excess) * shares).sum(axis=1)
    log_likelihood = weights.sum() * (np.log(-theta / shape) - shape - 1.0)
    log_likelihood[~np.isfinite(log_likelihood)] = -np.inf
    plausible = np.exp(log_likelihood - log_likelihood.max())
    mean = float((theta * plausible).sum() / plausible.sum())
    if mean >= 0.0:
        return NEARLY_EXPONENTIAL, -NEARLY_EXPONENTIAL / float((excess * shares).sum())
    return float((np.log1p(-mean * excess) * shares).sum()), mean
