"""The streams that nothing was chosen by: what they hold, and that they can be measured."""

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import bundled_sets, held_out, quality, synthetic_streams
from tests.benchmarks.streams import FIRST
from tests.benchmarks.synthetic_streams import KINDS


@pytest.mark.parametrize("name", KINDS)
def test_a_made_up_stream_is_finite_has_some_anomalies_and_comes_again_from_its_seed(
    name: str,
) -> None:
    one, again, other = (synthetic_streams.made(name, seed) for seed in (0, 0, 1))
    assert len(one) == synthetic_streams.ROWS
    assert 0.01 < one.labels.mean() < 0.25
    assert 3 <= one.labels[FIRST:].sum()
    assert np.isfinite(one.rows).all()
    assert one.events.equals(again.events) and (one.labels == again.labels).all()
    assert not one.events.equals(other.events)


def test_columns_taken_from_other_rows_leave_the_marginals_as_they_are() -> None:
    stream = synthetic_streams.made("joint_structure")
    deviations = stream.rows.std(axis=0)
    odd, normal = stream.rows[stream.labels], stream.rows[~stream.labels]
    assert np.all(np.abs(odd.mean(axis=0) - normal.mean(axis=0)) < 0.35 * deviations)
    assert np.abs(np.corrcoef(normal.T) - np.corrcoef(odd.T)).max() > 0.3


@pytest.mark.parametrize("name", bundled_sets.KINDS)
def test_an_outlier_set_keeps_a_few_rows_of_one_class(name: str) -> None:
    stream = bundled_sets.made(name)
    assert stream.labels.sum() == bundled_sets.KINDS[name].kept
    assert stream.labels.mean() < 0.08
    assert np.isfinite(stream.rows).all()


def test_an_unknown_stream_is_named() -> None:
    with pytest.raises(ValueError, match="no stream is called 'b'; choose from joint_structure"):
        list(held_out.every(["b"]))


def test_both_groups_are_measured_once_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.jsonl"
    chosen = ["--streams", "leak", "wine", "--methods", "reservoir distance"]
    for _ in range(2):
        held_out.main([*chosen, "--seeds", "1", "--results", str(results)])
    assert [line["stream"] for line in quality.read(results)] == ["leak", "wine"]
    shown = capsys.readouterr().out
    assert "| wine |" in shown.split("## Bundled sets")[1]
    assert shown.endswith(results.with_suffix(".md").read_text().partition("\n\n")[2])
    held_out.main(["--tables", "--results", str(tmp_path / "none.jsonl")])
    assert capsys.readouterr().out.count("no results yet") == 2
