"""From the lines of the quality benchmark to its tables, in Markdown.

A method is ranked on each stream among all that start cold and have a result for every stream at
the same number of rows (average ranks for ties). Whether ranks differ by more than chance: Friedman
test, then the Nemenyi critical difference (Demsar, "Statistical Comparisons of Classifiers over
Multiple Data Sets", JMLR 7, 2006, section 3.2.2).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from stream_dagmm.arithmetic import Floats

FIGURES = ("auroc", "ap", "windowed_auroc", "us_per_event")


class Line(NamedTuple):
    """A stream, a method and a seed, with what was found."""

    stream: str
    method: str
    seed: int
    rows: int
    auroc: float | None
    ap: float | None
    windowed_auroc: float | None
    us_per_event: float
    commit: str


class Cell(NamedTuple):
    """A method on a stream: [seeds, figures], NaN where a figure is not defined."""

    rows: int
    values: Floats

    def mean(self, figure: str) -> float:
        """Over the seeds."""
        return float(self.values[:, FIGURES.index(figure)].mean())

    def spread(self, figure: str) -> float:
        """Standard deviation over the seeds, 0 for one."""
        return float(self.values[:, FIGURES.index(figure)].std())


Cells = Mapping[str, Mapping[str, Cell]]
"""Method to stream to cell."""


def cells(lines: Sequence[Line], methods: Sequence[str]) -> Cells:
    """By method, in their order, and stream; of two lines for the same run the later counts."""
    latest = {(line.method, line.stream, line.seed): line for line in lines}
    found: dict[str, dict[str, Cell]] = {method: {} for method in methods}
    for method, stream in dict.fromkeys((method, stream) for method, stream, _ in latest):
        if method in found:
            runs = [v for k, v in sorted(latest.items()) if k[:2] == (method, stream)]
            values = [[_number(getattr(run, figure)) for figure in FIGURES] for run in runs]
            found[method][stream] = Cell(max(run.rows for run in runs), np.array(values))
    return {method: by_stream for method, by_stream in found.items() if by_stream}


def mean_ranks(values: Floats) -> Floats:
    """Mean rank [K] of K methods from values [N, K], the highest value of a row being rank 1."""
    return np.asarray(stats.rankdata(-values, axis=1).mean(axis=0))


def critical_difference(methods: int, streams: int, alpha: float = 0.05) -> float:
    """Mean ranks further apart than this differ (Nemenyi).

    >>> print(f"{critical_difference(4, 14):.3f}")
    1.254
    """
    quantile = stats.studentized_range.ppf(1.0 - alpha, methods, np.inf) / math.sqrt(2.0)
    return float(quantile * math.sqrt(methods * (methods + 1) / (6.0 * streams)))


def ranked(found: Cells, streams: Sequence[str], cold: Sequence[str]) -> list[str]:
    """The methods that can be compared on all streams."""
    most = _most_rows(found, streams)

    def whole(method: str) -> bool:
        own = found[method]
        return all(s in own and own[s].rows == most[s] for s in streams)

    return [method for method in found if method in cold and whole(method)]


def summary(found: Cells, streams: Sequence[str], cold: Sequence[str]) -> str:
    """One row per method: means over the streams, ranks, and microseconds per event."""
    compared = ranked(found, streams, cold)
    full = _most_rows(found, streams)
    ranks = {figure: _ranks(found, streams, compared, figure) for figure in ("auroc", "ap")}
    head = ("detector", "AUROC", "AP", "rank by AUROC", "rank by AP", "windowed AUROC", "µs/event")
    rows = [_row(method, found[method], full, ranks) for method in found]
    notes = [
        f"Mean over {len(streams)} streams, ± standard deviation over seeds. Ranks are among the "
        f"{len(compared)} that start cold and have every stream at full length; windowed AUROC is "
        "over ordered streams. A count in parentheses: results for so many streams only."
    ]
    for figure, name in (("auroc", "AUROC"), ("ap", "AP")) if len(compared) > 2 else ():
        values = _matrix(found, streams, compared, figure)
        if len(values) > 1:
            _, p = stats.friedmanchisquare(*values.T)
            distance = critical_difference(*values.shape[::-1])
            notes.append(
                f"{name}: Friedman p = {p:.2g}; mean ranks differ at 5 % where they are "
                f"{distance:.2f} apart (Nemenyi)."
            )
    return "\n\n".join([markdown(head, rows), *notes])


def by_stream(found: Cells, streams: Sequence[str]) -> str:
    """One row per stream: AUROC / AP of every method."""
    rows = [[stream, *(_pair(found[method].get(stream)) for method in found)] for stream in streams]
    return markdown(("AUROC / AP", *found), rows)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; all columns but the first are figures."""
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _matrix(found: Cells, streams: Sequence[str], methods: Sequence[str], figure: str) -> Floats:
    values = np.array([[found[m][s].mean(figure) for m in methods] for s in streams])
    return np.asarray(values[~np.isnan(values).any(axis=1)])


def _most_rows(found: Cells, streams: Sequence[str]) -> dict[str, int]:
    return {s: max((own[s].rows for own in found.values() if s in own), default=0) for s in streams}


def _ranks(
    found: Cells, streams: Sequence[str], methods: Sequence[str], figure: str
) -> dict[str, float]:
    values = _matrix(found, streams, methods, figure)
    return dict(zip(methods, mean_ranks(values), strict=True)) if values.size else {}


def _row(
    method: str, own: Mapping[str, Cell], full: dict[str, int], ranks: dict[str, dict[str, float]]
) -> list[str]:
    known = [own[stream] for stream in full if stream in own]
    name = method if len(known) == len(full) else f"{method} ({len(known)})"
    if any(own[stream].rows < full[stream] for stream in full if stream in own):
        name += f", up to {max(cell.rows for cell in known):,} rows"
    return [
        name,
        *(_mean(known, figure) for figure in ("auroc", "ap")),
        *(f"{ranks[f][method]:.1f}" if method in ranks[f] else "" for f in ("auroc", "ap")),
        _mean(known, "windowed_auroc"),
        f"{us_per_event(known):,.0f}",
    ]


def _mean(known: Sequence[Cell], figure: str) -> str:
    """Mean over streams; the spread is that of this mean over the seeds that every stream has."""
    seeds = min(len(cell.values) for cell in known)
    place = FIGURES.index(figure)
    per_seed = [np.array([cell.values[seed, place] for cell in known]) for seed in range(seeds)]
    defined = [values[~np.isnan(values)] for values in per_seed]
    if not all(values.size for values in defined):
        return ""
    spread = f" ± {np.std([v.mean() for v in defined]):.3f}" if seeds > 1 else ""
    return f"{np.mean([v.mean() for v in defined]):.3f}{spread}"


def us_per_event(known: Sequence[Cell]) -> float:
    """Over all events of all streams."""
    us = [cell.mean("us_per_event") for cell in known]
    return float(np.average(us, weights=[cell.rows for cell in known]))


def _pair(cell: Cell | None) -> str:
    if cell is None:
        return ""
    pair = (cell.mean("auroc"), cell.mean("ap"))
    return "" if math.isnan(pair[0]) else " / ".join(f"{value:.3f}" for value in pair)
