"""The benchmark of a new normal, on filters whose answer is known."""

from pathlib import Path

import numpy as np

from stream_dagmm.arithmetic import Floats
from tests.benchmarks import new_normal
from tests.benchmarks.new_normal import AFTER, BEFORE, METHODS, cell, shares
from tests.benchmarks.streams import Bools


def test_shares_are_of_the_first_and_the_last_events_after_the_change() -> None:
    def until_the_middle(rows: Floats, seed: int) -> Bools:
        return np.arange(len(rows)) < BEFORE + AFTER // 2

    assert shares(until_the_middle, 3.0, seed=0) == (1.0, 0.0)
    assert cell(until_the_middle, 3.0, seeds=2) == "100.0% / 0.0%"


def test_the_change_is_in_every_column_by_so_many_deviations_and_for_good() -> None:
    def high(rows: Floats, seed: int) -> Bools:
        found: Bools = rows.min(axis=1) > 10.0
        return found

    assert shares(high, 20.0, seed=0) == (1.0, 1.0)
    assert shares(high, 3.0, seed=0) == (0.0, 0.0)


def test_before_the_change_each_method_has_about_one_alarm_in_a_hundred() -> None:
    rows = np.random.default_rng(7).normal(size=(BEFORE + AFTER, new_normal.COLUMNS))
    for method in METHODS.values():
        assert method(rows, 0)[BEFORE - 1_000 : BEFORE].mean() < 0.03


def test_the_command_keeps_a_row_for_each_method(tmp_path: Path) -> None:
    table = tmp_path / "new_normal.md"
    new_normal.main(["--methods", "StreamDAGMM", "--seeds", "1", "--table", str(table)])
    name, *cells = table.read_text().splitlines()[-1].strip("| ").split(" | ")
    assert name == "StreamDAGMM" and len(cells) == len(new_normal.SHIFTS)
