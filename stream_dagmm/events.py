"""What counts as events: dictionaries, a 2-D array, or any dataframe that narwhals reads.

All are read once, before anything changes, into one of two forms. An event is the same event in
every form: the order of its keys does not matter; 1, 1.0, True, a NumPy scalar and a cell of a
dataframe are one number; null, an absent key, NaN and infinity are all a missing value.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple
from zlib import crc32

import narwhals as nw
import numpy as np

from stream_dagmm.arithmetic import Floats

BUCKETS = 32
"""Columns that the text values of one field are hashed into; each is made when first learned."""

NUMBER = -1
Key = tuple[str, int]
"""A column's name: (feature, NUMBER), or (feature, bucket of its text)."""
Cell = tuple[Key, float]
Event = Mapping[Any, Any]

NOT_NUMBERS = (bytes, bytearray, complex, np.datetime64, np.timedelta64, np.ndarray)
"""Types that `float` would take, or warn of, though they are no number."""

MISSING = frozenset({"NoneType", "NAType", "NaTType"})


class Listed(NamedTuple):
    """Events one by one, as given and as cells."""

    events: Sequence[Event]
    cells: list[list[Cell]]

    @property
    def length(self) -> int:
        """How many events there are."""
        return len(self.events)

    def part(self, start: int, stop: int) -> "Listed":
        """The events from `start` up to `stop`."""
        return Listed(self.events[start:stop], self.cells[start:stop])

    def event(self, place: int) -> Event:
        """One event."""
        return self.events[place]


class Table(NamedTuple):
    """Events as columns."""

    numbers: dict[str, Floats]
    """Per feature float64 [B], not finite where missing."""
    texts: dict[str, list[str | None]]
    """Per feature B texts, None where missing."""
    length: int

    def part(self, start: int, stop: int) -> "Table":
        """The events from `start` up to `stop`."""
        return Table(
            {name: values[start:stop] for name, values in self.numbers.items()},
            {name: texts[start:stop] for name, texts in self.texts.items()},
            min(stop, self.length) - start,
        )

    def event(self, place: int) -> Event:
        """One event."""
        return self.part(place, place + 1).dictionaries()[0]

    def dictionaries(self) -> list[dict[str, float | str | None]]:
        """The events one by one."""
        columns: dict[str, Any] = {**self.numbers, **self.texts}
        return [
            {name: values[row] for name, values in columns.items()} for row in range(self.length)
        ]


Events = Listed | Table


@lru_cache(maxsize=65_536)
def bucket_of(name: str, text: str) -> int:
    """The bucket of a field's text value: a hash that is the same on every machine."""
    return crc32(f"{name}\0{text}".encode(errors="surrogatepass")) % BUCKETS


def as_events(given: Any) -> Events:
    """The given events, read. ValueError for anything that is no event.

    The columns of an array are named "0", "1", and so on.
    """
    if isinstance(given, np.ndarray):
        return _from_array(given)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return listed(given)
    try:
        frame = nw.from_native(given, eager_only=True)
    except TypeError as error:
        raise ValueError(
            "events must be a dataframe, a 2-D array of numbers or a sequence of dictionaries, "
            f"got {type(given).__name__}"
        ) from error
    return _from_frame(frame)


def listed(events: Sequence[Event]) -> Listed:
    """Dictionaries, read."""
    return Listed(events, [_cells(event) for event in events])


def _from_array(values: np.ndarray[Any, Any]) -> Events:
    if values.ndim != 2 or values.dtype.kind not in "biufO":
        raise ValueError(
            "an array of events must have 2 dimensions and hold numbers, got "
            f"{values.ndim} and {values.dtype}"
        )
    names = [str(place) for place in range(values.shape[1])]
    if values.dtype.kind == "O":
        return listed([dict(zip(names, row, strict=True)) for row in values.tolist()])
    numbers = values.astype(np.float64)
    columns = {name: numbers[:, place] for place, name in enumerate(names)}
    return Table(columns, {}, len(values))


def _from_frame(frame: "nw.DataFrame[Any]") -> Events:
    numbers: dict[str, Floats] = {}
    texts: dict[str, list[str | None]] = {}
    for series in frame.iter_columns():
        name = str(series.name)
        if series.dtype.is_float() or series.dtype.is_integer() or series.dtype == nw.Boolean:
            numbers[name] = _numbers(series)
            continue
        values = series.to_list()
        cells = [_cell(name, value) for value in values]
        if any(cell is not None and cell[0][1] == NUMBER for cell in cells):
            return listed(frame.rows(named=True))  # a column of mixed types
        texts[name] = [
            None if cell is None else str(value) for cell, value in zip(cells, values, strict=True)
        ]
    return Table(numbers, texts, len(frame))


def _numbers(series: "nw.Series[Any]") -> Floats:
    try:
        return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    except ValueError:  # Arrow's cast does not round integers beyond 2^53; Python's does
        cells = [np.nan if value is None else float(value) for value in series.to_list()]
        return np.array(cells, dtype=np.float64)


def _cells(event: Event) -> list[Cell]:
    if not isinstance(event, Mapping):
        raise ValueError(
            f"an event must be a dictionary of features, got {type(event).__name__}: {event!r:.80}"
        )
    found = [_cell(name, value) for name, value in event.items()]
    cells = [cell for cell in found if cell is not None]
    if not all(type(name) is str for name in event) and len({str(n) for n in event}) < len(event):
        raise ValueError(
            f"two features of the event have the same name as text, got {list(event)!r:.200}; "
            "rename one of them"
        )
    return cells


def _cell(name: object, value: object) -> Cell | None:
    """The column and number that a feature's value means; None where it is missing."""
    if type(value) is not float:
        if isinstance(value, str):
            field = str(name)
            return (field, bucket_of(field, value)), 1.0
        if _is_missing(value):
            return None
        value = _number(name, value)
    return ((str(name), NUMBER), value) if isfinite(value) else None


def _number(name: object, value: Any) -> float:
    try:
        if isinstance(value, NOT_NUMBERS):
            raise TypeError
        return float(value)
    except OverflowError:
        return float("inf")  # an integer beyond every double: missing, as infinity is
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"feature {name!r} is of type {type(value).__name__}, expected a number, a boolean, "
            f"a text or None; convert or drop it before the detector"
        ) from error


def _is_missing(value: object) -> bool:
    return value is None or type(value).__name__ in MISSING
