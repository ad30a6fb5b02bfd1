"""What counts as events: dictionaries, a 2-D array, or any dataframe that narwhals reads.

All are read once, before anything changes, into one of two forms. An event is the same event in
every form: the order of its keys does not matter; 1, 1.0, True, a NumPy scalar and a cell of a
dataframe are one number; null, an absent key, NaN and infinity are all a missing value.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np

from stream_dagmm.arithmetic import Floats
from stream_dagmm.cells import LONGEST_NAME, NUMBER, Cell, cell_of

Event = Mapping[Any, Any]

NUMBERS = {float, int, bool, type(None)}
TEXTS = {str, type(None)}

PLAIN, NUMERIC, OTHER = "double or integer", "other number", "no number"
"""What a dataframe's column holds; NumPy reads what is plain without a cast."""

MANY = 8
"""Dictionaries from which on it pays to look for columns."""

AT_ONCE = 256
"""Dictionaries that are turned into columns together: of more, the garbage collector looks through
the iterators."""


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

    names: tuple[str, ...]
    """The features, as they came."""
    numbers: tuple[str, ...]
    """Those of `values`."""
    values: Floats
    """[B, N] not finite where missing."""
    texts: dict[str, Sequence[str | None]]
    """Per feature B texts, None where missing."""

    @property
    def length(self) -> int:
        """How many events there are."""
        return len(self.values)

    def part(self, start: int, stop: int) -> "Table":
        """The events from `start` up to `stop`."""
        texts = {name: texts[start:stop] for name, texts in self.texts.items()}
        return self._replace(values=self.values[start:stop], texts=texts)

    def event(self, place: int) -> Event:
        """One event."""
        numbers = dict(zip(self.numbers, self.values[place].tolist(), strict=True))
        features = numbers | {name: texts[place] for name, texts in self.texts.items()}
        return {name: features[name] for name in self.names}

    def dictionaries(self) -> list[Event]:
        """The events one by one."""
        return [self.event(place) for place in range(self.length)]


Events = Listed | Table


def as_events(given: Any) -> Events:
    """The given events, read. ValueError for anything that is no event.

    The columns of an array are named "0", "1", and so on.
    """
    if isinstance(given, np.ndarray):
        return _from_array(given)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return _uniform(given) or listed(given)
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


def _uniform(events: Sequence[Event]) -> Table | None:
    """Dictionaries as columns, where all have the same features, each of one type; reading them so
    takes a third of the time."""
    if len(events) < MANY or set(map(type, events)) != {dict}:
        return None
    names = tuple(events[0])
    if not all(type(name) is str and len(name) <= LONGEST_NAME for name in names):
        return None
    columns: dict[str, list[Any]]
    if all(tuple(event) == names for event in events):
        columns = {name: [] for name in names}
        for start in range(0, len(events), AT_ONCE):
            values = zip(
                *(event.values() for event in events[start : start + AT_ONCE]), strict=True
            )
            for column, part in zip(columns.values(), values, strict=True):
                column.extend(part)
    elif all(event.keys() == events[0].keys() for event in events):
        columns = {name: [event[name] for event in events] for name in names}
    else:
        return None
    kinds = {name: set(map(type, column)) for name, column in columns.items()}
    numbers = tuple(name for name in names if kinds[name] <= NUMBERS)
    texts: dict[str, Sequence[str | None]] = {n: columns[n] for n in names if n not in numbers}
    if not all(kinds[name] <= TEXTS for name in texts):
        return None
    try:
        rows = np.array([columns[name] for name in numbers], dtype=np.float64)
    except OverflowError:
        return None  # an integer beyond every double
    return Table(names, numbers, rows.reshape(len(numbers), len(events)).T, texts)


def present(event: Event) -> dict[Any, Any]:
    """The features that have a value: the event as a detector sees it.

    >>> present({"a": 1, "b": None, "c": float("nan"), "d": ""})
    {'a': 1, 'd': ''}
    """
    _require_dictionary(event)
    return {name: value for name, value in event.items() if cell_of(name, value) is not None}


def _from_array(values: np.ndarray[Any, Any]) -> Events:
    if values.ndim != 2 or values.dtype.kind not in "biufO":
        raise ValueError(
            "an array of events must have 2 dimensions and hold numbers, got "
            f"{values.ndim} and {values.dtype}"
        )
    names = tuple(str(place) for place in range(values.shape[1]))
    if values.dtype.kind == "O":
        return listed([dict(zip(names, row, strict=True)) for row in values.tolist()])
    return Table(names, names, values.astype(np.float64), {})


def _from_frame(frame: "nw.DataFrame[Any]") -> Events:
    names = [str(name) for name in frame.columns]
    plainly_named = {str, int}.issuperset(map(type, frame.columns)) and len({*names}) == len(names)
    if not plainly_named or any(len(name) > LONGEST_NAME for name in names):
        return listed(frame.rows(named=True))
    if names != frame.columns:  # a number would be taken for a row's or a column's place
        frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
    schema = {name: _kind(type(dtype)) for name, dtype in frame.schema.items()}
    numbers = [name for name, kind in schema.items() if kind != OTHER]
    rest = [name for name, kind in schema.items() if kind == OTHER]
    texts: dict[str, Sequence[str | None]] = {}
    for name, values in frame[rest].to_dict(as_series=False).items() if rest else ():
        column = _texts(name, values)
        if column is None:  # of mixed types
            return listed(frame.rows(named=True))
        texts[name] = column
    others = [name for name in numbers if schema[name] != PLAIN]
    matrix = _matrix(frame[numbers], others) if numbers else np.empty((len(frame), 0))
    return Table(tuple(names), tuple(numbers), matrix, texts)


@cache
def _kind(dtype: type[nw.dtypes.DType]) -> str:
    if dtype is nw.Float64 or (dtype.is_integer() and dtype not in (nw.Int128, nw.UInt128)):
        return PLAIN
    return NUMERIC if dtype.is_numeric() or dtype is nw.Boolean else OTHER


def _texts(name: object, values: list[Any]) -> Sequence[str | None] | None:
    if set(map(type, values)) <= TEXTS:
        return values
    cells = [cell_of(name, value) for value in values]
    if any(cell is not None and cell[0][1] == NUMBER for cell in cells):
        return None
    return [None if cell is None else str(v) for cell, v in zip(cells, values, strict=True)]


def _matrix(frame: "nw.DataFrame[Any]", others: Sequence[str]) -> Floats:
    """The columns as one array [B, N], in one go where the library can: those named cast first, or
    all of them where that is not enough, as where pandas has its own missing value."""
    for names in (others, frame.columns):
        try:
            cast = frame.with_columns(nw.col(*names).cast(nw.Float64)) if names else frame
            found = cast.to_numpy()
            if found.dtype.kind in "fiu":
                return np.asarray(found, dtype=np.float64)
        except ValueError:  # Arrow's cast does not round integers beyond 2^53
            pass
    columns = [_numbers(frame[name]) for name in frame.columns]
    return np.column_stack([np.empty((len(frame), 0)), *columns])


def _numbers(series: "nw.Series[Any]") -> Floats:
    try:
        return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    except ValueError:  # Python's conversion rounds where Arrow's does not
        cells = [np.nan if value is None else float(value) for value in series.to_list()]
        return np.array(cells, dtype=np.float64)


def _cells(event: Event) -> list[Cell]:
    _require_dictionary(event)
    found = [cell_of(name, value) for name, value in event.items()]
    cells = [cell for cell in found if cell is not None]
    if not all(type(name) is str for name in event) and len({str(n) for n in event}) < len(event):
        raise ValueError(
            f"two features of the event have the same name as text, got {list(event)!r:.200}; "
            "rename one of them"
        )
    return cells


def _require_dictionary(event: object) -> None:
    if not isinstance(event, Mapping):
        raise ValueError(
            f"an event must be a dictionary of features, got {type(event).__name__}: {event!r:.80}"
        )
