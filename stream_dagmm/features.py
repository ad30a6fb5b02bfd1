"""Events to rows: a fixed place for every feature, whatever comes, goes or is missing.

A row is a float64 vector, one entry a column, NaN where the event says nothing. Numbers and
booleans have one column each. A text value has a 1 in one of a bounded number of columns of its
field, chosen by hash, and 0 in the field's others. Column 0 counts the features (or text buckets)
of the event that were never learned, so that novelty is a feature like any other. Columns are given
out in the order in which features are first learned: a new one never moves an older one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats
from stream_dagmm.cells import NUMBER, Cell, Key, bucket_of
from stream_dagmm.events import Events, Listed, Table, listed

SHARED_COLUMNS = 16
"""Columns that all features beyond `max_features` share by hash, their values added up."""

MOST_FEATURES = 1000
"""Largest `max_features`: with the shared columns and an innovation each, below the 2,048 columns
between whose rows distances are exact."""

LARGEST_SUM = 1e300
"""Magnitude to which the sum in a shared column is held."""


ABSENT, UNKNOWN = 0, -1
"""Places of a text that an event does not have, and of what has no column."""


class Places(NamedTuple):
    """The columns that a table's cells belong to."""

    numbers: npt.NDArray[np.intp]
    """[N]"""
    texts: dict[str, npt.NDArray[np.intp]]
    """Per feature [B]."""

    def part(self, start: int, stop: int) -> "Places":
        """Those of the events from `start` up to `stop`."""
        return Places(self.numbers, {name: at[start:stop] for name, at in self.texts.items()})


class Columns:
    """The table of columns: which feature stands where.

    max_features: columns given out one by one. Features that come later share `SHARED_COLUMNS`
    more, and each of their sightings is counted in `overflowed`.

    >>> columns = Columns(max_features=8)
    >>> columns.learn(listed([{"amount": 3, "shop": "A"}, {"amount": 4.5}]), known=1).tolist()
    [[0.0, 3.0, 1.0], [0.0, 4.5, nan]]
    >>> columns.encode(listed([{"amount": 1, "colour": "red"}]), known=3).tolist()
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
        """Rows [B, width] of the events, after giving each new feature its column; a row is missing
        in the columns that only later events brought. Column 0 counts what a model of the first
        `known` columns did not know."""
        if isinstance(events, Listed):
            return self._learned(events.cells, known)
        parts, start = [np.empty((0, 1))], 0
        while start < events.length:
            table = events.part(start, events.length)
            places = self._places_of(table)
            new = self._first_new(table, places)
            if new is None:
                parts.append(self._rows_of_table(table, places, known))
                break
            if self.overflowed:  # later features are added up by hash, each event on its own
                parts.append(self._learned(listed(table.dictionaries()).cells, known))
                break
            before = places.part(0, new)
            parts.append(self._rows_of_table(table.part(0, new), before, known))
            parts.append(self._learned(listed([table.event(new)]).cells, known))
            start += new + 1
        return np.vstack([widened(part, self.width) for part in parts])

    def encode(self, events: Events, known: int) -> Floats:
        """Rows [B, known] of the events for a model that has learned the first `known` columns.
        Changes nothing."""
        if isinstance(events, Table) and self.overflowed:
            events = listed(events.dictionaries())
        if isinstance(events, Listed):
            return self._rows(events.cells, known)[:, :known]
        return self._rows_of_table(events, self._places_of(events), known)[:, :known]

    def decode(self, rows: Floats) -> list[dict[str, float]]:
        """The numeric features, by name, of rows [B, known] in the features' own units."""
        places = {name: n for (name, bucket), n in self.places.items() if bucket == NUMBER}
        known = {name: n for name, n in places.items() if n < rows.shape[1]}
        return [{name: float(row[place]) for name, place in known.items()} for row in rows]

    def restore(self, keys: Sequence[Key], overflowed: int) -> None:
        """Gives the columns out again in a saved order."""
        for key in keys:
            self._add(key)
        self.overflowed = overflowed

    def _learned(self, events: list[list[Cell]], known: int) -> Floats:
        widths = []
        for cells in events:
            self._register(cells)
            widths.append(self.width)
        rows = self._rows(events, known)
        for row, width in zip(rows, widths, strict=True):
            row[width:] = np.nan
        return rows

    def _register(self, cells: list[Cell]) -> None:
        new = [key for key, _ in cells if key not in self.places]
        for key in sorted(new):
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
            if self._fields:
                self._clear_fields(row, cells)
            for key, value in sorted(cells) if self.overflowed else cells:
                place = self.places.get(key)
                if place is not None:
                    row[place] = value
                elif self.overflowed:
                    place = self._shared_place(key)
                    total = value if np.isnan(row[place]) else float(row[place]) + value
                    row[place] = min(max(total, -LARGEST_SUM), LARGEST_SUM)
                if place is None or place >= known:
                    row[0] += self._is_unknown(place, known)
        return rows

    def _clear_fields(self, row: Floats, cells: list[Cell]) -> None:
        for (name, bucket), _ in cells:
            if bucket != NUMBER and name in self._fields:
                row[self._fields[name]] = 0.0

    def _is_unknown(self, place: int | None, known: int) -> bool:
        if known <= 1:
            return False  # to a model that knows nothing, nothing is news
        if place is None or place > self.max_features:
            return known <= 1 + self.max_features
        return place >= known

    def _places_of(self, table: Table) -> "Places":
        numbers = [self.places.get((name, NUMBER), UNKNOWN) for name in table.numbers]
        texts = {}
        for name, column in table.texts.items():
            place = {
                text: ABSENT
                if text is None
                else self.places.get((name, bucket_of(name, text)), UNKNOWN)
                for text in set(column)
            }
            texts[name] = np.fromiter(map(place.__getitem__, column), np.intp, table.length)
        return Places(np.array(numbers, dtype=np.intp), texts)

    def _first_new(self, table: Table, places: "Places") -> int | None:
        """The first event with a feature that has no column yet."""
        new = np.isfinite(table.values[:, places.numbers == UNKNOWN]).any(axis=1)
        for column in places.texts.values():
            new |= column == UNKNOWN
        return int(new.argmax()) if new.any() else None

    def _rows_of_table(self, table: Table, places: "Places", known: int) -> Floats:
        """Rows of events none of which needs a shared column."""
        rows = np.full((table.length, self.width), np.nan)
        finite, unknown = np.isfinite(table.values), self._are_unknown(places.numbers, known)
        rows[:, 0] = finite[:, unknown].sum(axis=1)
        has = places.numbers != UNKNOWN
        numbers = table.values if finite.all() else np.where(finite, table.values, np.nan)
        rows[:, places.numbers[has]] = numbers[:, has]
        for name, column in places.texts.items():
            present = column != ABSENT
            rows[:, self._fields.get(name, [])] = np.where(present, 0.0, np.nan)[:, None]
            stands = np.flatnonzero(column > ABSENT)
            rows[stands, column[stands]] = 1.0
            rows[:, 0] += present & self._are_unknown(column, known)
        return rows

    def _are_unknown(self, places: npt.NDArray[np.intp], known: int) -> npt.NDArray[np.bool_]:
        if known <= 1:  # to a model that knows nothing, nothing is news
            return np.zeros(len(places), dtype=np.bool_)
        news = (places >= known) | ((places == UNKNOWN) & (known <= 1 + self.max_features))
        return np.asarray(news)

    def _shared_place(self, key: Key) -> int:
        return 1 + self.max_features + bucket_of(key[0], str(key[1])) % SHARED_COLUMNS


def widened(rows: Floats, width: int) -> Floats:
    """Rows of a narrower table, missing in the columns [.., width] that were added since."""
    if rows.shape[1] == width:
        return rows
    wider = np.full((len(rows), width), np.nan)
    wider[:, : rows.shape[1]] = rows
    return wider
