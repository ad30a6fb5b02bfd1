"""The geometry of the report's figures: numbers in, paths and ticks in SVG units out.

Nothing here knows HTML; the template draws what a `Figure` holds. All figures share one width and
one frame, so that columns of the page line up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 960.0, 72.0, 12.0, 16.0, 40.0


class Tick(NamedTuple):
    """A place on an axis and the words beside it."""

    at: float
    label: str


class Path(NamedTuple):
    """A line or an area, drawn in the style of its class."""

    d: str
    style: str


class Bar(NamedTuple):
    """A rectangle and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    style: str
    says: str


class Marker(NamedTuple):
    """A triangle standing on a point, and what it says when pointed at."""

    x: float
    y: float
    says: str


class Figure(NamedTuple):
    """One drawing with the words that say the same: a title, a description and a table."""

    name: str
    title: str
    description: str
    height: float
    x_label: str
    y_label: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    paths: Sequence[Path] = ()
    bars: Sequence[Bar] = ()
    markers: Sequence[Marker] = ()
    legend: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


class Scale(NamedTuple):
    """A map from values in [low, high] to SVG units in [start, end].

    A bent scale is near linear around 0 and near logarithmic far from it (asinh).

    >>> Scale(0.0, 10.0, 100.0, 200.0).at(5.0)
    150.0
    """

    low: float
    high: float
    start: float
    end: float
    bent: bool = False

    def at(self, value: float) -> float:
        """The place of a value; values beyond the ends stay at the ends."""
        bend = math.asinh if self.bent else float
        low, high = bend(self.low), bend(self.high)
        share = (bend(min(max(value, self.low), self.high)) - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, most: int = 8) -> list[Tick]:
        """About `most` round values with their labels."""
        wide = self.bent and math.asinh(self.high) - math.asinh(self.low) > 4.0
        values = _powers(self.low, self.high, most) if wide else _round(self.low, self.high, most)
        return [Tick(self.at(value), readable(value)) for value in values]


def across(low: float, high: float, *, bent: bool = False) -> Scale:
    """The horizontal scale of a figure."""
    return Scale(*_apart(low, high), LEFT, WIDTH - RIGHT, bent)


def upward(low: float, high: float, height: float, *, bent: bool = False) -> Scale:
    """The vertical scale of a figure of this height; larger values stand higher."""
    return Scale(*_apart(low, high), height - BOTTOM, TOP, bent)


def line(points: Sequence[tuple[float, float]], x: Scale, y: Scale) -> str:
    """A path through points; those with a value that is not finite are left out. A single point
    is a dash, since a line of no length cannot be seen.

    >>> line([(0.0, 0.0), (1.0, 2.0)], Scale(0, 1, 0, 10), Scale(0, 2, 20, 0))
    'M0.0 20.0L10.0 0.0'
    """
    places = [f"{x.at(a)} {y.at(b)}" for a, b in points if math.isfinite(a) and math.isfinite(b)]
    if len(places) == 1:
        return f"M{places[0]}m-6 0h12"
    return "M" + "L".join(places) if places else ""


def band(points: Sequence[tuple[float, float, float]], x: Scale, y: Scale) -> str:
    """A closed path around (place, lower, upper)."""
    there = [(a, upper) for a, _, upper in points]
    back = [(a, lower) for a, lower, _ in reversed(points)]
    return line(there + back, x, y) + "Z" if points else ""


def readable(value: float) -> str:
    """A number as people write it, to four figures.

    >>> [readable(v) for v in (49097, 0.00123, 1e300, -2.5, 0.0)]
    ['49,097', '0.00123', '1e300', '-2.5', '0']
    """
    if value == 0.0 or not math.isfinite(value):
        return "0" if value == 0.0 else str(value)
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}"
    text = f"{value:,.4g}" if 1e-4 <= abs(value) < 1e6 else f"{value:.3g}"
    return text.replace("e+", "e").replace("e-0", "e-").replace("e0", "e")


def counted(number: int, what: str) -> str:
    """So many of something, in words.

    >>> counted(1, "event"), counted(1200, "alarm")
    ('1 event', '1,200 alarms')
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _apart(low: float, high: float) -> tuple[float, float]:
    if low < high:
        return low, high
    room = max(abs(low) * 0.1, 0.5)
    return low - room, low + room


def _round(low: float, high: float, most: int) -> list[float]:
    # Halved before it is subtracted: the distance of two finite numbers may overflow.
    rough = (high / 2 - low / 2) / most * 2
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    return _stepped(math.ceil(low / step), lambda n: n * step, high)


def _stepped(first: int, value: Callable[[int], float], high: float) -> list[float]:
    values: list[float] = []
    while value(first) <= high * (1 + 1e-12) + 1e-300 and len(values) < 20:
        values.append(round(value(first), 12) if abs(value(first)) < 1e3 else value(first))
        first += 1
    return values


def _powers(low: float, high: float, most: int) -> list[float]:
    """Powers of ten on both sides of zero, thinned out to about `most`."""
    largest = math.floor(math.log10(max(abs(low), abs(high), 1.0)))
    positive = [10.0**k for k in range(largest + 1)]
    stride = max(1, math.ceil(len(positive) * (2 if low < -1.0 else 1) / most))
    positive = positive[::-stride][::-1] if stride > 1 else _finer(positive, most)
    values = [-v for v in reversed(positive)] + [0.0, *positive]
    return [value for value in values if low <= value <= high]


def _finer(powers: list[float], most: int) -> list[float]:
    return sorted({m * p for p in powers for m in (1, 3)}) if 2 * len(powers) <= most else powers
