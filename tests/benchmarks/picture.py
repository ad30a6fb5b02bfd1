"""Quality against cost in one picture: what a detector finds, and what an event costs it."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from tests.benchmarks.tables import Cells, us_per_event

WIDTH, HEIGHT, MARGIN, RIGHT = 600, 380, 56, 200
LINE = 13
"""Least distance of two labels, one above the other."""


class Dot(NamedTuple):
    """A detector in a panel."""

    name: str
    x: float
    y: float
    ours: bool


def svg(found: Cells, names: Sequence[str], first: str) -> str:
    """Two panels, AUROC and average precision over microseconds per event, of the detectors that
    have all the streams; those whose names begin with `first` stand out.

    A mean over streams cut short for slow detectors would flatter or wrong them: they are left out.
    """
    longest = {s: max(own[s].rows for own in found.values() if s in own) for s in names}
    whole = {
        name: own
        for name, own in found.items()
        if all(s in own and own[s].rows == longest[s] for s in names)
    }
    panels = []
    for place, (figure, title) in enumerate((("auroc", "AUROC"), ("ap", "average precision"))):
        dots = []
        for name, own in whole.items():
            values = [own[s].mean(figure) for s in names]
            values = [value for value in values if not math.isnan(value)]
            cost = us_per_event([own[s] for s in names])
            mean = sum(values) / max(len(values), 1)
            dots.append(Dot(name, math.log10(max(cost, 0.1)), mean, name.startswith(first)))
        panels.append(f'<g transform="translate({place * WIDTH} 0)">{_panel(dots, title)}</g>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}" '
    style = 'font-family="sans-serif" font-size="11" fill="#222">'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head + style, paper, *panels, "</svg>\n"])


def _panel(dots: Sequence[Dot], title: str) -> str:
    left, right = math.floor(min(d.x for d in dots)), math.ceil(max(d.x for d in dots) + 0.01)
    low = math.floor(min(d.y for d in dots) * 20) / 20
    high = math.ceil(max(d.y for d in dots) * 20 + 0.2) / 20

    def across(x: float) -> float:
        return MARGIN + (x - left) / (right - left) * (WIDTH - MARGIN - RIGHT)

    def down(y: float) -> float:
        return HEIGHT - MARGIN - (y - low) / (high - low) * (HEIGHT - 2 * MARGIN)

    parts = [_text(MARGIN, MARGIN - 14, f"mean {title}", "start", bold=True)]
    middle = (across(left) + across(right)) / 2
    parts.append(_text(middle, HEIGHT - 12, "microseconds per event", "middle"))
    for power in range(left, right + 1):
        parts += [_rule(across(power), down(low), across(power), down(high))]
        parts += [_text(across(power), HEIGHT - MARGIN + 16, f"{10.0**power:g}", "middle")]
    for step in range(round(low * 20), round(high * 20) + 1):
        parts += [_rule(across(left), down(step / 20), across(right), down(step / 20))]
        parts += [_text(MARGIN - 6, down(step / 20) + 4, f"{step / 20:.2f}", "end")]
    above = -math.inf
    for dot in sorted(dots, key=lambda d: -d.y):
        x, y = across(dot.x), down(dot.y)
        above = max(above + LINE, y + 4)
        colour = "#c2410c" if dot.ours else "#475569"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
        label = WIDTH - RIGHT + 8
        parts.append(_rule(x + 5, y, label - 2, above - 4, colour, 0.35))
        parts.append(_text(label, above, dot.name, "start", bold=dot.ours))
    return "".join(parts)


def _rule(
    x: float, y: float, to_x: float, to_y: float, colour: str = "#94a3b8", opacity: float = 0.3
) -> str:
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-opacity="{opacity}"/>'


def _text(x: float, y: float, said: str, anchor: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(said)}</text>'
