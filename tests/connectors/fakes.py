"""Fakes for the loop: a detector of a few lines, and ports that die at a stated call."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm.checkpoint import Tree, dumps, loads
from stream_dagmm_connectors.events import LinePosition, Position, encode_lines
from stream_dagmm_connectors.ports import Extent, Record

Floats = npt.NDArray[np.float64]
BLOCK = 16


class ZScore:
    """The contract of our detectors in a few lines: the largest |z| of a row under Welford means.

    What was learned shows in its scores at the next multiple of 16 events, whatever the calls.
    """

    def __init__(self, floor: float = 1e-9) -> None:
        self.floor = floor
        self.learned = 0
        self._sums: dict[str, list[float]] = {}
        self._seen: dict[str, list[float]] = {}

    def configuration(self) -> dict[str, Tree]:
        return {"floor": self.floor}

    def fingerprint(self) -> dict[str, str]:
        return {"arithmetic": "Python floats"}

    def explain_one(self, x: Mapping[str, Any]) -> dict[str, float]:
        z = {name: self._z(name, float(value)) for name, value in x.items()}
        strangest = max(z, key=lambda name: z[name], default=None)
        return {name: z[name] if name == strangest else 0.0 for name in z}

    def score_one(self, x: Mapping[str, Any]) -> float:
        return max((self._z(name, float(value)) for name, value in x.items()), default=0.0)

    def learn_one(self, x: Mapping[str, Any]) -> None:
        self.learned += 1
        for name, value in x.items():
            count, mean, square = self._sums.get(name, [0.0, 0.0, 0.0])
            after = mean + (float(value) - mean) / (count + 1)
            square += (float(value) - mean) * (float(value) - after)
            self._sums[name] = [count + 1, after, square]
        if self.learned % BLOCK == 0:
            self._seen = dict(self._sums)

    def prequential(
        self,
        X: Sequence[Mapping[str, Any]],
        explain_where: Callable[[Floats], npt.NDArray[np.bool_]],
    ) -> tuple[Floats, dict[int, dict[str, float]]]:
        scores: list[float] = []
        reasons: dict[int, dict[str, float]] = {}
        while len(scores) < len(X):
            start = len(scores)
            part = X[start : start + BLOCK - self.learned % BLOCK]
            news = np.array([self.score_one(x) for x in part])
            for row in np.flatnonzero(explain_where(news)).tolist():
                reasons[start + row] = self.explain_one(part[row])
            for x in part:
                self.learn_one(x)
            scores += news.tolist()
        return np.array(scores), reasons

    def diagnostics(self) -> dict[str, float | list[float]]:
        return {"fields": float(len(self._sums)), "weights": [0.75, 0.25]}

    def to_state(self) -> dict[str, Tree]:
        sums: dict[str, Tree] = {name: list(values) for name, values in self._sums.items()}
        seen: dict[str, Tree] = {name: list(values) for name, values in self._seen.items()}
        return {"floor": self.floor, "learned": self.learned, "sums": sums, "seen": seen}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        detector = cls(state["floor"])
        detector.learned = state["learned"]
        detector._sums = {name: list(values) for name, values in state["sums"].items()}
        detector._seen = {name: list(values) for name, values in state["seen"].items()}
        return detector

    def _z(self, name: str, value: float) -> float:
        count, mean, square = self._seen.get(name, [0.0, 0.0, 0.0])
        deviation = max((square / max(count, 1.0)) ** 0.5, self.floor)
        return float(np.log1p(abs(value - mean) / deviation)) if count else 0.0


class Crash(BaseException):
    """The process dies here; a BaseException, so that nothing can take it for an error."""


class Fuse:
    """Counts the calls on all ports of a run and dies before or after the n-th.

    One fuse for each of the two moments: what a call did is durable, or it is not.
    """

    def __init__(self, at_call: int | None = None, *, after: bool = False) -> None:
        self.calls = 0
        self._at_call, self._after = at_call, after

    def around(self, call: Callable[[], Any]) -> Any:
        self.calls += 1
        if self.calls == self._at_call and not self._after:
            raise Crash
        result = call()
        if self.calls == self._at_call:
            raise Crash
        return result


class ScriptedSource:
    """Lines in memory; blank ones give no record, as in files."""

    name = "script"
    start = LinePosition(1)

    def __init__(self, lines: Sequence[bytes], fuse: Fuse) -> None:
        self._lines, self._fuse = lines, fuse
        self._next = 1
        self.closed = False

    @property
    def finished(self) -> bool:
        return self._next > len(self._lines)

    def seek(self, next_position: Position) -> None:
        if not isinstance(next_position, LinePosition):
            raise ValueError(f"position must be a line, got {next_position}")
        self._fuse.around(lambda: setattr(self, "_next", next_position.line))

    def read(self, at_most: int) -> list[Record]:
        records: list[Record] = self._fuse.around(lambda: self._records(at_most))
        return records

    def _records(self, at_most: int) -> list[Record]:
        records: list[Record] = []
        while len(records) < at_most and not self.finished:
            if line := self._lines[self._next - 1]:
                records.append(Record(LinePosition(self._next), line))
            self._next += 1
        return records

    def close(self) -> None:
        self.closed = True


class Disk:
    """What outlives a crash: bytes of files and the newest checkpoint."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.checkpoint: bytes | None = None


class DiskSink:
    """A sink on a `Disk`; half of what was not flushed is there after a crash, as on a real one."""

    def __init__(self, disk: Disk, name: str, fuse: Fuse) -> None:
        self._disk, self._name, self._fuse = disk, name, fuse
        self._cut = False

    def write(self, rows: Sequence[Any]) -> None:
        if not self._cut and self._disk.files.get(self._name):
            raise ValueError(f"{self._name} holds rows already")
        self._cut = True
        data = encode_lines(rows)
        # A torn write: the first half reaches the disk whatever happens then.
        self._append(data[: len(data) // 2])
        self._fuse.around(lambda: self._append(data[len(data) // 2 :]))

    def _append(self, data: bytes) -> None:
        self._disk.files[self._name] = self._disk.files.get(self._name, b"") + data

    def flush(self) -> Extent:
        extent: Extent = self._fuse.around(lambda: {"bytes": len(self._held())})
        return extent

    def _held(self) -> bytes:
        return self._disk.files.get(self._name, b"")

    def cut_back(self, extent: Extent) -> None:
        if len(self._held()) < extent["bytes"]:
            raise ValueError(f"{self._name} holds less than {extent}")
        self._cut = True
        short = self._held()[: extent["bytes"]]
        self._fuse.around(lambda: self._disk.files.update({self._name: short}))

    def close(self) -> None:
        pass


class DiskStore:
    """A checkpoint store on a `Disk`, through the real serialisation."""

    def __init__(self, disk: Disk, fuse: Fuse) -> None:
        self._disk, self._fuse = disk, fuse

    def load(self) -> Tree | None:
        held = self._disk.checkpoint
        return None if held is None else loads(held)

    def save(self, tree: Tree) -> None:
        data = dumps(copy.deepcopy(tree))
        self._fuse.around(lambda: setattr(self._disk, "checkpoint", data))


def stream(events: int, *, seed: int = 0, bad_every: int = 97) -> list[bytes]:
    """Lines of a stream with outliers, labels, blank lines and lines that are no events."""
    random = np.random.default_rng(seed)
    lines: list[bytes] = []
    for number in range(1, events + 1):
        outlier = number % 50 == 0
        value = random.normal() + (9.0 if outlier else 0.0)
        event = {"a": value, "b": random.normal(), "t": number, "y": int(outlier)}
        lines.append(json.dumps(event).encode())
        if number % bad_every == 0:
            lines += [b"{not json", b""]
    return lines
