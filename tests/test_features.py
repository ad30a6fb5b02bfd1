"""A fixed place for every feature, whatever comes, goes or is missing."""

import copy
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_dagmm.arithmetic import Floats
from stream_dagmm.cells import BUCKETS, NUMBER, bucket_of
from stream_dagmm.events import as_events
from stream_dagmm.features import SHARED_COLUMNS, Columns, widened
from tests.streams import Event, mixed

names = st.text(max_size=3) | st.sampled_from(["a", "b", "naïve", "\ud800", "a.b", "\0"])
values = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.integers(10**300, 10**320)
    | st.text(max_size=3)
    | st.sampled_from(["\udfff", "nan", "1", np.float32(0.1), np.int8(-3), np.bool_(True), pd.NA])
)
events = st.dictionaries(names, values, max_size=6)


def rows_of(sequence: Any, max_features: int = 64, known: int = 1) -> Floats:
    return Columns(max_features).learn(as_events(sequence), known)


def same(one: Floats, other: Floats) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


@given(st.lists(events, max_size=8), st.randoms())
def test_the_order_of_keys_changes_nothing(sequence: list[Event], random: Any) -> None:
    shuffled = [dict(random.sample(list(e.items()), len(e))) for e in sequence]
    assert same(rows_of(shuffled), rows_of(sequence))


def test_the_order_of_keys_changes_nothing_in_shared_columns() -> None:
    event = {f"field {j}": 0.1 * j**1.3 for j in range(200)}
    turned = dict(reversed(event.items()))
    assert same(rows_of([turned], max_features=1), rows_of([event], max_features=1))


def test_huge_values_that_share_a_column_stay_finite() -> None:
    rows = rows_of([{f"field {j}": 1.7e308 for j in range(100)}], max_features=1)
    assert np.isfinite(rows).all()


@given(st.lists(events, max_size=8))
def test_a_row_is_finite_or_missing_whatever_the_event(sequence: list[Event]) -> None:
    rows = rows_of(sequence, max_features=4)
    assert not np.isinf(rows).any()
    assert np.isfinite(rows[:, 0]).all()


@pytest.mark.parametrize("events", [[{}, {}, {}], np.zeros((3, 0)), pd.DataFrame(index=range(3))])
def test_events_without_features_are_events(events: Any) -> None:
    assert as_events(events).length == 3
    assert rows_of(events).tolist() == [[0.0], [0.0], [0.0]]


@given(st.lists(events, max_size=10), st.integers(0, 5))
def test_columns_are_bounded_and_the_rest_is_counted(sequence: list[Event], most: int) -> None:
    columns = Columns(most)
    for event in sequence:
        columns.learn(as_events([event]), 1)
    assert len(columns.places) <= most
    assert columns.width <= 1 + most + SHARED_COLUMNS
    everything = Columns(10**6)
    everything.learn(as_events(sequence), 1)
    assert (columns.overflowed > 0) == (len(everything.places) > most)


def test_a_text_field_takes_at_most_its_buckets() -> None:
    columns = Columns(10_000)
    columns.learn(as_events([{"shop": f"shop {n}"} for n in range(1000)]), 1)
    assert len(columns.places) == BUCKETS


def test_every_later_sighting_of_a_feature_without_a_column_is_counted() -> None:
    columns = Columns(1)
    columns.learn(as_events([{"a": 1.0}, {"b": 1.0}, {"b": 2.0, "c": "text"}, {"a": 1.0}]), 1)
    assert columns.overflowed == 3


def test_features_that_share_columns_add_up_and_leave_the_others_alone() -> None:
    columns = Columns(1)
    columns.learn(as_events([{"a": 1.0, "b": 1.0}]), 1)
    row = columns.learn(as_events([{"a": 5.0, **{f"f{j}": 1.0 for j in range(160)}}]), 1)[0]
    assert row[:2].tolist() == [0.0, 5.0]
    assert np.nansum(row[2:]) == 160.0
    assert len(row) == 2 + SHARED_COLUMNS


def test_a_new_feature_never_moves_an_older_one() -> None:
    columns = Columns(64)
    places: dict[Any, int] = {}
    for event in mixed(200):
        columns.learn(as_events([event]), 1)
        assert places.items() <= columns.places.items()
        places = dict(columns.places)
    assert sorted(places.values()) == list(range(1, 1 + len(places)))


def test_a_vanished_feature_is_missing_and_its_text_neither_this_nor_that() -> None:
    columns = Columns(64)
    columns.learn(as_events([{"a": 1.0, "shop": "A"}, {"shop": "B"}]), 1)
    places = columns.places
    bucket_a, bucket_b = (places["shop", bucket_of("shop", text)] for text in "AB")
    [other, gone] = columns.encode(as_events([{"shop": "C"}, {}]), 4)
    assert [other[bucket_a], other[bucket_b]] == [0.0, 0.0]
    assert np.isnan(gone[[bucket_a, bucket_b, places["a", NUMBER]]]).all()


@given(st.lists(events, max_size=8), st.data())
def test_rows_do_not_depend_on_how_the_events_were_cut(sequence: list[Event], data: Any) -> None:
    cut = data.draw(st.integers(0, len(sequence)))
    for most in (64, 3):
        whole, parts = Columns(most), Columns(most)
        rows = whole.learn(as_events(sequence), 1)
        halves = [
            parts.learn(as_events(sequence[:cut]), 1),
            parts.learn(as_events(sequence[cut:]), 1),
        ]
        assert same(np.vstack([widened(half, parts.width) for half in halves]), rows)
        assert (parts.places, parts.overflowed) == (whole.places, whole.overflowed)


def test_a_text_field_that_comes_later_was_missing_before_in_every_cut() -> None:
    columns = Columns(8)
    early = columns.learn(as_events([{"x": 1.0}]), 1)
    columns.learn(as_events([{"x": 2.0, "shop": "A"}]), 1)
    together = rows_of([{"x": 1.0}, {"x": 2.0, "shop": "A"}], max_features=8)
    assert same(widened(early, columns.width), together[:1])


def test_unknown_features_are_counted_in_column_0_alike_before_and_after_learning() -> None:
    columns = Columns(2)
    columns.learn(as_events([{"a": 1.0, "shop": "A"}]), 1)
    for event, unknown in [({"a": 1}, 0), ({"b": 1, "c": None, "shop": "B"}, 2), ({"a": "x"}, 1)]:
        assert columns.encode(as_events([event]), 3)[0, 0] == unknown
        assert columns.learn(as_events([event]), 3)[0, 0] == unknown
        assert columns.encode(as_events([event]), 3)[0, 0] == unknown


def test_to_a_model_that_knows_nothing_nothing_is_news() -> None:
    assert Columns(8).encode(as_events([{"a": 1.0, "b": 2.0}]), 1).tolist() == [[0.0]]


@given(st.lists(events, max_size=6), st.lists(events, max_size=3))
def test_encoding_changes_nothing(learned: list[Event], seen: list[Event]) -> None:
    columns = Columns(4)
    columns.learn(as_events(learned), 1)
    before = copy.deepcopy(vars(columns))
    given_events = copy.deepcopy(seen)
    columns.encode(as_events(seen), columns.width)
    assert vars(columns) == before
    assert repr(seen) == repr(given_events)


@given(st.lists(events, max_size=6))
def test_restored_columns_go_on_as_the_standing_ones(learned: list[Event]) -> None:
    columns, restored = Columns(4), Columns(4)
    columns.learn(as_events(learned), 1)
    keys = [(name, bucket) for name, bucket in json.loads(json.dumps(list(columns.places)))]
    restored.restore(keys, columns.overflowed)
    probe = [{"a": 1.0, "new": "text", "b": "A"}]
    assert same(restored.learn(as_events(probe), 1), columns.learn(as_events(probe), 1))
    assert vars(restored) == vars(columns)
