"""Scores to p-values and alarms: how rare is a score this large among the scores before it?

The past is an exponentially weighted digest of scores. A p-value is the smoothed rank of Vovk,
Gammerman and Shafer (2005, equation 2.20), uniform on exchangeable scores, ties included; above
the largest scores a generalised Pareto tail goes on. Where p-values say that the scores have
changed for good (`drift`), the past is forgotten.

Functions are pure. New scores wait for a boundary counted in events, so that p-values depend on the
sequence of scores and never on how it was cut into calls.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from stream_dagmm import tail
from stream_dagmm.arithmetic import Floats
from stream_dagmm.digest import Digest, Flags
from stream_dagmm.drift import Drift

BLOCK_EVENTS = 64
"""The past takes scores in at 1, 2, 4, ... 64 events, then every 64."""

WARM_EVENTS = 512.0
WARM_ALARMS = 2.0
"""From 2 / alarm_rate events on, ranks alone decide what is an alarm, whatever the tail says."""

PATIENCE = 2_000.0
"""Events. On real streams scores wander, and floods and long faults look like a change: with 256
the average precision of p-values falls by 0.12 in the mean over the 11 longer streams of the
quality benchmark, with 512 by 0.10, with 1,100 by 0.03, with this by nothing."""

LEFT_AFTER_DRIFT = 1.0
"""Weight in events of what was before a change, so that as few as 1 / p events after it an old
extreme no longer stands in the way of a p-value p."""

LARGEST_SCORE = 1e300


class Past(NamedTuple):
    """What is remembered of the scores: at most some 20 KiB, however long the stream."""

    key: int
    """Hash of the seed, 64 bits."""
    half_life: float
    seen: int
    """Scores seen, those waiting included."""
    digest: Digest
    waiting: Floats
    """[W] scores since the last boundary, W < 64."""
    waiting_p: Floats
    """[W] their p-values."""
    drift: Drift
    """Whether the past still stands for the present."""
    drifts: int
    """How often it was found that it does not, and forgotten."""


def initial(seed: int = 0, half_life: float = 10_000.0, patience: float = PATIENCE) -> Past:
    """The past of a stream that has not begun.

    seed: any integer, decides ties. half_life: events after which a score counts half; inf counts
    all alike. patience: events after which a complete change of the scores is taken for lasting
    and the past forgotten; inf waits for ever.

    By default alarms are at their rate again 3,000 events after all scores rose or fell, and 6,000
    after they changed by a standard deviation or a factor of 3. By half-life alone, after a rise:
    at most at twice their rate one half-life later, within a tenth of it 3.5 half-lives later;
    after a fall they stay away for log2(1 / alarm_rate) half-lives, and are within a tenth of
    their rate 3.5 half-lives after that.
    """
    if not half_life > 0:
        raise ValueError(f"half_life must be positive (inf forgets nothing), got {half_life}")
    digest = hashlib.blake2b(f"{seed:d}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest, "little")
    drift = Drift.fresh(patience)
    return Past(key, float(half_life), 0, Digest.empty(), np.empty(0), np.empty(0), drift, 0)


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
        past = _with(past, part, parts[-1])
        begin += len(part)
    return (parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])), past


def is_alarm(p: Floats, alarm_rate: float) -> Flags:
    """[B] which p-values are alarms: the one rule, p <= alarm_rate."""
    return np.asarray(p <= alarm_rate)


def is_warming_up(past: Past, count: int, alarm_rate: float) -> Flags:
    """[count] which of the next events come too early for alarms at this rate to mean much."""
    return np.arange(past.seen, past.seen + count) < warm_after(alarm_rate)


def warm_after(alarm_rate: float) -> float:
    """Events after which alarms at this rate are raised.

    >>> warm_after(0.001), warm_after(0.05)
    (2000.0, 512.0)
    """
    return max(WARM_EVENTS, WARM_ALARMS / alarm_rate)


def forget(past: Past, events: float) -> Past:
    """The past with the weight of at most so many events: after a change that someone else has
    noticed, p-values follow the new scores that much sooner."""
    if not events > 0:
        raise ValueError(f"events must be positive, got {events}")
    return past._replace(digest=past.digest.lightened(events))


def to_tree(past: Past) -> dict[str, Any]:
    """The past as arrays and plain values, for `checkpoint`."""
    nested = {"digest": past.digest._asdict(), "drift": past.drift.to_tree()}
    return {**past._asdict(), **nested}


def from_tree(tree: Mapping[str, Any]) -> Past:
    """The past that `to_tree` took apart, in every bit."""
    digest, drift = Digest(**tree["digest"]), Drift.from_tree(tree["drift"])
    return Past(**{**tree, "digest": digest, "drift": drift})


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
    digest = past.digest
    if not len(digest.values):
        return tie_break
    ranks = digest.ranks()
    weight_above, weight_tied = digest.weights_at(ranks, scores)
    # The event itself counts as one that ties with itself, of the mean weight of those remembered.
    begun = past.seen - len(past.waiting)
    own = 0.5 + 0.5 * 2.0 ** (-begun / past.half_life)
    p = (weight_above + tie_break * (weight_tied + own)) / (ranks.total + own)
    # The first centroid with less than that above it.
    last = min(int(np.searchsorted(-ranks.above, -own, side="right")), len(digest.values) - 1)
    far = scores > digest.values[last]
    if far.any():
        tied = min(own, ranks.from_here[last] - ranks.above[last])
        start = (ranks.above[last] + tied) / (ranks.total + own)
        p[far] = tail.beyond(digest, ranks, digest.values[last], scores[far], start, p[far])
    return np.asarray(np.minimum(p, 1.0))


def _with(past: Past, part: Floats, p: Floats) -> Past:
    """The past after scores that got these p-values."""
    waiting, waiting_p = np.append(past.waiting, part), np.append(past.waiting_p, p)
    length = _block_length(past)
    past = past._replace(seen=past.seen + len(part), waiting=waiting, waiting_p=waiting_p)
    return past if len(waiting) < length else _taken(past)


def _taken(past: Past) -> Past:
    """The past with what waits taken in, and with little of what was before if that is past."""
    digest = past.digest.taken(past.waiting, 2.0 ** (-len(past.waiting) / past.half_life))
    drift = past.drift.learned(past.waiting_p)
    none = np.empty(0)
    past = past._replace(digest=digest, drift=drift, waiting=none, waiting_p=none)
    if not drift.told:
        return past
    fresh = Drift.fresh(drift.patience)
    return forget(past, LEFT_AFTER_DRIFT)._replace(drift=fresh, drifts=past.drifts + 1)


def _uniforms(key: int, begin: int, count: int) -> Floats:
    """Uniform numbers (0, 1] of events begin, begin + 1, ...: splitmix64 (Steele, Lea, Flood 2014)
    at the place of the event's number."""
    number = np.arange(begin + 1, begin + count + 1, dtype=np.uint64)
    bits = np.uint64(key) + number * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return np.asarray(((bits >> np.uint64(11)).astype(np.float64) + 1.0) * 2.0**-53)
