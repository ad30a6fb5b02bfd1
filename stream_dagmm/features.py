"""Events to rows: a fixed place for every feature, whatever comes, goes or is missing.

A row is a float64 vector, one entry a column, NaN where the event says nothing. Numbers and
booleans have one column each. A text value has a 1 in one of a bounded number of columns of its
field, chosen by hash, and 0 in the field's others. Column 0 counts the features (or text buckets)
of the event that were never learned, so that novelty is a feature like any other. Columns are given
out in the order in which features are first learned: a new one never moves an older one.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple
from zlib import crc32

import narwhals as nw
import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats

SHARED_COLUMNS = 16
"""Columns that all features beyond `max_features` share by hash, their values added up."""

BUCKETS = 32
"""Columns that the text values of one field are hashed into; each is made when first learned."""

NUMBER = -1
Key = tuple[str, int]
"""A column's name: (feature, NUMBER), or (feature, bucket of its text)."""
Cell = tuple[Key, float]
Text = list[str | None]

MISSING = frozenset({"NoneType", "NAType", "NaTType"})


class Table(NamedTuple):
    """Events as columns: what a dataframe or an array is taken for."""

    numbers: dict[str, Floats]
    """Per feature float64 [B], not finite where missing."""
    texts: dict[str, Text]
    """Per feature B texts, None where missing."""


Events = Sequence[Mapping[Any, Any]] | Table


class Columns:
    """The table of columns: which feature stands where.

    max_features: columns given out one by one. Features that come later share `SHARED_COLUMNS`
    more, and each of their sightings is counted in `overflowed`.

    >>> columns = Columns(max_features=8)
    >>> columns.learn([{"amount": 3, "shop": "A"}, {"amount": 4.5}], known=1).tolist()
    [[0.0, 3.0, 1.0], [0.0, 4.5, nan]]
    >>> columns.encode([{"amount": 1, "colour": "red"}], known=3).tolist()
    [[1.0, 1.0, nan]]
    """

    def __init__(self, max_features: int) -> None:
        self.max_features = max_features
        self.places: dict[Key, int] = {}
        self.overflowed = 0
        self._fields: dict[str, list[int]] = {}  # the text columns of each field

    @property
    def width(self) -> int:
        """Columns in use, the count of unknown features included."""
        shared = SHARED_COLUMNS if self.overflowed else 0
        return 1 + len(self.places) + shared

    @property
    def is_text(self) -> npt.NDArray[np.bool_]:
        """[W] whether a column stands for a text value."""
        text = np.zeros(self.width, dtype=np.bool_)
        text[[place for (_, bucket), place in self.places.items() if bucket != NUMBER]] = True
        return text

    def learn(self, events: Events, known: int) -> Floats:
        """Rows [B, width] of the events, after giving each new feature its column; column 0 still
        counts what a model of the first `known` columns did not know."""
        if isinstance(events, Table):
            if not self._knows_all(events):
                return self.learn(_dicts(events), known)
            return self._rows_of_table(events, known)
        cells = [_cells(event) for event in events]
        for event in cells:
            self._register(event)
        return self._rows(cells, known)

    def encode(self, events: Events, known: int) -> Floats:
        """Rows [B, known] of the events for a model that has learned the first `known` columns.
        Changes nothing."""
        if isinstance(events, Table):
            if not self._knows_all(events):
                return self.encode(_dicts(events), known)
            return self._rows_of_table(events, known)[:, :known]
        return self._rows([_cells(event) for event in events], known)[:, :known]

    def widen(self, rows: Floats) -> Floats:
        """Rows of a narrower table, with what they say of the columns that were added since."""
        added = np.full((len(rows), self.width - rows.shape[1]), np.nan)
        added[:, self.is_text[rows.shape[1] :]] = 0.0
        return np.hstack([rows, added])

    def restore(self, keys: Sequence[Key], overflowed: int) -> None:
        """Gives the columns out again in a saved order."""
        for key in keys:
            self._add(key)
        self.overflowed = overflowed

    def _register(self, cells: list[Cell]) -> None:
        for key in sorted(key for key, _ in cells if key not in self.places):
            if len(self.places) < self.max_features:
                self._add(key)
            else:
                self.overflowed += 1

    def _add(self, key: Key) -> None:
        self.places[key] = place = len(self.places) + 1
        if key[1] != NUMBER:
            self._fields.setdefault(key[0], []).append(place)

    def _rows(self, events: list[list[Cell]], known: int) -> Floats:
        rows = np.full((len(events), self.width), np.nan)
        rows[:, 0] = 0.0
        for row, cells in zip(rows, events, strict=True):
            for key, _ in cells:
                if key[1] != NUMBER and key[0] in self._fields:
                    row[self._fields[key[0]]] = 0.0
            for key, value in cells:
                place = self.places.get(key)
                if place is not None:
                    row[place] = value
                elif self.overflowed:
                    place = self._shared_place(key)
                    row[place] = value if np.isnan(row[place]) else row[place] + value
                row[0] += self._is_unknown(place, known)
        return np.asarray(np.nan_to_num(rows, nan=np.nan))

    def _is_unknown(self, place: int | None, known: int) -> bool:
        if known <= 1:
            return False  # to a model that knows nothing, nothing is news
        if place is None or place > self.max_features:
            return known <= 1 + self.max_features
        return place >= known

    def _rows_of_table(self, table: Table, known: int) -> Floats:
        rows = np.full((_length(table), self.width), np.nan)
        rows[:, 0] = 0.0
        for name, values in table.numbers.items():
            place = self.places.get((name, NUMBER))
            if place is not None:
                finite = np.isfinite(values)
                rows[:, place] = np.where(finite, values, np.nan)
                rows[:, 0] += finite * self._is_unknown(place, known)
        for name, texts in table.texts.items():
            present = np.flatnonzero([text is not None for text in texts])
            places = [self.places[name, bucket_of(name, t)] for t in texts if t is not None]
            rows[np.ix_(present, np.array(self._fields.get(name, []), dtype=np.intp))] = 0.0
            rows[present, places] = 1.0
            rows[present, 0] += [self._is_unknown(place, known) for place in places]
        return rows

    def _knows_all(self, table: Table) -> bool:
        return all(
            (name, NUMBER) in self.places or not np.isfinite(values).any()
            for name, values in table.numbers.items()
        ) and all(
            (name, bucket_of(name, text)) in self.places
            for name, texts in table.texts.items()
            for text in set(texts) - {None}
            if text is not None
        )

    def _shared_place(self, key: Key) -> int:
        return 1 + self.max_features + bucket_of(key[0], str(key[1])) % SHARED_COLUMNS


@lru_cache(maxsize=65_536)
def bucket_of(name: str, text: str) -> int:
    """The bucket of a field's text value: a hash that is the same on every machine."""
    return crc32(f"{name}\0{text}".encode(errors="surrogatepass")) % BUCKETS


def as_events(events: Any) -> Events:
    """Dictionaries, a 2-D array, or any dataframe that narwhals reads, as `Events`.

    ValueError for anything else. The columns of an array are named "0", "1", and so on.
    """
    if isinstance(events, Table):
        return events
    if isinstance(events, np.ndarray):
        if events.ndim != 2:
            raise ValueError(f"an array of events must have 2 dimensions, got {events.ndim}")
        values = events.astype(np.float64)
        return Table({str(j): values[:, j] for j in range(values.shape[1])}, {})
    if isinstance(events, Sequence) and not isinstance(events, str | bytes):
        return events
    try:
        frame = nw.from_native(events, eager_only=True)
    except TypeError as error:
        raise ValueError(
            f"events must be a dataframe, a 2-D array or a sequence of dictionaries, "
            f"got {type(events).__name__}"
        ) from error
    return _table(frame)


def part(events: Events, start: int, stop: int) -> Events:
    """The events from `start` up to `stop`."""
    if isinstance(events, Table):
        return Table(
            {name: values[start:stop] for name, values in events.numbers.items()},
            {name: texts[start:stop] for name, texts in events.texts.items()},
        )
    return events[start:stop]


def count(events: Events) -> int:
    """How many events there are."""
    return _length(events) if isinstance(events, Table) else len(events)


def event_at(events: Events, place: int) -> Mapping[Any, Any]:
    """One event as a dictionary."""
    if isinstance(events, Table):
        return _dicts(part(events, place, place + 1))[0]  # type: ignore[arg-type]
    return events[place]


def _length(table: Table) -> int:
    columns: list[Floats | Text] = [*table.numbers.values(), *table.texts.values()]
    return max(map(len, columns), default=0)


def _table(frame: "nw.DataFrame[Any]") -> Events:
    numbers: dict[str, Floats] = {}
    texts: dict[str, Text] = {}
    for series in frame.iter_columns():
        name = str(series.name)
        if series.dtype.is_numeric() or series.dtype == nw.Boolean:
            numbers[name] = series.cast(nw.Float64).to_numpy().astype(np.float64)
        else:
            cells = [_cell(name, value) for value in series.to_list()]
            if any(c is not None and c[0][1] == NUMBER for c in cells):
                return frame.rows(named=True)  # a column of mixed types: event by event
            texts[name] = [None if _is_missing(v) else str(v) for v in series.to_list()]
    return Table(numbers, texts)


def _dicts(table: Table) -> list[dict[str, float | str | None]]:
    columns: dict[str, Any] = {**table.numbers, **table.texts}
    return [
        {name: values[row] for name, values in columns.items()} for row in range(_length(table))
    ]


def _cells(event: Mapping[Any, Any]) -> list[Cell]:
    cells = [_cell(name, value) for name, value in event.items()]
    return [cell for cell in cells if cell is not None]


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
