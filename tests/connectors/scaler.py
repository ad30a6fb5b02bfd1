"""A transformer with state that can be saved, as a user would write one."""

from __future__ import annotations

from collections import Counter
from typing import Any, Self

from river import preprocessing


class SavedScaler(preprocessing.StandardScaler):
    """River's scaler with the two methods that a run with checkpoints asks for."""

    def to_state(self) -> dict[str, Any]:
        return {name: dict(getattr(self, name)) for name in ("counts", "means", "vars")}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        scaler = cls()
        scaler.counts = Counter(state["counts"])
        scaler.means.update(state["means"])
        scaler.vars.update(state["vars"])
        return scaler
