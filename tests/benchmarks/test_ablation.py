"""Each switch takes something away, only while its run lasts, and the table says what."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stream_dagmm import StreamDAGMM, gate
from stream_dagmm.arithmetic import Floats
from tests.benchmarks import ablation, quality
from tests.benchmarks.ablation import SWITCHES, WHOLE, set_to
from tests.benchmarks.folder import written
from tests.benchmarks.peers import ours
from tests.benchmarks.streams import Stream


def scores(name: str) -> Floats:
    """Of 6,000 events with a curve, a narrow new mode, one far off and a flood: something for each
    mechanism to do."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(6_000, 4)) + 4.0 * random.integers(2, size=(6_000, 1))
    rows[:, 1] = (rows[:, 0] - 2.0) ** 2
    rows[3_000:3_800] = 12.0 + 0.6 * random.normal(size=(800, 4))
    rows[5_000:5_400] = 20.0
    rows[5_500, 0] = 1e6
    events = pl.DataFrame(rows, schema=list("abcd"))
    stream = Stream("s", True, events, np.zeros(len(rows), dtype=np.bool_))
    switch = SWITCHES[name]
    with set_to(switch.names):
        made = ours(lambda seed: StreamDAGMM(seed=seed, **switch.arguments))
        return made.run(stream, 0).scores


@pytest.fixture(scope="module")
def whole() -> Floats:
    return scores(WHOLE)


@pytest.mark.parametrize("name", [name for name in SWITCHES if name != WHOLE])
def test_a_switch_changes_scores_and_leaves_nothing_behind(name: str, whole: Floats) -> None:
    without = scores(name)
    assert np.isfinite(without).all()
    assert not np.array_equal(without, whole)


def test_after_all_switches_everything_is_as_it_was(whole: Floats) -> None:
    np.testing.assert_array_equal(scores(WHOLE), whole)


def test_a_name_that_is_gone_is_an_error_and_what_was_set_is_set_back() -> None:
    strange = gate.STRANGE
    with pytest.raises(AttributeError, match="GONE"), set_to({"gate:STRANGE": 0, "gate:GONE": 1}):
        raise RuntimeError("unreachable")
    assert gate.STRANGE == strange


def test_the_whole_and_what_is_chosen_are_run_once_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, "shuttle", 400)
    results = tmp_path / "results.jsonl"
    chosen = ["--streams", "shuttle", "--seeds", "1", "--results", str(results)]
    for _ in range(2):
        ablation.main([str(tmp_path), *chosen, "--switches", "gate", "training"])
    assert [line["method"] for line in quality.read(results)] == [WHOLE, "gate", "training"]
    shown = capsys.readouterr().out
    assert "| - training | 1 |" in shown
    assert shown.endswith(results.with_suffix(".md").read_text().partition("\n\n")[2])
