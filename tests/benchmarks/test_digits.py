"""The benchmark of clusters on digits: a method whose accuracy is known, and what is kept."""

from pathlib import Path

import numpy as np

from tests.benchmarks import digits


def test_accuracy_is_that_of_the_best_assignment_of_clusters_to_classes() -> None:
    classes = np.repeat(np.arange(10), 3)
    assert digits.accuracy((classes + 4) % 10, classes) == 1.0
    assert digits.accuracy(np.zeros_like(classes), classes) == 0.1


def test_the_command_keeps_mean_and_range_of_each_method(tmp_path: Path) -> None:
    table = tmp_path / "digits.md"
    digits.main(["--methods", "KMeans", "--seeds", "2", "--table", str(table)])
    name, *cells = table.read_text().splitlines()[-1].strip("| ").split(" | ")
    mean, lowest, highest = map(float, cells)
    assert name == "KMeans" and 0.5 < lowest <= mean <= highest < 0.9
