"""What the tables of the quality benchmark show, in sentences."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from tests.benchmarks.tables import FIGURES, Cell, Cells

FAR_BEHIND = 0.05
LONG = 5_000
"""Rows from which on the spread over seeds is held to a bar."""


def behind(found: Cells, first: str, norm: str, cold: Sequence[str]) -> list[str]:
    """Where `first` is far behind the norm, or behind the best other that starts cold."""
    said = []
    others = [method for method in found if method in cold and not method.startswith(first)]
    for stream, cell in found.get(first, {}).items():
        own = cell.mean("auroc")
        theirs = {
            method: found[method][stream].mean("auroc")
            for method in others
            if stream in found[method] and found[method][stream].rows == cell.rows
        }
        theirs = {method: value for method, value in theirs.items() if not math.isnan(value)}
        best = max(theirs, key=lambda method: theirs[method], default=None)
        for rival in dict.fromkeys((norm, best)):
            if rival in theirs and own < theirs[rival] - FAR_BEHIND:
                said.append(f"{stream}: AUROC {own:.3f}, {rival} {theirs[rival]:.3f}")
    return said


def steadiness(found: Cells, first: str, untrained: str) -> list[str]:
    """Spread over seeds on long streams, and what training is worth."""
    said = []
    long = {s: c.spread("auroc") for s, c in found.get(first, {}).items() if c.rows > LONG}
    if long:
        widest = max(long, key=lambda stream: long[stream])
        said.append(
            f"Largest standard deviation over seeds, streams above {LONG:,} rows: "
            f"{long[widest]:.4f} AUROC ({widest})"
        )
    both = [s for s in found.get(first, {}) if s in found.get(untrained, {})]
    for figure in ("auroc", "ap"):
        gains = [_gain(found[first][s], found[untrained][s], figure) for s in both]
        gains = [gain for gain in gains if not math.isnan(gain)]
        if any(gains):
            p = stats.wilcoxon(gains).pvalue
            said.append(
                f"Trained minus untrained, {figure}: mean {np.mean(gains):+.4f}, worst "
                f"{min(gains):+.4f}, over {len(gains)} streams (Wilcoxon p = {p:.2g})"
            )
    return said


def best_others(found: Cells, first: str, cold: Sequence[str]) -> list[str]:
    """What it would be to know for each stream which other cold start is best on it."""
    others = [method for method in found if method in cold and not method.startswith(first)]
    said = []
    for figure, name in (("auroc", "AUROC"), ("ap", "AP")):
        best = [
            max(_defined(found[m][s], figure, cell.rows) for m in others if s in found[m])
            for s, cell in found.get(first, {}).items()
            if any(s in found[m] for m in others)
        ]
        if best:
            said.append(f"{name} {np.mean(best):.3f}")
    return (
        [f"Whichever other is best on each stream, in the mean: {', '.join(said)}"] if said else []
    )


def beside(found: Cells, first: str, others: Sequence[str]) -> list[str]:
    """On which stream each of the others gains most over `first`, and on which it loses most."""
    said = []
    for method in others:
        gains = {
            stream: _gain(cell, found[first][stream], "ap")
            for stream, cell in found.get(method, {}).items()
            if stream in found.get(first, {}) and found[first][stream].rows == cell.rows
        }
        gains = {stream: gain for stream, gain in gains.items() if not math.isnan(gain)}
        if gains:
            most, least = (choose(gains, key=lambda s: gains[s]) for choose in (max, min))
            told = "; ".join(
                f"{stream} {_pair(found[method][stream])} against {_pair(found[first][stream])}"
                for stream in (most, least)
            )
            said.append(f"{method} beside {first}, AUROC / AP at best and at worst: {told}")
    return said


def _pair(cell: Cell) -> str:
    return f"{cell.mean('auroc'):.3f} / {cell.mean('ap'):.3f}"


def _defined(cell: Cell, figure: str, rows: int) -> float:
    """A figure, and for want of one the least there is."""
    value = cell.mean(figure)
    return 0.0 if math.isnan(value) or cell.rows != rows else value


def _gain(one: Cell, other: Cell, figure: str) -> float:
    """Mean difference over the seeds that both have."""
    place, seeds = FIGURES.index(figure), min(len(one.values), len(other.values))
    return float((one.values[:seeds, place] - other.values[:seeds, place]).mean())
