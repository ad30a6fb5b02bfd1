"""Exponentially weighted standardisation: every column on the scale of its own recent past.

Rows are standardised by moments of rows learned before them, clipped at `CLIP` standard deviations,
and put on the row grid, so that everything built on them is exact and bounded. What lies beyond the
clip is not lost: it is returned as `beyond`, the logarithm of how far, which detectors add to the
score; each further factor of ten is worth `ORDER` log(10) more, up to the end of the doubles.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import ROW_FRACTION_BITS, Floats

CLIP = 8.0
"""Standard deviations. A value at ten times the largest magnitude ever learned is at least 9
standard deviations from the mean, so past the learned range only `beyond` decides."""

TEACHES_AT_MOST = 10.0
"""Standard deviations that a value may lie from the mean for the moments: one absurd value does not
blind the scale, and a true new level is still reached, by a constant factor every few batches. What
comes more rarely than once in the square of it, 100 events, is never learned in full."""

MOVES_AT_MOST = 3.0
"""Standard deviations from the mean to which a value is held before it moves a level: a level holds
on for tens of events, to all of which one rare value would else lend an innovation."""

SETTLED = 32.0
"""Sightings of a column before `TEACHES_AT_MOST` applies."""

ORDER = 1e-3
"""Nats that a factor e beyond the clip is worth: enough to order extremes. With their full weight
one wild column drowns all others (measured: average precision falls by 0.02 and more)."""

LARGEST = 1e140
"""Magnitude to which learned values are held, so that their squares are finite."""

ROUNDING = 1e-13
"""Deviation, relative to the mean, below which variation is rounding noise: there is none. The
moments of equal values are off by some 1e-16; epoch milliseconds of one second vary by 1e-10."""

LEAST = 1e-280
"""Deviation that is none, whatever the mean: its inverse must be a double."""

GRID = 2.0**-ROW_FRACTION_BITS


class Scale(NamedTuple):
    """Exponentially weighted moments of D columns: arrays [D]."""

    weight: Floats
    """Decayed number of sightings."""
    seen: Floats
    """Number of sightings."""
    mean: Floats
    variance: Floats
    is_count: npt.NDArray[np.bool_]
    """Whether the column counts something: a text bucket or the unknown features."""


class Bounds(NamedTuple):
    """The least and largest value of D columns: arrays [D]."""

    low: Floats
    high: Floats

    def held(self, rows: Floats) -> Floats:
        """The rows [B, D] within the bounds; what is missing stays missing."""
        held = np.minimum(rows, self.high)
        return np.asarray(np.maximum(held, self.low, out=held))


class Ruler(NamedTuple):
    """A scale made ready for measuring rows of D columns: arrays [D]."""

    centre: Floats
    measure: Floats
    """`deviation`."""
    limit: Floats
    """`CLIP` measures; `CLIP` where the column never varied."""
    gain: Floats
    """Steps of the row grid per unit."""
    odd: npt.NDArray[np.intp]
    """Columns of which a deviation must be looked at before it is measured: those that have no
    scale yet, that never varied, or that vary by little more than noise."""
    noise: Floats
    """[odd] deviation that is none; infinite where the column has no scale yet."""
    teaches: Bounds
    """As many deviations from the mean as a value may lie that teaches."""
    moves: Bounds
    """`MOVES_AT_MOST` deviations from the mean."""

    @property
    def varies(self) -> npt.NDArray[np.bool_]:
        """Whether a column ever varied."""
        return self.measure > 0.0


class Standardised(NamedTuple):
    """Rows on the common scale."""

    rows: Floats
    """[B, D] in [-CLIP, CLIP], on the row grid; 0 where missing."""
    beyond: Floats
    """[B] sum over columns of `ORDER` log(|deviation| / (CLIP standard deviations)), 0 inside."""


def fresh() -> Scale:
    """The scale of a detector that has seen nothing: one column, the count of unknown features."""
    return Scale(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1), np.ones(1, dtype=np.bool_))


def widen(scale: Scale, is_text: npt.NDArray[np.bool_]) -> Scale:
    """The scale with columns [D'] added at its end. A text bucket that is new was absent from every
    event so far, so it begins with their weight and mean 0; a number begins with nothing."""
    old = len(scale.weight)
    added = is_text[old:]
    return Scale(
        np.append(scale.weight, np.where(added, scale.weight[0], 0.0)),
        np.append(scale.seen, np.where(added, scale.seen[0], 0.0)),
        np.append(scale.mean, np.zeros(len(added))),
        np.append(scale.variance, np.zeros(len(added))),
        np.append(scale.is_count, added),
    )


def update(scale: Scale, rows: Floats, half_life: float, at_most: float = TEACHES_AT_MOST) -> Scale:
    """The moments after the rows [B, D], in order, the last one with weight 1.

    half_life: events after which a weight has halved; `inf` forgets nothing. at_most: standard
    deviations that a value may lie from the mean. Chan, Golub and LeVeque (1979), equation 2.1,
    with decayed weights.
    """
    if len(rows) == 0:
        return scale
    ages = np.arange(len(rows) - 1, -1, -1.0)
    present = ~np.isnan(rows)
    weights = (2.0 ** (-ages / half_life))[:, None] * present
    values = np.where(present, _bounds(scale, at_most * deviation(scale)).held(rows), 0.0)
    incoming = weights.sum(axis=0)
    seen = np.maximum(incoming, 1e-300)
    centre = (weights * values).sum(axis=0) / seen
    scatter = (weights * (values - centre) ** 2).sum(axis=0)
    kept = scale.weight * 2.0 ** (-len(rows) / half_life)
    total = np.maximum(kept + incoming, 1e-300)
    step = np.where(incoming > 0.0, centre - scale.mean, 0.0)
    between = step**2 * (kept / total) * incoming
    return Scale(
        kept + incoming,
        scale.seen + present.sum(axis=0),
        scale.mean + step * incoming / total,
        (kept / total) * scale.variance + (scatter + between) / total,
        scale.is_count,
    )


def deviation(scale: Scale) -> Floats:
    """Standard deviation [D] that a row is measured by; 0 for a column that never varied."""
    rare = 1.0 / (scale.weight + 1.0)  # a count never seen is expected once in n + 1 events
    variance = np.where(scale.is_count, np.maximum(scale.variance, rare), scale.variance)
    measure = np.sqrt(variance)
    return np.asarray(np.where(measure > _noise(scale), measure, 0.0))


def ruler(scale: Scale, at_most: float = TEACHES_AT_MOST) -> Ruler:
    """The scale made ready, once for all rows. at_most: as for `update`."""
    measure, least = deviation(scale), np.where(scale.seen > 1.0, _noise(scale), np.inf)
    unit = np.where(measure > 0.0, measure, 1.0)
    odd = np.flatnonzero((measure == 0.0) | ~(least < 0.5 * GRID * measure))
    return Ruler(
        centre=scale.mean,
        measure=measure,
        limit=CLIP * unit,
        gain=1.0 / (GRID * unit),
        odd=odd,
        noise=least[odd],
        teaches=_bounds(scale, at_most * measure),
        moves=_bounds(scale, MOVES_AT_MOST * measure),
    )


def _bounds(scale: Scale, reach: Floats) -> Bounds:
    """So far [D] from the mean, in the columns that have settled and vary."""
    settled = (scale.weight >= SETTLED) & (reach > 0.0)
    return Bounds(
        np.where(settled, np.maximum(scale.mean - reach, -LARGEST), -LARGEST),
        np.where(settled, np.minimum(scale.mean + reach, LARGEST), LARGEST),
    )


def standardise(scale: Scale, rows: Floats) -> Standardised:
    """The rows [B, D] on the scale. A column seen less than twice has no scale yet and counts as
    missing; in one that never varied any other value lies beyond the clip, in its own units."""
    return measured(ruler(scale), rows)


def measured(by: Ruler, rows: Floats) -> Standardised:
    """`standardise`, by a ruler."""
    apart = _apart(by, rows)
    within = _within(by, apart)
    return Standardised(_on_grid(by, within), _beyond(by, apart, within))


def placed(by: Ruler, rows: Floats) -> Floats:
    """`measured`, for those who do not ask what lies beyond: rows [B, D] on the common scale."""
    return _on_grid(by, _within(by, _apart(by, rows)))


def _apart(by: Ruler, rows: Floats) -> Floats:
    """Deviations [B, D] from the centre, 0 where missing."""
    apart = rows - by.centre
    np.copyto(apart, 0.0, where=np.isnan(apart))
    if len(by.odd):
        apart[:, by.odd] = _told_apart(by, apart[:, by.odd])
    return apart


def _within(by: Ruler, apart: Floats) -> Floats:
    within = np.minimum(apart, by.limit)
    return np.maximum(within, -by.limit, out=within)


def _on_grid(by: Ruler, within: Floats) -> Floats:
    on_grid = within * by.gain
    np.rint(on_grid, out=on_grid)
    on_grid *= GRID
    return on_grid


def _told_apart(by: Ruler, apart: Floats) -> Floats:
    """Deviations [B, odd] without what is noise; any other of a column that never varied lies
    beyond the clip, by its size in the column's own units, which are the only ones known."""
    varies = by.measure[by.odd] > 0.0
    told = np.where(varies, apart, apart + CLIP * np.sign(apart))
    return np.where(np.abs(apart) > by.noise, told, 0.0)


def _beyond(by: Ruler, apart: Floats, within: Floats) -> Floats:
    """[B] what deviations [B, D] add beyond the clip; most rows have nothing."""
    beyond = np.zeros(len(apart))
    outside = within != apart
    odd = outside.any(axis=1)
    if odd.any():
        far, size = outside[odd], np.abs(apart[odd])
        excess = np.log(np.where(far, size, 1.0)) - np.log(np.where(far, by.limit, 1.0))
        beyond[odd] = ORDER * excess.sum(axis=1)
    return beyond


def _noise(scale: Scale) -> Floats:
    return np.asarray(np.maximum(ROUNDING * np.abs(scale.mean), LEAST))


def carried(old: Scale, new: Scale) -> tuple[Floats, Floats]:
    """Gain and shift [D'] that take standardised rows from the old scale [D] to the new [D'], so
    that statistics kept in standardised units survive the scale's moving."""
    measure = deviation(new)
    varies = measure > 0.0
    unit = np.where(varies, measure, 1.0)
    added = len(new.mean) - len(old.mean)
    before = np.append(deviation(old), np.zeros(added))
    centre = np.append(old.mean, new.mean[len(old.mean) :])
    gain = np.where(varies, before / unit, 0.0)
    return gain, np.where(varies, (centre - new.mean) / unit, 0.0)
