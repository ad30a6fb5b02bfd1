"""What a score must be compared with: simple rules and River's own detectors, cold from event 1."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from river import anomaly, base, preprocessing

from stream_dagmm import GaussianMixture, StreamDAGMM

Floats = npt.NDArray[np.float64]
Event = Mapping[str, Any]


class ScoreNorm(base.AnomalyDetector):
    """Root mean square of the standardised features, by River's running mean and variance."""

    def __init__(self) -> None:
        self.scaler = preprocessing.StandardScaler()

    def score_one(self, x: dict[Any, Any]) -> float:
        """The norm over the features, 0 when cold."""
        deviations: list[float] = list(self.scaler.transform_one(x).values())  # type: ignore[no-untyped-call]
        return math.sqrt(sum(z * z for z in deviations) / max(len(x), 1))

    def learn_one(self, x: dict[Any, Any]) -> None:
        """Updates mean and variance."""
        self.scaler.learn_one(x)  # type: ignore[no-untyped-call]


Make = Callable[[int], Any]

CONTROLS: dict[str, Make] = {
    "StreamDAGMM": lambda seed: StreamDAGMM(seed=seed),
    "  neural part alone": lambda seed: StreamDAGMM(seed=seed, floor=False),
    "  the same, untrained": lambda seed: StreamDAGMM(seed=seed, floor=False, learning_rate=0.0),
    "  untrained": lambda seed: StreamDAGMM(seed=seed, learning_rate=0.0),
    "GaussianMixture(1)": lambda seed: GaussianMixture(n_components=1, seed=seed),
    "z-score norm": lambda seed: ScoreNorm(),
    "HalfSpaceTrees, min-max scaled": lambda seed: (
        preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=seed)
    ),
    "LODA, standardised": lambda seed: preprocessing.StandardScaler() | anomaly.LODA(seed=seed),
}
"""Name to a detector with a seed; the indented ones are parts of ours."""

WITHOUT_CHANCE = frozenset({"GaussianMixture(1)", "z-score norm"})
"""Those that no seed changes."""


def scores(detector: Any, events: Iterable[Event], rows: Floats) -> Floats:
    """Each event's score before it was learned; in one call where the detector can."""
    if hasattr(detector, "score_learn_many"):
        return np.asarray(detector.score_learn_many(rows))
    found = []
    for event in events:
        found.append(detector.score_one(event))
        detector.learn_one(event)
    return np.array(found)
