"""The page of a comparison: a table, an agreement of scores, and how each latent space formed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stream_dagmm_connectors.evaluation import FIRST_JUDGED, Verdict
from stream_dagmm_connectors.metrics import Counters
from stream_dagmm_connectors.report.charts import readable
from stream_dagmm_connectors.report.latents import Pictures
from stream_dagmm_connectors.report.page import Tile, short, template

STRONGEST_TINT = 55.0
"""Per cent of colour in a cell of a correlation of 1: words stay readable on it, light or dark."""

SPACES: Mapping[str, str] = {
    "dagmm": "The autoencoder's codes beside their two reconstruction features, and the mixture",
    "gaussian-mixture": "The standardised features themselves, and the mixture",
    "pca": "Scores along the principal axes, and the variance that T² measures by",
    "autoencoder": "The autoencoder's codes",
    "vae": "Means of q(z|x), and the prior",
    "gmvae": "Means of q(x|y), and the clusters p(x|w, z) at w = 0",
    "glgae": "Codes z, and the pairs' kernels around B",
}


class Row(NamedTuple):
    """What was found of one detector."""

    name: str
    verdict: Verdict
    us_per_event: float
    """Process time of scoring and learning."""


class Found(NamedTuple):
    """What was found of all."""

    counters: Counters
    rows: Sequence[Row]
    agreement: npt.NDArray[np.float64]
    """[N, N] Spearman's rank correlation of the scores from event `FIRST_JUDGED` on; NaN where
    scores do not vary."""
    pictures: Mapping[str, Pictures]


def page(found: Found, source: str) -> str:
    """The HTML of the page: one file, no network, no script."""
    return template("comparison.html.jinja").render(
        title=f"Detectors on {short(source)}",
        subtitle="Every detector scored each event by what it had learned before it; one pass, "
        "one thread, default arguments unless said.",
        tiles=_tiles(found),
        judged=_judged(found),
        columns=[name for name, _, _ in COLUMNS],
        rows=[{"name": row.name, "cells": cells} for row, cells in table(found.rows)],
        agreement=[
            {"name": row.name, "cells": [_tinted(value) for value in values.tolist()]}
            for row, values in zip(found.rows, found.agreement, strict=True)
        ],
        spaces=[_space(name, kept) for name, kept in found.pictures.items() if kept.panels()],
        refused=[(s, f"{n:,}") for s, n in sorted(found.counters.dead_letters.items())],
        footer="Costs are process time of this machine, in one pass over all detectors: good for "
        "comparing them with each other.",
    )


class Cell(NamedTuple):
    """A figure of the table."""

    value: str
    best: bool


def _auroc(row: Row) -> float | None:
    return row.verdict.auroc


def _precision(row: Row) -> float | None:
    return row.verdict.average_precision


def _cost(row: Row) -> float | None:
    return row.us_per_event


COLUMNS: Sequence[tuple[str, Callable[[Row], float | None], str]] = (
    ("AUROC", _auroc, ".4f"),
    ("average precision", _precision, ".4f"),
    ("µs per event", _cost, ",.1f"),
)
"""Name, figure and form of each; a lower cost is better, of the others the higher is."""


def table(rows: Sequence[Row]) -> list[tuple[Row, list[Cell]]]:
    """The figures of each detector in words, the best of each column marked."""
    best: list[float | None] = []
    for _, figure, _ in COLUMNS:
        known = [value for value in map(figure, rows) if value is not None]
        choose = min if figure is _cost else max
        best.append(choose(known) if known else None)
    return [
        (row, [_cell(row, *column) for column in zip(COLUMNS, best, strict=True)]) for row in rows
    ]


def _cell(
    row: Row, column: tuple[str, Callable[[Row], float | None], str], best: float | None
) -> Cell:
    _, figure, form = column
    value = figure(row)
    return Cell("-" if value is None else format(value, form), value is not None and value == best)


def _tiles(found: Found) -> list[Tile]:
    seen = found.counters
    tiles = [
        Tile("Events", f"{seen.events:,}", "scored by each, then learned"),
        Tile("Detectors", f"{len(found.rows)}", "in one pass"),
    ]
    verdict = found.rows[0].verdict
    if verdict.auroc is not None:
        share = verdict.anomalies / verdict.events
        tiles.append(Tile("Anomalies", f"{verdict.anomalies:,}", f"{share:.2%} of those judged"))
    return tiles


def _judged(found: Found) -> str:
    verdict = found.rows[0].verdict
    if verdict.auroc is None:
        return (
            "No labels of both kinds were seen, so nothing says which detector is right; what "
            "each costs, and how far they agree, can be told."
        )
    return (
        f"Judged on {verdict.events:,} labelled events from event {FIRST_JUDGED} on. The best "
        "figure of each column stands in bold."
    )


def _tinted(value: float) -> dict[str, Any]:
    known = math.isfinite(value)
    return {
        "value": f"{value:.2f}" if known else "-",
        "share": round(STRONGEST_TINT * abs(value), 1) if known else 0,
        "style": "against" if known and value < 0.0 else "along",
    }


def _space(name: str, kept: Pictures) -> dict[str, Any]:
    size = kept.dimensions()
    plane = (
        "" if size <= 2 else f"; the two axes of {size} along which the last picture varies most"
    )
    shares = [(f"{events:,}", ", ".join(map(_share, weights))) for events, weights in kept.shares()]
    return {
        "name": name,
        "description": SPACES[name] + plane,
        "panels": kept.panels(),
        "shares": shares if kept.shares()[-1][1] else [],
    }


def _share(weight: float) -> str:
    return readable(round(weight, 3))
