"""Small pictures of clusters in the plane, side by side in one SVG file."""

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from stream_dagmm.arithmetic import Floats
from stream_dagmm.mixture import Mixture
from tests.benchmarks.clusterers import Labels

SIDE, HEAD, GAP = 190.0, 34.0, 14.0
COLOURS = ("#1f5fbf", "#0f766e", "#b45309", "#6b3fa0", "#be185d", "#4d7c0f", "#0e7490", "#57534e")


class Picture(NamedTuple):
    """Unseen events in the colours of their clusters, centres, and the true Gaussians."""

    title: str
    rows: Floats
    """[B, 2]"""
    labels: Labels
    centres: Floats
    true: Mixture


def drawn(pictures: Sequence[Picture], columns: int) -> str:
    """The pictures in rows of so many, as SVG."""
    wide = math.ceil(columns / 2)
    width = wide * (SIDE + GAP) + GAP
    height = math.ceil(len(pictures) / wide) * (SIDE + HEAD + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
    ]
    for place, picture in enumerate(pictures):
        down, across = divmod(place, wide)
        left, top = GAP + across * (SIDE + GAP), GAP + down * (SIDE + HEAD + GAP)
        parts.append(f'<g transform="translate({left:g} {top:g})">{_panel(picture)}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(picture: Picture) -> str:
    low, high = picture.rows.min(axis=0), picture.rows.max(axis=0)
    unit = SIDE / float((high - low).max() * 1.1)
    middle = (low + high) / 2.0

    def at(point: Floats) -> tuple[float, float]:
        x, y = (point - middle) * unit
        return round(SIDE / 2 + float(x), 1), round(SIDE / 2 - float(y), 1)

    name, _, world = picture.title.rpartition(", ")
    name, _, plane = name.rpartition(", ")
    words = [
        f'<text y="10">{escape(name)}</text>',
        f'<text y="24" fill="#555">{plane}, {world}</text>',
    ]
    frame = f'<rect width="{SIDE:g}" height="{SIDE:g}" fill="none" stroke="#cccccc"/>'
    dots = [
        _dots([at(row) for row in picture.rows[picture.labels == label]], COLOURS[n % len(COLOURS)])
        for n, label in enumerate(np.unique(picture.labels))
    ]
    rings = [
        _ring(at(mean), covariance, unit)
        for mean, covariance in zip(
            picture.true.mean.numpy(), picture.true.covariance.numpy(), strict=True
        )
    ]
    inside = [at(centre) for centre in picture.centres]
    crosses = [
        f'<path d="M{x - 5} {y}h10M{x} {y - 5}v10" stroke="#000000" stroke-width="2"/>'
        for x, y in inside
        if 0.0 <= x <= SIDE and 0.0 <= y <= SIDE
    ]
    moved = f'<g transform="translate(0 {HEAD - 4:g})">'
    return "".join([*words, moved, frame, *dots, *rings, *crosses, "</g>"])


def _dots(places: Sequence[tuple[float, float]], colour: str) -> str:
    path = "".join(f"M{x:g} {y:g}h0" for x, y in places)
    return f'<path d="{path}" stroke="{colour}" stroke-width="3" stroke-linecap="round"/>'


def _ring(at: tuple[float, float], covariance: Floats, unit: float) -> str:
    variances, axes = np.linalg.eigh(covariance)
    small, large = (2.0 * unit * math.sqrt(v) for v in variances.tolist())
    degrees = -math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
    x, y = at
    return (
        f'<ellipse cx="{x}" cy="{y}" rx="{large:.1f}" ry="{small:.1f}" fill="none" '
        f'stroke="#777777" stroke-dasharray="4 3" transform="rotate({degrees:.1f} {x} {y})"/>'
    )
