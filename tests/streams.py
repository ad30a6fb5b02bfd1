"""Streams that the tests share: fixed by a seed, small, with everything that events can hold."""

from typing import Any

import numpy as np

from stream_dagmm.arithmetic import Floats

Event = dict[str, Any]

SHOPS = ["A", "B", "C", "naïve", ""]


def table(count: int, width: int, seed: int = 0) -> Floats:
    """Correlated rows [count, width] on scales from 0.01 to 100, one in twenty far off."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=(count, 1))
    rows = random.normal(size=(count, width)) + shared
    rows[random.random(count) < 0.05] *= 20.0
    return np.asarray(rows * 10.0 ** random.integers(-2, 3, size=width))


def dictionaries(rows: Floats) -> list[Event]:
    """The rows as events, named as `learn_many` names the columns of an array."""
    return [{str(j): float(value) for j, value in enumerate(row)} for row in rows]


def mixed(count: int, seed: int = 0) -> list[Event]:
    """Events with numbers, booleans and texts, of which some are missing, come late or vanish."""
    random = np.random.default_rng(seed)
    events: list[Event] = []
    for n in range(count):
        event: Event = {"amount": float(random.lognormal()), "count": int(random.integers(50))}
        event["flag"] = bool(random.random() < 0.3)
        event["level"] = None if random.random() < 0.2 else float(random.normal())
        if n > count // 3 and random.random() < 0.7:
            event["shop"] = SHOPS[int(random.integers(len(SHOPS)))]
        if n > count // 2:
            event["late"] = float(random.normal())
            del event["flag"]
        events.append(event)
    return events
