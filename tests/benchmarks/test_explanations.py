"""The benchmark of explanations, on a made-up stream where the answer is known."""

from pathlib import Path

import numpy as np
import polars as pl

from stream_dagmm import StreamDAGMM
from tests.benchmarks import explanations
from tests.benchmarks.explanations import cases, deviations, least_strange, summary
from tests.benchmarks.folder import written
from tests.benchmarks.streams import Stream


def a_stream() -> Stream:
    rows = np.random.default_rng(0).normal(size=(900, 4)) * [1.0, 1.0, 10.0, 0.0]
    labels = np.zeros(900, dtype=np.bool_)
    return Stream("s", True, pl.DataFrame(rows, schema=["a", "b", "c", "never"]), labels)


def test_each_feature_that_has_varied_is_moved_in_each_row_and_comes_first() -> None:
    found = list(cases(a_stream(), rows=2))
    assert [case.feature for case in found] == ["a", "b", "c"] * 2
    assert all(case.rank == 1 and case.first == case.feature for case in found)
    assert all(case.occluded_first == case.feature and case.rise > 1.0 for case in found)
    assert max(case.off for case in found) < 1e-9
    assert summary(found)[:3] == ["6", "100.0%", "100.0% of 6"]


def test_the_row_taken_is_the_least_strange_one_that_is_no_anomaly() -> None:
    stream, detector = a_stream(), StreamDAGMM()
    detector.learn_many(stream.events[:600])
    scores = detector.score_many(stream.events[600:700])
    assert least_strange(detector, stream, slice(600, 700)) == scores.argmin()
    stream.labels[600 + scores.argmin()] = True
    assert least_strange(detector, stream, slice(600, 700)) == np.argsort(scores)[1]


def test_texts_and_constants_are_not_moved() -> None:
    table = pl.DataFrame({"x": [1.0, 3.0], "constant": [2, 2], "kind": ["a", "b"]})
    assert deviations(table) == {"x": 1.0}


def test_the_command_keeps_a_row_for_each_stream_and_for_all(tmp_path: Path) -> None:
    written(tmp_path, "shuttle", 300)
    table = tmp_path / "explanations.md"
    chosen = ["--streams", "shuttle", "--rows", "1", "--table", str(table)]
    explanations.main([str(tmp_path), *chosen])
    kept = table.read_text()
    assert "| shuttle | 2 |" in kept and "| all | 2 |" in kept and "\n- shuttle: " in kept
