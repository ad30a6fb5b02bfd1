"""Streams are cut, ordered and encoded as the protocol of the quality benchmark says."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.benchmarks.folder import written
from tests.benchmarks.streams import PLANS, Plan, every, load


def test_each_plan_has_a_name_of_its_own_and_there_are_fourteen() -> None:
    assert len({plan.name for plan in PLANS}) == 14


def test_no_label_reaches_the_detector(tmp_path: Path) -> None:
    written(tmp_path, "a", 40, attack=["normal"] * 40, label_dagmm=[0] * 40)
    assert load(tmp_path, Plan("a", "a")).events.columns == ["n", "x", "kind"]


def test_an_ordered_stream_starts_at_its_first_row(tmp_path: Path) -> None:
    written(tmp_path, "a", 40)
    stream = load(tmp_path, Plan("a", "a", ordered=True, first_row=10), rows=20)
    assert stream.events["n"].to_list() == list(range(10, 30))


def test_the_whole_stream_starts_at_the_first_row_of_the_file(tmp_path: Path) -> None:
    written(tmp_path, "a", 40)
    assert len(load(tmp_path, Plan("a", "a", ordered=True, first_row=10), rows=0)) == 40


def test_a_set_without_order_is_shuffled_before_it_is_cut_and_always_alike(tmp_path: Path) -> None:
    written(tmp_path, "a", 40)
    one, other = (load(tmp_path, Plan("a", "a"), rows=20) for _ in range(2))
    assert one.events["n"].to_list() == other.events["n"].to_list()
    assert max(one.events["n"]) > 20
    assert (one.labels == (one.events["n"] % 8 == 0).to_numpy()).all()


def test_texts_become_columns_of_0_and_1_for_peers_alone(tmp_path: Path) -> None:
    written(tmp_path, "a", 40)
    stream = load(tmp_path, Plan("a", "a", ordered=True))
    assert stream.events["kind"].dtype == pl.String
    assert stream.rows.shape == (40, 4)
    assert stream.dictionaries[1] == {"n": 1.0, "x": 1.0, "kind_even": 0.0, "kind_odd": 1.0}


def test_a_shorter_stream_keeps_the_columns_of_the_whole(tmp_path: Path) -> None:
    written(tmp_path, "a", 40)
    stream = load(tmp_path, Plan("a", "a", ordered=True))
    np.testing.assert_array_equal(stream.head(1).rows, stream.rows[:1])


def test_a_missing_file_and_an_unknown_stream_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no file a\.csv\.gz"):
        load(tmp_path, Plan("a", "a"))
    with pytest.raises(ValueError, match="no stream is called 'b'; choose from kdd_shuffled"):
        list(every(tmp_path, ["b"], 10))
