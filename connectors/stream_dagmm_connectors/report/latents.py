"""Pictures of a latent space while it forms: points and components, projected to two dimensions.

All pictures of a detector share one projection and one frame, those of its last picture, so that
what moves in them moved in the latent space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from stream_dagmm_connectors.report.charts import Scale

if TYPE_CHECKING:
    from stream_dagmm.latent import Latent

Floats = npt.NDArray[np.float64]

SIDE = 200.0
"""Of a picture, in SVG units."""

SHOWN = 4
DEVIATIONS = 2.0
"""At which a component's ellipse is drawn."""

LEAST_SHARE = 0.01
"""Of events; components below it are drawn thin."""

SHADES = 8
FRAMED = (0.02, 0.98)
"""Quantiles of the points that set the frame: one absurd event must not shrink the rest to a dot;
what lies outside is drawn on its edge."""


class Snapshot(NamedTuple):
    """A latent space after so many events."""

    events: int
    latent: Latent
    strange: npt.NDArray[np.bool_]
    """[B] which of the points are labelled anomalies."""


class Ellipse(NamedTuple):
    """Two standard deviations of a component."""

    x: float
    y: float
    rx: float
    ry: float
    degrees: float
    style: str


class Panel(NamedTuple):
    """One picture."""

    events: int
    dots: str
    """Path of points."""
    crosses: str
    """Path of labelled anomalies."""
    ellipses: Sequence[Ellipse]


class Pictures:
    """Snapshots of a latent space, at no more than eight numbers of events, evenly apart."""

    MOST = 8

    def __init__(self) -> None:
        self._kept: list[Snapshot] = []
        self._every = 0

    def due(self, events: int) -> bool:
        """Whether enough has happened since the last one."""
        return not self._kept or events >= self._kept[-1].events + self._every

    def add(self, events: int, latent: Latent | None, strange: npt.NDArray[np.bool_]) -> None:
        """Keep one; a space that is not there yet (None), or was just kept, is no picture."""
        if latent is None or (self._kept and self._kept[-1].events == events):
            return
        self._kept.append(Snapshot(events, latent, strange))
        if len(self._kept) > self.MOST:
            self._kept = self._kept[::2]
            self._every = 2 * max(self._every, events // self.MOST)

    def panels(self) -> list[Panel]:
        """Up to four of them, the first and the last included, in order."""
        if not self._kept:
            return []
        places = np.linspace(0, len(self._kept) - 1, min(SHOWN, len(self._kept)))
        chosen = [self._kept[int(place)] for place in np.rint(places)]
        plane = projection(chosen[-1].latent.codes)
        x, y = frame(np.vstack([projected(one.latent.codes, plane) for one in chosen]))
        return [panel(one, plane, x, y) for one in chosen]

    def dimensions(self) -> int:
        """Z at the end."""
        return self._kept[-1].latent.codes.shape[1] if self._kept else 0

    def shares(self) -> list[tuple[int, list[float]]]:
        """Components' weights after so many events."""
        return [(one.events, one.latent.weight.tolist()) for one in self._kept]


def projection(codes: Floats) -> Floats:
    """Axes [Z, 2] along which codes [B, Z] vary most; the dimensions themselves where they are two
    at most."""
    size = codes.shape[1]
    if size <= 2:
        return np.eye(size, 2)
    apart = codes - codes.mean(axis=0)
    _, directions = np.linalg.eigh(apart.T @ apart)
    return np.asarray(directions[:, :-3:-1])


def projected(points: Floats, plane: Floats) -> Floats:
    """Points [B, Z'] on a plane [Z, 2]; dimensions that came later were 0 before."""
    return np.asarray(points @ plane[: points.shape[1]])


def frame(points: Floats) -> tuple[Scale, Scale]:
    """Scales across and upward that hold nearly all points [B, 2]."""
    low, high = np.quantile(points, FRAMED, axis=0)
    room = 0.25 * np.maximum(high - low, 1e-9) + 1e-9
    (left, bottom), (right, top) = (low - room).tolist(), (high + room).tolist()
    return Scale(left, right, 0.0, SIDE), Scale(bottom, top, SIDE, 0.0)


def panel(one: Snapshot, plane: Floats, x: Scale, y: Scale) -> Panel:
    """A snapshot drawn."""
    places = projected(one.latent.codes, plane)
    return Panel(
        one.events,
        "".join(f"M{x.at(a)} {y.at(b)}h0" for a, b in places[~one.strange].tolist()),
        "".join(_cross(x.at(a), y.at(b)) for a, b in places[one.strange].tolist()),
        [_ellipse(one.latent, k, plane, x, y) for k in range(len(one.latent.weight))],
    )


def _cross(x: float, y: float) -> str:
    return f"M{x - 3:.2f} {y - 3:.2f}l6 6m0 -6l-6 6"


def _ellipse(latent: Latent, component: int, plane: Floats, x: Scale, y: Scale) -> Ellipse:
    units = np.array([_unit(x), _unit(y)])
    mean = projected(latent.mean[component][None], plane)[0]
    known = plane[: latent.mean.shape[1]]
    covariance = units[:, None] * (known.T @ latent.covariance[component] @ known) * units
    variances, axes = np.linalg.eigh(covariance)
    small, large = (DEVIATIONS * math.sqrt(max(v, 0.0)) for v in variances.tolist())
    at = [x.start, y.start] + units * (mean - [x.low, y.low])
    thin = "" if latent.weight[component] >= LEAST_SHARE else " scarce"
    return Ellipse(
        round(float(at[0]), 2),
        round(float(at[1]), 2),
        round(large, 2),
        round(max(small, 0.5), 2),
        round(math.degrees(math.atan2(axes[1, 1], axes[0, 1])), 2),
        f"e{component % SHADES}{thin}",
    )


def _unit(scale: Scale) -> float:
    """SVG units of one."""
    return (scale.end - scale.start) / (scale.high - scale.low)
