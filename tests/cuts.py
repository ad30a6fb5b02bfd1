"""One sequence of events, cut in any way: what the law of cuts is tried with."""

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

from stream_dagmm import checkpoint
from stream_dagmm.arithmetic import Floats
from stream_dagmm.stream import BlockDetector
from tests.streams import Event

Step = tuple[str, int]
"""What is done, and to how many events."""

LEARNING = ["learn_one", "learn_many", "score_learn_many", "prequential"]
BETWEEN = ["score", "explain", "save_and_load", "deepcopy", "state"]
FORMS = ["dictionaries", "pandas", "polars", "pyarrow", "array"]


def steps() -> st.SearchStrategy[list[Step]]:
    """Any learning in pieces of any size, with anything that must not matter in between."""
    learning = st.tuples(st.sampled_from(LEARNING), st.sampled_from([1, 2, 3, 5, 15, 16, 17, 40]))
    return st.lists(learning | st.tuples(st.sampled_from(BETWEEN), st.just(0)), max_size=20)


def in_form(events: Sequence[Event], form: str) -> Any:
    """The events as another thing that `learn_many` reads."""
    if form == "array":
        return np.array([list(event.values()) for event in events], dtype=np.float64)
    if form == "dictionaries":
        return list(events)
    names = dict.fromkeys(name for event in events for name in event)
    columns = {name: [event.get(name) for event in events] for name in names}
    return {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[form](columns)


def learned_one_by_one(detector: BlockDetector, events: Sequence[Event]) -> Floats:
    """The scores of the events, each before it was learned: the plainest cut."""
    scores = []
    for event in events:
        scores.append(detector.score_one(event))
        detector.learn_one(event)
    return np.array(scores)


def learned_in_steps(
    detector: BlockDetector, events: Sequence[Event], plan: Sequence[Step], form: str
) -> tuple[BlockDetector, dict[int, float]]:
    """The detector after the events were learned by the plan, and the scores that it gave."""
    scores: dict[int, float] = {}
    start = 0
    for step, size in [*plan, ("score_learn_many", len(events))]:
        if step in BETWEEN:
            detector = passed_by(detector, step, events)
            continue
        part = events[start : start + size]
        if not part:
            break
        given = in_form(part, form)
        if step == "learn_one":
            for place, event in enumerate(part):
                scores[start + place] = detector.score_one(event)
                detector.learn_one(event)
        elif step == "learn_many":
            detector.learn_many(given)
        elif step == "score_learn_many":
            scores |= dict(enumerate(detector.score_learn_many(given).tolist(), start))
        else:
            found, _ = detector.prequential(given, lambda s: np.arange(len(s)) % 7 == 0)
            scores |= dict(enumerate(found.tolist(), start))
        start += len(part)
    return detector, scores


def passed_by(detector: BlockDetector, step: str, events: Sequence[Event]) -> BlockDetector:
    """The detector after something that must leave no trace."""
    if step == "score":
        detector.score_many(events[:20])
        detector.score_one({"never": 1.0, "seen": "text"})
    elif step == "explain":
        detector.explain_one(events[-1])
    elif step == "deepcopy":
        return copy.deepcopy(detector)
    elif step == "state":
        return type(detector).from_state(detector.to_state())
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "detector.ckpt"
            detector.save(path)
            return type(detector).load(path)
    return detector


def bits(detector: BlockDetector) -> bytes:
    """Everything that the detector is."""
    return checkpoint.dumps(detector.to_state())
