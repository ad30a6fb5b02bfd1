"""The paper's protocol: what is learned, what is scored, and what is called an anomaly."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.benchmarks import paper, quality
from tests.benchmarks.folder import written
from tests.benchmarks.paper import PLANS, halved, judged
from tests.benchmarks.streams import Stream


def a_set(count: int, odd_share: float) -> Stream:
    labels = np.arange(count) < odd_share * count
    return Stream("s", False, pl.DataFrame({"n": np.arange(count, dtype=np.float64)}), labels)


def test_normal_rows_of_one_half_are_learned_and_the_other_half_is_scored() -> None:
    whole = a_set(1_000, 0.1)
    halves = halved(whole, PLANS["Thyroid"], seed=3)
    learned = set(halves.learned.events["n"].to_list())
    scored = set(halves.scored.events["n"].to_list())
    assert not halves.learned.labels.any() and not learned & scored
    assert len(halves.scored) == 500 and 20 < halves.scored.labels.sum() < 80
    assert learned | scored | set(range(100)) == set(range(1_000))
    assert scored != set(halved(whole, PLANS["Thyroid"], seed=4).scored.events["n"].to_list())


def test_drawn_anomalies_have_their_share_and_are_others_in_each_run() -> None:
    whole, plan = a_set(1_000, 0.8), PLANS["KDDCUP-Rev"]
    one, other = (halved(whole, plan, seed) for seed in (0, 1))
    assert len(one.scored) == 125
    assert len(one.learned) + one.scored.labels.sum() <= 250
    odd = [set(half.events["n"].filter(half.labels)) for half in (one.scored, other.scored)]
    assert odd[0] != odd[1]


def test_so_many_as_the_set_has_are_called_anomalies_and_ties_are_left_to_chance() -> None:
    labels = np.arange(1_000) < 200
    assert judged(labels.astype(float), labels, 0.2, seed=0) == pytest.approx(
        {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    )
    tied = judged(np.zeros(1_000), labels, 0.2, seed=0)
    assert 0.1 < tied["precision"] < 0.3


def test_each_run_is_kept_once_and_the_table_has_it_beside_the_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, "odds_thyroid", 400)
    results = tmp_path / "results.jsonl"
    chosen = ["--sets", "Thyroid", "--seeds", "1", "--results", str(results)]
    for _ in range(2):
        paper.main([str(tmp_path), *chosen])
    lines = quality.read(results)
    assert [line["method"] for line in lines] == list(paper.METHODS)
    assert all(0.0 <= line["f1"] <= 1.0 for line in lines)
    shown = capsys.readouterr().out
    assert "| Thyroid | DAGMM as published |  | 0.4766 | 0.4834 | 0.4782 |" in shown
    assert "|  | faithful (1) | 50 |" in shown
    assert shown.endswith(results.with_suffix(".md").read_text().partition("\n\n")[2])
