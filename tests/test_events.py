"""The same event gives the same row, whatever it came in; what is no event is refused."""

import decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from stream_dagmm.arithmetic import Floats
from stream_dagmm.events import Table, as_events
from stream_dagmm.features import Columns


def rows_of(sequence: Any) -> Floats:
    return Columns(64).learn(as_events(sequence), 1)


def same(one: Floats, other: Floats) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    "one",
    [1, 1.0, True, np.int8(1), np.float32(1), np.float64(1), np.bool_(True), decimal.Decimal(1)],
    ids=lambda one: type(one).__name__,
)
def test_one_is_one_in_every_type(one: object) -> None:
    assert rows_of([{"a": one}]).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    "missing",
    [None, float("nan"), float("inf"), -float("inf"), np.float32("nan"), 10**400, pd.NA, pd.NaT],
    ids=str,
)
def test_what_is_not_finite_is_missing_and_missing_is_absent(missing: object) -> None:
    one, other = Columns(8), Columns(8)
    one.learn(as_events([{"a": missing, "b": 1.0}, {"a": 2.0, "b": missing}]), 1)
    other.learn(as_events([{"b": 1.0}, {"a": 2.0}]), 1)
    assert one.places == other.places
    assert same(
        one.encode(as_events([{"a": missing, "b": 3.0}]), 3),
        other.encode(as_events([{"b": 3.0}]), 3),
    )


TABLE: dict[str, list[Any]] = {
    "amount": [1.5, None, -3.0, 1e308],
    "count": [1, 2, 3, 2**53],
    "flag": [True, False, None, True],
    "shop": ["A", None, "naïve", ""],
    "empty": [None, None, None, None],
}
SEQUENCE = [dict(zip(TABLE, row, strict=True)) for row in zip(*TABLE.values(), strict=True)]

FRAMES = {
    "pandas": lambda: pd.DataFrame(TABLE),
    "pandas-nullable": lambda: pd.DataFrame(TABLE).convert_dtypes(),
    "pandas-objects": lambda: pd.DataFrame(TABLE, dtype=object),
    "pandas-categories": lambda: pd.DataFrame(TABLE).astype({"shop": "category"}),
    "pandas-arrow": lambda: pa.table(TABLE).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda: pl.DataFrame(TABLE),
    "polars-categories": lambda: pl.DataFrame(TABLE).cast({"shop": pl.Categorical}),
    "pyarrow": lambda: pa.table(TABLE),
    "pyarrow-dictionary": lambda: pa.table(
        {**TABLE, "shop": pa.array(TABLE["shop"]).dictionary_encode()}
    ),
}
every_frame = pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)


@every_frame
def test_a_dataframe_is_its_events_bit_for_bit(frame: Any) -> None:
    """Twice: the first time the features are new, the second time the fast path takes them."""
    one, other = Columns(64), Columns(64)
    for known in (1, 5):
        assert same(one.learn(as_events(frame()), known), other.learn(as_events(SEQUENCE), known))
        assert one.places == other.places
    assert same(one.encode(as_events(frame()), 6), other.encode(as_events(SEQUENCE), 6))


@every_frame
def test_a_dataframe_that_overflows_is_its_events_bit_for_bit(frame: Any) -> None:
    one, other = Columns(2), Columns(2)
    for _ in range(2):
        assert same(one.learn(as_events(frame()), 1), other.learn(as_events(SEQUENCE), 1))
        assert one.overflowed == other.overflowed > 0


@every_frame
def test_a_dataframe_is_left_as_it_was(frame: Any) -> None:
    given_frame, again = frame(), frame()
    columns = Columns(64)
    for _ in range(2):
        columns.learn(as_events(given_frame), 1)[:] = -1.0
    assert str(given_frame) == str(again)


PLAIN_TABLES: dict[str, dict[str, list[Any]]] = {
    "integers": {"a": [1, -2, 3], "b": [4, 5, 2**53]},
    "doubles": {"a": [1.0, -2.5, 3.0], "b": [0.1, None, float("inf")]},
    "integers and doubles": {"a": [1, -2, 3], "b": [0.5, 0.25, -1e308]},
    "missing integers": {"a": [1, None, 3], "b": [4, 5, None], "c": [1.5, None, 2.5]},
}


@pytest.mark.parametrize("table", PLAIN_TABLES.values(), ids=PLAIN_TABLES)
@pytest.mark.parametrize(
    "frame_of",
    [pd.DataFrame, lambda table: pd.DataFrame(table).convert_dtypes(), pl.DataFrame, pa.table],
    ids=["pandas", "pandas-nullable", "polars", "pyarrow"],
)
def test_a_dataframe_of_numbers_alone_is_its_events_bit_for_bit(frame_of: Any, table: Any) -> None:
    events = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    one, other = Columns(8), Columns(8)
    for known in (1, 3):
        learned = one.learn(as_events(frame_of(table)), known)
        assert same(learned, other.learn(as_events(events), known))


@pytest.mark.parametrize(
    "table",
    [
        {0: [1, 2, 3], 1: [4, 5, 6]},
        {2: [1, 2, 3], 1: [4.5, 5.5, None], 0: [True, None, False]},
        {1: ["a", "b", None], 0: ["c", "d", "e"], "z": [0.5, 1.5, 2.5]},
        {(0, "a"): [1.0, 2.0, 3.0], (0, "b"): [4.0, 5.0, 6.0]},
        {0.5: [1.0, 2.0, 3.0], -1: [4.0, 5.0, 6.0]},
    ],
    ids=str,
)
def test_no_name_of_a_pandas_column_is_taken_for_a_place(table: dict[Any, list[Any]]) -> None:
    events = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    assert same(rows_of(pd.DataFrame(table)), rows_of(events))


def test_columns_that_have_one_name_as_text_are_refused() -> None:
    with pytest.raises(ValueError, match="the same name as text"):
        as_events(pd.DataFrame({0: [1.0, 2.0], "0": [3.0, 4.0]}))


def test_integers_that_numpy_has_no_type_for_are_read() -> None:
    frame = pl.DataFrame({"a": pl.Series([1, 2, 2**80], dtype=pl.Int128), "b": [1, 2, 3]})
    assert rows_of(frame)[:, 1:].tolist() == [[1.0, 1.0], [2.0, 2.0], [2.0**80, 3.0]]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"id": [2**53 + 1, 2**63 - 1]}),
        pl.DataFrame({"id": [2**53 + 1, 2**63 - 1]}),
        pa.table({"id": [2**53 + 1, 2**63 - 1]}),
    ],
    ids=["pandas", "polars", "pyarrow"],
)
def test_integers_beyond_2_to_the_53_are_rounded_to_the_nearest_double(frame: Any) -> None:
    assert rows_of(frame)[:, 1].tolist() == [2.0**53, 2.0**63]


def test_a_column_of_numbers_and_texts_is_read_event_by_event() -> None:
    column = [1, "A", None, 2.5, True]
    frame = pd.DataFrame({"x": pd.Series(column, dtype=object)})
    assert same(rows_of(frame), rows_of([{"x": value} for value in column]))


@pytest.mark.parametrize("dtype", ["f8", "f4", ">f8", "i8", "u8", "i1", "?", "O"])
def test_an_array_is_its_rows_as_events(dtype: str) -> None:
    array = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    sequence = [{str(j): value for j, value in enumerate(row)} for row in array.tolist()]
    assert same(rows_of(array), rows_of(sequence))
    assert same(rows_of(array[:, ::-1][:, ::-1]), rows_of(sequence))


def test_an_array_is_left_as_it_was() -> None:
    array = np.ones((3, 2))
    columns = Columns(8)
    for _ in range(2):
        columns.learn(as_events(array), 1)[:] = -1.0
    assert (array == 1.0).all()


@pytest.mark.parametrize(
    "array",
    [np.array([["1", "2"]]), np.array([["2020-01-01"]], "M8[D]"), np.array([[1j]])],
    ids=["texts", "dates", "complex"],
)
def test_an_array_of_anything_but_numbers_is_refused(array: Any) -> None:
    with pytest.raises(ValueError, match=r"array.*got"):
        as_events(array)


@pytest.mark.parametrize(
    "events", [None, 3, "events", b"events", {"a": 1.0}, iter([]), np.ones(3), np.ones((1, 1, 1))]
)
def test_what_is_no_sequence_of_events_is_refused(events: Any) -> None:
    with pytest.raises(ValueError, match="events"):
        as_events(events)


@pytest.mark.parametrize("event", [None, 3, "event", [1.0], ("a", 1.0)], ids=repr)
def test_what_is_no_event_is_refused(event: Any) -> None:
    columns = Columns(8)
    with pytest.raises(ValueError, match=type(event).__name__):
        columns.learn(as_events([{"a": 1.0}, event]), 1)
    assert columns.places == {}


@pytest.mark.parametrize("value", [[1.0], {"b": 1}, object(), b"12", 1j, (1,), {1}], ids=repr)
def test_a_value_of_a_wrong_type_is_refused_by_the_name_of_its_feature(value: Any) -> None:
    columns = Columns(8)
    with pytest.raises(ValueError, match=r"feature 'a' is of type .*, expected a number"):
        columns.learn(as_events([{"z": 1.0}, {"a": value}]), 1)
    assert columns.places == {}
    assert columns.overflowed == 0


def test_two_keys_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two features of the event have the same name"):
        as_events([{1: 1.0, "1": 1.0, "z": 3.0}])
    as_events([{1: 1.0, "2": 1.0, np.str_("z"): 3.0}])


def test_dictionaries_are_one_table_whatever_the_order_of_their_keys() -> None:
    events = [{"a": float(n), "b": n, "shop": str(n % 3)} for n in range(600)]
    turned = [dict(reversed(event.items())) if n % 2 else event for n, event in enumerate(events)]
    assert isinstance(as_events(turned), Table)
    for place in (7, 300, 599):
        assert as_events(turned).event(place) == as_events(events).event(place) == events[place]
    assert same(rows_of(turned), rows_of(events))
