"""What a value means is the same on every machine, and takes no memory that grows."""

import tracemalloc

import polars as pl
import pytest

from stream_dagmm.cells import LONGEST_NAME, bucket_of, cell_of
from stream_dagmm.events import as_events
from stream_dagmm.features import Columns


def test_the_hash_of_a_text_is_the_same_on_every_machine() -> None:
    assert [bucket_of("shop", text) for text in ("A", "B", "naïve")] == [3, 25, 26]


def test_a_long_text_has_the_bucket_of_the_same_text_met_again_and_is_not_kept() -> None:
    tracemalloc.start()
    try:
        found = [bucket_of("message", f"{n:0100000}") for n in range(200)]
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [bucket_of("message", f"{n:0100000}") for n in range(200)]
    assert held_bytes < 1_000_000


@pytest.mark.parametrize("value", [1.5, "text"])
def test_of_a_long_name_little_is_kept_and_different_ones_stay_apart(value: float | str) -> None:
    names = ["x" * LONGEST_NAME, *("x" * 100_000 + end for end in ("", "a", "\ud800"))]
    cells = [cell_of(name, value) for name in names]
    assert len(set(cells)) == len(names)
    assert all(cell is not None and len(cell[0][0]) == LONGEST_NAME for cell in cells)


def test_a_long_name_is_the_same_in_every_form_of_the_events() -> None:
    events = [{"y" * 300: float(n), "short": 1.0} for n in range(10)]
    rows = [Columns(4).learn(as_events(given), 1) for given in (events, pl.DataFrame(events))]
    one_by_one = Columns(4)
    alone = [one_by_one.learn(as_events([event]), 1)[0].tolist() for event in events]
    assert rows[0].tolist() == rows[1].tolist() == alone
