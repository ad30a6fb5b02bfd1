"""Scores to p-values and alarms: how rare is a score this large among the scores before it?

The past is an exponentially weighted list of centroids, sorted by score: single scores at the top,
further down groups of neighbours that hold about 2 % of the weight at or above them (a t-digest,
Dunning and Ertl 2019, with a one-sided scale). A p-value is the smoothed rank of Vovk, Gammerman
and Shafer (2005, equation 2.20), uniform on exchangeable scores, ties included. Above the largest
scores, where a rank says no more, a generalised Pareto tail goes on (Siffer et al. 2017).

Functions are pure. New scores wait for a boundary counted in events, so that p-values depend on the
sequence of scores and never on how it was cut into calls.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats

Flags: TypeAlias = npt.NDArray[np.bool_]

BLOCK_EVENTS = 64
"""The past takes scores in at 1, 2, 4, ... 64 events, then every 64."""

MOST_CENTROIDS = 1024
"""Beyond these, neighbours are merged; about 300 are left for the default half-life, 900 for 10^9
events of equal weight."""

GROUP_SHARE = 0.02
GROUP_EVENTS = 0.5
"""Scores two half-lives old weigh a quarter of an event and need not be kept apart."""

FORGOTTEN_EVENTS = 0.1
"""The highest scores are dropped once they weigh less than this together, so that a burst of n
anomalies burdens the tail for about log2(10 n) + 2 half-lives and no longer."""

TAIL_EVENTS = 100.0
TAIL_LARGEST_SHARE = 0.1
TAIL_FEWEST_VALUES = 10
TAIL_FROM_EVENTS = 256.0
"""The tail is fitted to the largest hundred scores, at most a tenth of all; where these have fewer
than 10 distinct values, or all weigh less than 256 events, ranks are all there is."""

NEARLY_EXPONENTIAL = 1e-3
PARETO_GRID = 30

WARM_EVENTS = 512
WARM_ALARMS = 2.0
"""From 2 / alarm_rate events on, ranks alone decide what is an alarm, whatever the tail says."""

LARGEST_SCORE = 1e300
SMALLEST_P = 1e-300


class Past(NamedTuple):
    """What is remembered of the scores: at most some 20 KiB, however long the stream."""

    key: int
    """Hash of the seed, 64 bits."""
    half_life: float
    seen: int
    """Scores seen, those waiting included."""
    values: Floats
    """[C] median scores of the centroids, ascending."""
    weights: Floats
    """[C] decayed numbers of events."""
    spread: Flags
    """[C] whether a centroid's scores differ, and so lie on both sides of its value."""
    waiting: Floats
    """[W] scores since the last boundary, W < 64."""


class Ranks(NamedTuple):
    """What p-values are read from."""

    above: Floats
    """[C] weight above each centroid's value."""
    from_here: Floats
    """[C] the same with the events that tie with it."""
    total: float


def initial(seed: int = 0, half_life: float = 10_000.0) -> Past:
    """The past of a stream that has not begun.

    seed: any integer, decides ties. half_life: events after which a score counts half; inf counts
    all alike. After a rise of all scores alarms come at most at twice their rate one half-life
    later, and within a tenth of it 3.5 half-lives later; after a fall they stay away for
    log2(1 / alarm_rate) half-lives and are within a tenth of their rate 3.5 half-lives after that.
    """
    if not half_life > 0:
        raise ValueError(f"half_life must be positive (inf forgets nothing), got {half_life}")
    digest = hashlib.blake2b(f"{seed:d}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest, "little")
    none = np.empty(0)
    return Past(key, float(half_life), 0, none, none, np.empty(0, dtype=np.bool_), none)


def p_values(past: Past, scores: Floats) -> tuple[Floats, Past]:
    """p-values [B] of the next scores [B], and the past after them.

    p lies in (0, 1]; the p of an event depends on scores before it alone, and the first event's is
    drawn at random. Of two scores met by the same past the higher has the lower p, but for ties.
    ValueError for scores that are not finite.

    >>> _, past = p_values(initial(seed=7, half_life=1e9), np.arange(1000.0))
    >>> p_values(past, np.array([0.5, 500.0, 950.0]))[0].round(3).tolist()
    [0.998, 0.479, 0.011]
    """
    scores = _checked(scores)
    parts, begin = [], 0
    while begin < len(scores):
        part = scores[begin : begin + _block_length(past) - len(past.waiting)]
        parts.append(_p_of_part(past, part))
        past = _with(past, part)
        begin += len(part)
    return (parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])), past


def is_alarm(p: Floats, alarm_rate: float) -> Flags:
    """[B] which p-values are alarms: the one rule, p <= alarm_rate."""
    return np.asarray(p <= alarm_rate)


def is_warming_up(past: Past, count: int, alarm_rate: float) -> Flags:
    """[count] which of the next events come too early for alarms at this rate to mean much."""
    enough = max(WARM_EVENTS, WARM_ALARMS / alarm_rate)
    return np.arange(past.seen, past.seen + count) < enough


def forget(past: Past, events: float) -> Past:
    """The past with the weight of at most so many events: after a change that someone else has
    noticed, p-values follow the new scores that much sooner."""
    if not events > 0:
        raise ValueError(f"events must be positive, got {events}")
    return past._replace(weights=past.weights * min(1.0, events / max(1.0, past.weights.sum())))


def to_tree(past: Past) -> dict[str, Any]:
    """The past as arrays and plain values, for `checkpoint`."""
    return past._asdict()


def from_tree(tree: Mapping[str, Any]) -> Past:
    """The past that `to_tree` took apart, in every bit."""
    return Past(**tree)


def _ranks(past: Past) -> Ranks:
    from_here = past.weights[::-1].cumsum()[::-1]
    half = 0.5 * past.weights * past.spread
    above = from_here - np.where(past.spread, half, past.weights)
    return Ranks(above, from_here - half, float(from_here[0]))


def _checked(scores: Floats) -> Floats:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"scores must have 1 dimension, got {scores.ndim}")
    if not np.isfinite(scores).all():
        place = int(np.argmin(np.isfinite(scores)))
        raise ValueError(f"score {place} must be finite, got {scores[place]}")
    return np.minimum(np.maximum(scores, -LARGEST_SCORE), LARGEST_SCORE)


def _block_length(past: Past) -> int:
    begun = past.seen - len(past.waiting)
    return min(BLOCK_EVENTS, max(1, begun))


def _p_of_part(past: Past, scores: Floats) -> Floats:
    """p-values of scores that meet the same past."""
    tie_break = _uniforms(past.key, past.seen, len(scores))
    if not len(past.values):
        return tie_break
    ranks = _ranks(past)
    weight_above, weight_tied = _weights(past.values, ranks, scores)
    # The event itself counts as one that ties with itself, of the mean weight of those remembered.
    begun = past.seen - len(past.waiting)
    own = 0.5 + 0.5 * 2.0 ** (-begun / past.half_life)
    p = (weight_above + tie_break * (weight_tied + own)) / (ranks.total + own)
    # The first centroid with less than that above it.
    last = min(int(np.searchsorted(-ranks.above, -own, side="right")), len(past.values) - 1)
    far = scores > past.values[last]
    if far.any():
        tied = min(own, ranks.from_here[last] - ranks.above[last])
        start = (ranks.above[last] + tied) / (ranks.total + own)
        p[far] = _beyond(past, ranks, past.values[last], scores[far], start, p[far])
    return np.asarray(np.minimum(p, 1.0))


def _weights(values: Floats, ranks: Ranks, scores: Floats) -> tuple[Floats, Floats]:
    """[B] weight above each score, linear between centroids, and [B] weight that ties with it."""
    above, from_here, total = ranks
    left = values.searchsorted(scores, side="left")
    right = values.searchsorted(scores, side="right")
    is_tied = right > left
    upper, lower = np.minimum(left, len(values) - 1), np.maximum(right - 1, 0)
    gap = values[upper] - values[lower]
    share = np.divide(values[upper] - scores, gap, out=np.zeros(len(scores)), where=gap > 0.0)
    between = from_here[upper] + share * (above[lower] - from_here[upper])
    inside = np.where(left < len(values), between, 0.0)
    weight = np.where(is_tied, above[lower], np.where(right > 0, inside, total))
    return weight, np.where(is_tied, from_here[upper] - above[lower], 0.0)


def _beyond(
    past: Past, ranks: Ranks, last: float, scores: Floats, start: float, by_rank: Floats
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


def _with(past: Past, part: Floats) -> Past:
    waiting = np.concatenate([past.waiting, part])
    if len(waiting) < _block_length(past):
        return past._replace(seen=past.seen + len(part), waiting=waiting)
    values = np.concatenate([past.values, waiting])
    order = values.argsort(kind="stable")
    decayed = past.weights * 2.0 ** (-len(waiting) / past.half_life)
    weights = np.concatenate([decayed, np.ones(len(waiting))])[order]
    spread = np.concatenate([past.spread, np.zeros(len(waiting), dtype=np.bool_)])[order]
    centroids = values[order], weights, spread
    if len(values) > MOST_CENTROIDS:
        centroids = _merged(*centroids)
    return Past(past.key, past.half_life, past.seen + len(part), *centroids, np.empty(0))


def _merged(values: Floats, weights: Floats, spread: Flags) -> tuple[Floats, Floats, Flags]:
    """Fewer centroids: equal ones become one, then neighbours that fall into the same group."""
    values, weights, spread = _grouped(values, weights, spread, values[1:] != values[:-1])
    from_here = weights[::-1].cumsum()[::-1]
    count = int(np.searchsorted(-from_here, -FORGOTTEN_EVENTS))
    values, weights, spread = values[:count], weights[:count], spread[:count]
    from_here = from_here[:count]
    heavy = weights > np.maximum(GROUP_SHARE * from_here, GROUP_EVENTS)
    # Steps of half an event, from 25 events on of 2 % of the weight above.
    middle = (from_here - 0.5 * weights) * (GROUP_SHARE / GROUP_EVENTS)
    steps = np.minimum(middle, 1.0) + np.log(np.maximum(middle, 1.0))
    group = np.floor(steps / GROUP_SHARE)
    apart = (group[1:] != group[:-1]) | heavy[1:] | heavy[:-1]
    return _grouped(values, weights, spread, apart)


def _grouped(
    values: Floats, weights: Floats, spread: Flags, apart: Flags
) -> tuple[Floats, Floats, Flags]:
    """One centroid for each run of neighbours that are not apart [C - 1], at the run's median: it
    is a score that was seen, and what is left of an old extreme cannot move it."""
    begins = np.flatnonzero(np.append(True, apart))
    ends = np.append(begins[1:], len(values)) - 1
    reached = weights.cumsum()
    total = np.add.reduceat(weights, begins)
    median = np.clip(np.searchsorted(reached, reached[ends] - 0.5 * total), begins, ends)
    return values[median], total, spread[median] | (values[begins] < values[ends])


def _uniforms(key: int, begin: int, count: int) -> Floats:
    """Uniform numbers (0, 1] of events begin, begin + 1, ...: splitmix64 (Steele, Lea, Flood 2014)
    at the place of the event's number."""
    number = np.arange(begin + 1, begin + count + 1, dtype=np.uint64)
    bits = np.uint64(key) + number * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return np.asarray(((bits >> np.uint64(11)).astype(np.float64) + 1.0) * 2.0**-53)
