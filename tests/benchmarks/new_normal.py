"""`make bench-drift`, second half: whether a new normal goes on being an alarm.

Four columns of normal numbers; after 5,000 events all of them lie so many standard deviations
higher, for good. Alarms are those of River's filters, protected as they are by default, around
HalfSpaceTrees (`ThresholdFilter` by the 99 % quantile of the last 1,000 scores before the change,
`QuantileFilter` by that of its own scores), and p-values of at most 1 % of `StreamDAGMM`'s scores.
"""

from collections.abc import Callable, Sequence

import numpy as np
from river import anomaly, base

from stream_dagmm import StreamDAGMM, calibration
from stream_dagmm.arithmetic import Floats
from tests.benchmarks import controls, kept
from tests.benchmarks.streams import Bools
from tests.benchmarks.tables import markdown
from tests.threads import threads

BEFORE, AFTER, COLUMNS, COUNTED, RATE, SEEDS = 5_000, 8_000, 4, 1_000, 0.01, 5
SHIFTS = (3.0, 6.0, 20.0)

Alarms = Callable[[Floats, int], Bools]
"""Rows [B, D] and a seed to alarms [B]."""


def trees(seed: int) -> base.AnomalyDetector:
    """What the filters protect."""
    made: base.AnomalyDetector = controls.CONTROLS["HalfSpaceTrees, min-max scaled"](seed)
    return made


def by_threshold(rows: Floats, seed: int) -> Bools:
    """A threshold chosen before the change, by what nothing was kept from."""
    past = rows[:BEFORE]
    scores = controls.scores(trees(seed), map(event, past), past)
    threshold = float(np.quantile(scores[-COUNTED:], 1.0 - RATE))
    return filtered(anomaly.ThresholdFilter(trees(seed), threshold=threshold), rows)


def by_quantile(rows: Floats, seed: int) -> Bools:
    """A threshold that follows the scores."""
    return filtered(anomaly.QuantileFilter(trees(seed), q=1.0 - RATE), rows)


def filtered(protected: base.AnomalyFilter, rows: Floats) -> Bools:
    """What a filter takes for anomalous, before it learns it or not."""
    found = []
    for x in map(event, rows):
        found.append(protected.classify(protected.score_one(x)))
        protected.learn_one(x)
    return np.array(found)


def event(row: Floats) -> dict[str, float]:
    """A row as River reads it."""
    return {f"f{place}": value for place, value in enumerate(row.tolist())}


def ours(rows: Floats, seed: int) -> Bools:
    """By p-values, as `replay` has them."""
    scores = StreamDAGMM(seed=seed).score_learn_many(rows)
    p, _ = calibration.p_values(calibration.initial(seed), scores)
    return calibration.is_alarm(p, RATE)


METHODS: dict[str, Alarms] = {
    "ThresholdFilter": by_threshold,
    "QuantileFilter": by_quantile,
    "StreamDAGMM": ours,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print and keep the table."""
    parser = kept.parser(__doc__, __file__)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=SEEDS, help="0 up to one less than this")
    given = parser.parse_args(arguments)
    head = (
        f"alarms, first {COUNTED:,} / last {COUNTED:,} of {AFTER:,}",
        *(f"+{shift:.0f}" for shift in SHIFTS),
    )
    with threads(1):
        rows = [
            [name, *(cell(METHODS[name], shift, given.seeds) for shift in SHIFTS)]
            for name in given.methods
        ]
    kept.keep(markdown(head, rows), given.table, __file__, arguments)


def cell(method: Alarms, shift: float, seeds: int) -> str:
    """Shares of alarms at first and at last, mean over the seeds."""
    found = np.mean([shares(method, shift, seed) for seed in range(seeds)], axis=0)
    return " / ".join(f"{share:.1%}" for share in found)


def shares(method: Alarms, shift: float, seed: int) -> tuple[float, float]:
    """Of the first and of the last events after the change."""
    rows = np.random.default_rng(seed).normal(size=(BEFORE + AFTER, COLUMNS))
    rows[BEFORE:] += shift
    alarms = method(rows, seed)
    return float(alarms[BEFORE : BEFORE + COUNTED].mean()), float(alarms[-COUNTED:].mean())


if __name__ == "__main__":
    main()
