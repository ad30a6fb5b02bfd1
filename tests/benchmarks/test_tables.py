"""Tables say what the lines say, and no more."""

import math

import numpy as np
import pytest

from tests.benchmarks import tables
from tests.benchmarks.tables import Line


def line(stream: str, method: str, auroc: float | None, seed: int = 0, rows: int = 9_000) -> Line:
    return Line(stream, method, seed, rows, auroc, auroc, None, 2.0, "abc")


def grid(values: dict[str, list[float]]) -> list[Line]:
    return [
        line(f"s{n}", m, auroc) for m, column in values.items() for n, auroc in enumerate(column)
    ]


STREAMS = ["s0", "s1", "s2"]
VALUES = {"ours": [0.9, 0.8, 0.7], "norm": [0.8, 0.9, 0.6], "told": [1.0, 1.0, 1.0]}
COLD = ["ours", "norm"]


@pytest.mark.parametrize(
    ("methods", "expected"), [(2, 1.960), (3, 2.343), (5, 2.728), (8, 3.031), (10, 3.164)]
)
def test_the_critical_difference_is_that_of_demsar_2006_table_5(
    methods: int, expected: float
) -> None:
    streams = 17
    width = math.sqrt(methods * (methods + 1) / (6 * streams))
    assert tables.critical_difference(methods, streams) / width == pytest.approx(expected, abs=1e-3)


def test_mean_ranks_begin_at_the_best_and_share_ties() -> None:
    values = np.array([[0.9, 0.5, 0.5], [0.1, 0.3, 0.2]])
    np.testing.assert_array_equal(tables.mean_ranks(values), [2.0, 1.75, 2.25])


def test_only_what_starts_cold_is_ranked() -> None:
    found = tables.cells(grid(VALUES), list(VALUES))
    assert tables.ranked(found, STREAMS, COLD) == COLD


def test_what_lacks_a_stream_or_stopped_early_is_not_ranked_and_says_so() -> None:
    lines = [*grid(VALUES), line("s0", "part", 0.9)]
    lines += [line(stream, "short", 0.9, rows=500) for stream in STREAMS]
    found = tables.cells(lines, ["ours", "norm", "part", "short"])
    cold = ["ours", "norm", "part", "short"]
    assert tables.ranked(found, STREAMS, cold) == COLD
    shown = tables.summary(found, STREAMS, cold)
    assert "| part (1) |" in shown and "| short, up to 500 rows |" in shown


def test_the_later_of_two_lines_for_one_run_counts() -> None:
    found = tables.cells([line("s0", "ours", 0.1), line("s0", "ours", 0.9)], ["ours"])
    assert found["ours"]["s0"].mean("auroc") == 0.9


def test_mean_and_spread_are_over_seeds() -> None:
    lines = [line(s, "ours", v, seed) for s in STREAMS for seed, v in enumerate([0.7, 0.9])]
    shown = tables.summary(tables.cells(lines, ["ours"]), STREAMS, ["ours"])
    assert "| ours | 0.800 ± 0.100 |" in shown


def test_a_stream_without_figures_leaves_the_means_of_the_others() -> None:
    lines = [*grid({"ours": [0.5, 0.7]}), line("s2", "ours", None)]
    shown = tables.summary(tables.cells(lines, ["ours"]), STREAMS, ["ours"])
    assert "| ours | 0.600 |" in shown
