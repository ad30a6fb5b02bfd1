"""Streams that are made up from a seed: each asks for one thing that real streams ask for.

No setting may be chosen by them, and nobody's file is needed: they show what a detector can do
where the 14 real streams of the quality benchmark do not reach.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from stream_dagmm.arithmetic import Floats
from tests.benchmarks.streams import Bools, Stream

ROWS = 10_000

Random = np.random.Generator
Made = tuple[Floats | dict[str, Any], Bools]
"""Rows [B, D] or columns by name, and labels [B]."""


def made(name: str, seed: int = 0) -> Stream:
    """The stream of one of the `KINDS`; a name and a seed give the same stream always."""
    ordered, make = KINDS[name]
    rows, labels = make(np.random.default_rng([seed, list(KINDS).index(name)]))
    if not isinstance(rows, dict):
        rows = {f"x{column}": values for column, values in enumerate(rows.T)}
    return Stream(name, ordered, pl.DataFrame(rows), labels)


def joint_structure(random: Random) -> Made:
    """16 columns of 4 factors; an anomaly has the values of 4 columns from another row each."""
    rows = random.normal(size=(ROWS, 4)) @ random.normal(size=(4, 16))
    rows += 0.3 * random.normal(size=rows.shape)
    labels = _scattered(random, 0.02)
    rows[labels] = _columns_from_others(random, rows, labels, 4)
    return rows, labels


def curved_structure(random: Random) -> Made:
    """6 columns on a closed curve; an anomaly has 2 columns from another place of it."""
    turn = random.uniform(0.0, 2.0 * np.pi, size=(ROWS, 1))
    rows = np.sin(turn * np.array([1, 1, 2, 2, 3, 3]) + np.array([0.0, 1.6, 0.4, 2.0, 0.8, 2.4]))
    rows += 0.1 * random.normal(size=rows.shape)
    labels = _scattered(random, 0.02)
    rows[labels] = _columns_from_others(random, rows, labels, 2)
    return rows, labels


def uneven_density(random: Random) -> Made:
    """A narrow and a wide cloud; an anomaly is near the narrow one, at the wide one's distances."""
    labels = _scattered(random, 0.02)
    narrow = random.random(ROWS) < 0.7
    rows = random.normal(size=(ROWS, 8)) * np.where(narrow, 0.1, 1.5)[:, None]
    rows[:, 0] += np.where(narrow, 0.0, 10.0)
    rows[labels] = 0.5 * random.normal(size=(labels.sum(), 8))
    return rows, labels


def few_of_many(random: Random) -> Made:
    """100 columns that say nothing of each other; an anomaly is 3.5 deviations off in 3."""
    rows = random.normal(size=(ROWS, 100)) * 10.0 ** random.uniform(-3, 3, size=100)
    labels = _scattered(random, 0.02)
    deviation = rows.std(axis=0)
    for row in np.flatnonzero(labels):
        odd = random.choice(100, size=3, replace=False)
        rows[row, odd] += 3.5 * deviation[odd] * random.choice([-1.0, 1.0], size=3)
    return rows, labels


def rotating_clusters(random: Random) -> Made:
    """5 clusters in 8 columns that turn half way round; an anomaly lies between two of them."""
    centres = 4.0 * random.normal(size=(5, 4, 2))
    angle = np.linspace(0.0, np.pi, ROWS)[:, None]
    turned = centres[random.integers(5, size=ROWS)]
    labels = _scattered(random, 0.02)
    middle = (centres[random.integers(5, size=ROWS)] + centres[random.integers(5, size=ROWS)]) / 2
    turned[labels] = middle[labels] + 1.5 * random.normal(size=(labels.sum(), 4, 2))
    x, y = turned[..., 0], turned[..., 1]
    rows = np.hstack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)])
    return rows + 0.5 * random.normal(size=rows.shape), labels


def telemetry(random: Random) -> Made:
    """12 sensors of one machine with a daily course and a slow drift; in an anomaly 2 sensors leave
    their course for 10 to 60 events, within their range."""
    hours = np.arange(ROWS)[:, None] / 500.0 * 2.0 * np.pi
    load = np.sin(hours) + 0.5 * np.sin(7.0 * hours) + 0.2 * random.normal(size=(ROWS, 1))
    rows = load * random.uniform(0.5, 2.0, size=12) + 0.15 * random.normal(size=(ROWS, 12))
    rows += np.linspace(0.0, 2.0, ROWS)[:, None] * random.normal(size=12)
    labels = np.zeros(ROWS, dtype=np.bool_)
    for start in _starts(random, 20):
        stop = start + int(random.integers(10, 60))
        odd = random.choice(12, size=2, replace=False)
        rows[start:stop, odd] = rows[start:stop, odd] - 2.0 * rows[start:stop, odd].mean(axis=0)
        labels[start:stop] = True
    return rows, labels


def stuck_sensor(random: Random) -> Made:
    """10 sensors that wander together; in an anomaly 3 of them stand still for 30 to 120 events."""
    common = np.cumsum(0.2 * random.normal(size=(ROWS, 1)), axis=0)
    common -= np.convolve(common.ravel(), np.full(501, 1 / 501), mode="same")[:, None]
    rows = common * random.uniform(0.5, 1.5, size=10) + 0.3 * random.normal(size=(ROWS, 10))
    labels = np.zeros(ROWS, dtype=np.bool_)
    for start in _starts(random, 12):
        stop = start + int(random.integers(30, 120))
        odd = random.choice(10, size=3, replace=False)
        rows[start:stop, odd] = rows[start, odd]
        labels[start:stop] = True
    return rows, labels


def counts(random: Random) -> Made:
    """Requests, errors, bytes and such, all heavy-tailed and in proportion to the traffic; in an
    anomaly one of them is 6 to 20 times its share, which is less than traffic itself may vary."""
    traffic = random.lognormal(3.0, 1.2, size=(ROWS, 1))
    rates = traffic * np.array([1.0, 0.05, 3.0, 0.2, 10.0, 0.5, 100.0, 0.1])
    labels = _scattered(random, 0.02)
    odd = random.integers(8, size=ROWS)
    factor = random.uniform(6.0, 20.0, size=ROWS)
    rates[np.flatnonzero(labels), odd[labels]] *= factor[labels]
    rows = random.poisson(rates * random.lognormal(0.0, 0.3, size=rates.shape))
    return rows.astype(np.float64), labels


def combinations(random: Random) -> Made:
    """Role, machine, action, place and hour as texts, each following from the role; an anomaly
    combines values that are common alone."""
    labels = _scattered(random, 0.02)
    names = ("machine", "action", "place", "weekday")
    habits = random.integers(6, size=(8, len(names), 2))
    role, weight = random.integers(8, size=ROWS), random.integers(2, size=(ROWS, len(names)))
    values = habits[role[:, None], np.arange(len(names)), weight]
    values[labels] = _columns_from_others(random, values, labels, 2)
    texts = {name: [f"{name[0]}{v}" for v in values[:, k]] for k, name in enumerate(names)}
    size = random.lognormal(np.take(random.normal(size=8), role), 0.3)
    return {"role": [f"r{r}" for r in role], **texts, "size": size}, labels


def payments(random: Random) -> Made:
    """Amounts by kind of shop and by hour of the day; an anomaly is ordinary in each alone."""
    kind = random.choice(5, size=ROWS, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    hour = (np.arange(ROWS) / 40.0 + random.normal(size=ROWS)) % 24.0
    level = np.array([1.0, 2.0, 3.0, 4.0, 6.0])[kind] + 0.4 * np.cos(hour / 12.0 * np.pi)
    count = random.poisson(1.0 + kind.astype(np.float64))
    labels = _scattered(random, 0.015)
    level[labels] = random.permutation(level)[labels] + random.choice([-1.5, 1.5], labels.sum())
    shops = np.array(["food", "fuel", "clothes", "travel", "jewels"])[kind].tolist()
    amount = np.exp(level + 0.25 * random.normal(size=ROWS)).round(2)
    return {"shop": shops, "amount": amount, "hour": hour, "items": count}, labels


def floods(random: Random) -> Made:
    """3 clusters, and twice 1,200 events of which nine tenths are anomalies that hardly differ."""
    rows, labels = _clusters(random, 3, 10), np.zeros(ROWS, dtype=np.bool_)
    for start in (4_000, 7_500):
        flood = start + np.flatnonzero(random.random(1_200) < 0.9)
        rows[flood] = 4.0 * random.normal(size=10) + 0.02 * random.normal(size=(len(flood), 10))
        labels[flood] = True
    return rows, labels


def regimes(random: Random) -> Made:
    """All that is normal moves after 3,000 and after 6,000 events; single anomalies before and
    after, half of them of the kind that is normal at another time."""
    labels = _scattered(random, 0.015)
    levels = 3.0 * random.normal(size=(3, 10))
    now = np.minimum(np.arange(ROWS) // 3_000, 2)
    shown = np.where(labels & (random.random(ROWS) < 0.5), (now + 1) % 3, now)
    rows = levels[shown] + random.normal(size=(ROWS, 10)) * random.uniform(0.3, 1.0, size=10)
    rows[labels] += 1.5 * random.normal(size=(labels.sum(), 10))
    return rows, labels


def bursts(random: Random) -> Made:
    """4 clusters, and 25 attacks of 10 to 60 events, each spread around a place of its own."""
    rows, labels = _clusters(random, 4, 12), np.zeros(ROWS, dtype=np.bool_)
    for start in _starts(random, 25):
        stop = start + int(random.integers(10, 60))
        centre = rows[random.integers(ROWS)] + 1.5 * random.normal(size=12)
        rows[start:stop] = centre + 0.7 * random.normal(size=(stop - start, 12))
        labels[start:stop] = True
    return rows, labels


def new_minority(random: Random) -> Made:
    """A second kind of normal events, a tenth of all, begins after 3,000; anomalies are single."""
    labels = _scattered(random, 0.015)
    rows = random.normal(size=(ROWS, 10)) * random.uniform(0.2, 2.0, size=10)
    minority = (np.arange(ROWS) >= 3_000) & (random.random(ROWS) < 0.1)
    rows[minority] = 5.0 * random.normal(size=10) + 0.5 * random.normal(size=(minority.sum(), 10))
    rows[labels] += 2.5 * random.normal(size=(labels.sum(), 10))
    return rows, labels


def leak(random: Random) -> Made:
    """8 gauges with a daily course; 6 times one of them climbs by 4 deviations over 150 events."""
    hours = np.arange(ROWS)[:, None] / 400.0 * 2.0 * np.pi
    rows = np.sin(hours + random.uniform(0.0, 6.0, size=8)) + 0.3 * random.normal(size=(ROWS, 8))
    labels = np.zeros(ROWS, dtype=np.bool_)
    for start in _starts(random, 6):
        rows[start : start + 150, random.integers(8)] += np.linspace(0.0, 3.0, 150)
        labels[start : start + 150] = True
    return rows, labels


def _scattered(random: Random, share: float) -> Bools:
    return np.asarray(random.random(ROWS) < share)


def _starts(random: Random, count: int) -> list[int]:
    """Beginnings of events that last up to 150 rows, none among the first 1,000."""
    return [1_000 + 160 * int(s) for s in random.choice((ROWS - 1_200) // 160, count, False)]


def _clusters(random: Random, count: int, width: int) -> Floats:
    centres = 2.5 * random.normal(size=(count, width))
    rows = centres[random.integers(count, size=ROWS)] + 0.6 * random.normal(size=(ROWS, width))
    return np.asarray(rows)


def _columns_from_others(random: Random, rows: Any, labels: Bools, count: int) -> Any:
    """The labelled rows with `count` columns each taken from other rows, drawn one by one."""
    changed = rows[labels].copy()
    for row in changed:
        for column in random.choice(rows.shape[1], size=count, replace=False):
            row[column] = rows[random.integers(len(rows)), column]
    return changed


KINDS: dict[str, tuple[bool, Callable[[Random], Made]]] = {
    "joint_structure": (False, joint_structure),
    "curved_structure": (False, curved_structure),
    "uneven_density": (False, uneven_density),
    "few_of_many": (False, few_of_many),
    "counts": (False, counts),
    "combinations": (False, combinations),
    "payments": (True, payments),
    "rotating_clusters": (True, rotating_clusters),
    "telemetry": (True, telemetry),
    "stuck_sensor": (True, stuck_sensor),
    "leak": (True, leak),
    "floods": (True, floods),
    "bursts": (True, bursts),
    "regimes": (True, regimes),
    "new_minority": (True, new_minority),
}
"""Name to whether the order means something, and the maker."""
