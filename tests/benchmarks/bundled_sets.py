"""Outlier sets from classes, as ODDS makes them: one class, cut down to a few rows, is the anomaly.

The data lie in the wheels of scikit-learn and River; the order is shuffled with a fixed seed.
"""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from river import datasets as of_river
from sklearn import datasets as of_scikit_learn

from tests.benchmarks.streams import ORDER_SEED, Stream


class Plan(NamedTuple):
    """Which class of a set is the anomaly, and how many rows of it are kept."""

    source: str
    odd_class: Any
    kept: int


KINDS = {
    "digits_0": Plan("digits", 0, 50),
    "digits_4": Plan("digits", 4, 50),
    "digits_9": Plan("digits", 9, 50),
    "breast_cancer": Plan("breast_cancer", 0, 21),
    "wine": Plan("wine", 0, 10),
    "segments_path": Plan("segments", "path", 50),
    "segments_window": Plan("segments", "window", 50),
}


def made(name: str) -> Stream:
    """All rows of the other classes, and `kept` rows of the odd one."""
    plan = KINDS[name]
    rows, classes = _read(plan.source)
    random = np.random.default_rng(ORDER_SEED)
    odd = classes == plan.odd_class
    kept = random.choice(np.flatnonzero(odd), size=plan.kept, replace=False)
    order = random.permutation(np.concatenate([np.flatnonzero(~odd), kept]))
    return Stream(name, False, rows[order], odd[order])


def _read(source: str) -> tuple[pl.DataFrame, Any]:
    if source == "segments":
        events, classes = zip(*of_river.ImageSegments(), strict=True)  # type: ignore[no-untyped-call]
        return pl.DataFrame(list(events)), np.array(classes)
    found = getattr(of_scikit_learn, f"load_{source}")()
    names = [f"x{column}" for column in range(found.data.shape[1])]
    return pl.DataFrame(found.data, schema=names, orient="row"), found.target
