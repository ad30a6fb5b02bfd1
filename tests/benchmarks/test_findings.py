"""Sentences say where ours falls short, and nothing where it does not."""

from tests.benchmarks import findings
from tests.benchmarks.tables import Line, cells

STREAMS = ["s0", "s1", "s2"]
VALUES = {"ours": [0.9, 0.8, 0.7], "norm": [0.8, 0.9, 0.6], "told": [1.0, 1.0, 1.0]}
COLD = ["ours", "norm"]


def line(stream: str, method: str, auroc: float | None, seed: int = 0, rows: int = 9_000) -> Line:
    return Line(stream, method, seed, rows, auroc, auroc, None, 2.0, "abc")


def grid(values: dict[str, list[float]]) -> list[Line]:
    return [line(f"s{n}", m, auroc) for m, of in values.items() for n, auroc in enumerate(of)]


def test_it_is_said_where_ours_is_far_behind_and_nowhere_else() -> None:
    found = cells(grid(VALUES), list(VALUES))
    assert findings.behind(found, "ours", "norm", COLD) == ["s1: AUROC 0.800, norm 0.900"]


def test_the_spread_of_long_streams_and_the_gain_of_training_are_said() -> None:
    lines = [line(s, "ours", v, seed) for s in STREAMS for seed, v in enumerate([0.7, 0.9])]
    lines += [line(s, "untrained", v - 0.1, n) for s in STREAMS for n, v in enumerate([0.7, 0.9])]
    said = findings.steadiness(cells(lines, ["ours", "untrained"]), "ours", "untrained")
    assert "0.1000 AUROC (s0)" in said[0]
    assert "mean +0.1000, worst +0.1000" in said[1]


def test_training_is_judged_on_the_seeds_that_both_have() -> None:
    lines = [line(s, "ours", v, seed) for s in STREAMS for seed, v in enumerate([0.7, 0.9])]
    lines += [line(s, "untrained", 0.6) for s in STREAMS]
    said = findings.steadiness(cells(lines, ["ours", "untrained"]), "ours", "untrained")
    assert "mean +0.1000" in said[1]


def test_the_best_other_is_chosen_for_each_stream_among_those_that_start_cold() -> None:
    found = cells(grid(VALUES | {"more": [0.1, 0.2, 0.9]}), [*VALUES, "more"])
    said = findings.best_others(found, "ours", [*COLD, "more"])
    assert said[0].endswith("AUROC 0.867, AP 0.867")


def test_where_another_gains_and_loses_most_beside_ours_is_said() -> None:
    found = cells(grid(VALUES), list(VALUES))
    (said,) = findings.beside(found, "ours", ["norm"])
    assert said.endswith(
        "s1 0.900 / 0.900 against 0.800 / 0.800; s0 0.800 / 0.800 against 0.900 / 0.900"
    )
    assert not findings.beside(found, "ours", ["nobody"])
