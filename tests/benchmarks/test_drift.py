"""The benchmark of drift signals, on what is quick to try."""

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import drift
from tests.benchmarks.drift import CHANGES, LAWS, METHODS, delay


@pytest.mark.parametrize("law", LAWS)
def test_scores_are_finite_and_as_many_as_asked_for(law: str) -> None:
    scores = LAWS[law](np.random.default_rng(0), 500)
    assert scores.shape == (500,) and np.isfinite(scores).all()


def test_a_complete_change_is_told_sooner_by_less_patience() -> None:
    told = [delay("normal", "+20", METHODS[f"ours, patience {n}"]) for n in (64, 256)]
    assert 64 <= int(told[0]) < int(told[1]) < 2 * 256


def test_a_change_that_nobody_tells_is_said_to_be_told_never() -> None:
    assert delay("normal", "+1", lambda scores: np.empty(0, dtype=np.int64)) == "never"


def test_the_command_keeps_all_tables(tmp_path: Path) -> None:
    table = tmp_path / "drift.md"
    drift.main(["--methods", "ADWIN", "--table", str(table)])
    rows = [line.split(" | ") for line in table.read_text().splitlines() if line.startswith("|")]
    names = [row[0].removeprefix("| ") for row in rows]
    assert names[2 : 2 + len(LAWS)] == list(LAWS)
    assert sum(name.startswith("lognormal ") for name in names) == len(CHANGES)
