"""Events by columns give the rows, and the bytes, that they give one by one."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from stream_dagmm_connectors.events import PartitionPosition, Time, encode, event_ids
from stream_dagmm_connectors.judged import Judged

finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.text()


class Cells(NamedTuple):
    offset: int
    time: Time
    score: float
    p_value: float
    alarm: bool
    warming_up: bool
    contributions: dict[str, float] | None
    learned: int


events = st.builds(
    Cells,
    offset=st.integers(0, 2**62),
    time=st.none() | words | st.integers(-(2**63), 2**63 - 1) | finite,
    score=finite,
    p_value=st.floats(0, 1, exclude_min=True),
    alarm=st.booleans(),
    warming_up=st.booleans(),
    contributions=st.none() | st.dictionaries(words, finite, max_size=6),
    learned=st.integers(0, 2**62),
)


def judged(run: list[Cells]) -> Judged:
    columns = [list(column) for column in zip(*run, strict=True)][1:]
    return Judged(*columns) if run else Judged()


@given(st.lists(events, max_size=4), words, st.integers(0, 2**31), words)
def test_json_by_columns_is_the_json_of_the_rows(
    run: list[Cells], source: str, partition: int, lineage: str
) -> None:
    offsets = [cells.offset for cells in run]
    places = [PartitionPosition(partition, offset) for offset in offsets]
    rows = judged(run).rows(source, places, lineage)
    ids = event_ids(source, partition, offsets, lineage)
    assert judged(run).encoded(ids, source, partition, offsets, lineage) == [*map(encode, rows)]
    assert [row.id for row in rows] == ids


@given(st.lists(events, max_size=4), st.lists(events, max_size=4))
def test_what_came_later_stands_behind(first: list[Cells], later: list[Cells]) -> None:
    both = judged(first)
    both.extend(judged(later))
    assert both == judged(first + later)
