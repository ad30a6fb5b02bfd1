"""A detector that takes feedback, small enough to see that order matters."""

from __future__ import annotations

from typing import Any, Self

from river.base import AnomalyDetector


class Taught(AnomalyDetector):
    """The distance of `a` from its mean, times a factor that labels move; normal pulls the mean."""

    def __init__(self) -> None:
        self.count, self.mean, self.factor = 0, 0.0, 1.0

    def score_one(self, x: dict[Any, Any]) -> float:
        return float(self.factor * abs(x.get("a", 0.0) - self.mean))

    def learn_one(self, x: dict[Any, Any]) -> None:
        self.count += 1
        self.mean += (x.get("a", 0.0) - self.mean) / self.count

    def feedback(self, x: dict[str, Any], label: bool) -> None:
        self.factor *= 1.25 if label else 0.75
        if not label:
            self.mean += 0.5 * (x.get("a", 0.0) - self.mean)

    def to_state(self) -> dict[str, Any]:
        return {"count": self.count, "mean": self.mean, "factor": self.factor}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        back = cls()
        back.count, back.mean, back.factor = state["count"], state["mean"], state["factor"]
        return back
