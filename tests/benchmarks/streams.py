"""The 14 labelled streams of the quality benchmark, cut and ordered as its protocol says.

The data are no part of this repository: a folder of gzip CSV files with a header, whose columns in
`NEVER_FEATURES` are labels or leak them.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from stream_dagmm.arithmetic import Floats

NEVER_FEATURES = frozenset(
    {"label", "label_dagmm", "attack", "difficulty", "split", "anomaly_point", "file"}
)
ROWS = 30_000
ORDER_SEED = 7
SHORT, FIRST_OF_SHORT, FIRST = 3_000, 64, 512

Bools = npt.NDArray[np.bool_]


class Plan(NamedTuple):
    """Where a stream comes from, and how it is cut."""

    name: str
    file: str
    ordered: bool = False
    """Whether the rows keep the order of the file; otherwise they are shuffled, seed `ORDER_SEED`,
    before they are cut."""
    first_row: int = 0
    label: str = "label"


PLANS = (
    Plan("kdd_shuffled", "kddcup99_10pct", label="label_dagmm"),
    Plan("kdd_file_order", "kddcup99_10pct", ordered=True),
    Plan("nsl_kdd", "nsl_kdd_train20"),
    Plan("http", "adbench_http", ordered=True, first_row=190_000),
    Plan("smtp", "adbench_smtp", ordered=True),
    Plan("thyroid", "odds_thyroid"),
    Plan("arrhythmia", "odds_arrhythmia"),
    Plan("mammography", "odds_mammography"),
    Plan("cardio", "odds_cardio"),
    Plan("satellite", "odds_satellite"),
    Plan("memstream_syn", "memstream_syn", ordered=True),
    Plan("machine-1-6", "machine-1-6", ordered=True, first_row=17_000),
    Plan("machine-2-7", "machine-2-7", ordered=True, first_row=17_000),
    Plan("shuttle", "shuttle", ordered=True),
)
"""The rows before `first_row` hold no anomaly, or in http next to none."""


class Stream:
    """Events with their labels, in the forms that detectors read."""

    def __init__(self, name: str, ordered: bool, events: pl.DataFrame, labels: Bools) -> None:
        self.name, self.ordered, self.events, self.labels = name, ordered, events, labels

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def first(self) -> int:
        """The first event whose score counts."""
        return FIRST_OF_SHORT if len(self) < SHORT else FIRST

    @cached_property
    def _one_hot(self) -> pl.DataFrame:
        texts = [name for name, kind in self.events.schema.items() if kind == pl.String]
        return self.events.to_dummies(texts) if texts else self.events

    @cached_property
    def rows(self) -> Floats:
        """[B, D] for detectors that read numbers only: each text value that occurs is a column."""
        return np.ascontiguousarray(self._one_hot.cast(pl.Float64).to_numpy())

    @cached_property
    def dictionaries(self) -> list[dict[str, Any]]:
        """The same as dictionaries."""
        names = self._one_hot.columns
        return [dict(zip(names, row, strict=True)) for row in self.rows.tolist()]

    def head(self, count: int) -> "Stream":
        """The first `count` events, with the categories that occur in the whole stream."""
        if count >= len(self):
            return self
        return self.taken(slice(count))

    def taken(self, places: slice | npt.NDArray[np.int64]) -> "Stream":
        """The events at these places, with the categories that occur in the whole stream."""
        part = Stream(self.name, self.ordered, self.events[places], self.labels[places])
        part._one_hot = self._one_hot[places]
        return part


def load(folder: Path, plan: Plan, rows: int = ROWS) -> Stream:
    """The stream of a plan: `rows` of it, or with 0 all, then from the file's first row on."""
    path = folder / f"{plan.file}.csv.gz"
    if not path.exists():
        raise ValueError(f"no file {plan.file}.csv.gz in {folder}; name the folder of the streams")
    table = pl.read_csv(path, infer_schema_length=None)
    if not plan.ordered:
        order = np.random.default_rng(ORDER_SEED).permutation(len(table))
        table = table[order]
    if rows:
        # A file shorter than its plan expects (a test's) is taken from its beginning.
        table = table.slice(plan.first_row if plan.first_row < len(table) else 0, rows)
    labels = table[plan.label].to_numpy() == 1
    return Stream(plan.name, plan.ordered, table.drop(*NEVER_FEATURES, strict=False), labels)


def every(folder: Path, names: list[str] | None, rows: int) -> Iterator[Stream]:
    """The streams of the given names, or all, one after the other."""
    known = [plan.name for plan in PLANS]
    for name in names or []:
        if name not in known:
            raise ValueError(f"no stream is called {name!r}; choose from {', '.join(known)}")
    for plan in PLANS:
        if not names or plan.name in names:
            yield load(folder, plan, rows)
