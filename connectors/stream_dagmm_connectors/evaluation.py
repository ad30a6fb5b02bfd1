"""How well scores rank what labels call anomalous: scores kept on disk, judged exactly at the end.

Labels never reach a detector. They wait here, nine bytes for each event, beside its score; the
file is only appended to and can be cut back, so a resumed run judges the whole stream.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from stream_dagmm_connectors.durable import already_there, naming
from stream_dagmm_connectors.ports import Extent

FIRST_JUDGED = 512
"""The number of the first event that counts, from 1: every detector is cold before it."""

_ROW = np.dtype([("score", "<f8"), ("anomalous", "u1")])
_UNLABELLED, _UNCLEAR = 2, 3


class LabelledScore(NamedTuple):
    """The score of one event and its label as it came; None where the event had none."""

    score: float
    label: object


class Verdict(NamedTuple):
    """Area under the ROC curve and average precision over so many labelled events.

    Both are None where only one kind of label was seen: then there is nothing to rank.
    """

    auroc: float | None
    average_precision: float | None
    events: int
    anomalies: int
    labels: int = 0
    """Events that had a label, those that came too early and those unclear included."""
    unclear: int = 0
    """Events late enough whose label was neither yes nor no."""


_TRUE = frozenset({"1", "true", "yes", "anomaly", "anomalous", "attack", "fraud"})
_FALSE = frozenset({"0", "false", "no", "normal", "benign", ""})


def truth(label: object) -> bool | None:
    """Whether a label says anomalous; None for no label and for words that are neither.

    Numbers and booleans say so by not being zero, which text of a number does too.

    >>> truth(1), truth("0.0"), truth("Normal"), truth("perhaps"), truth(None)
    (True, False, False, None, None)
    """
    if label is None or isinstance(label, (bool, int, float)):
        return None if label is None else bool(label)
    word = str(label).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    try:
        return bool(float(word))
    except ValueError:
        return None


class LabelledScores:
    """A `Sink` of labelled scores in one append-only file.

    Raises `ValueError` where the file holds rows already and `cut_back` was not called.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        self._overwrite = overwrite
        self._file: BinaryIO | None = None

    def write(self, rows: Sequence[LabelledScore]) -> None:
        """Append rows in order."""
        block = np.empty(len(rows), dtype=_ROW)
        block["score"] = [row.score for row in rows]
        block["anomalous"] = [_code(row.label) for row in rows]
        file = self._opened()
        with naming(self.path):
            file.write(block.tobytes())

    def flush(self) -> Extent:
        """Make everything written durable; the extent counts bytes."""
        file = self._opened()
        with naming(self.path):
            file.flush()
            os.fsync(file.fileno())
        return {"bytes": file.tell()}

    def cut_back(self, extent: Extent) -> None:
        """Forget everything after the extent of an earlier `flush`."""
        held = self.path.stat().st_size if self.path.exists() else 0
        if held < extent["bytes"]:
            raise ValueError(
                f"{self.path} must hold {extent['bytes']} bytes of labelled scores, got {held}; "
                "the file was changed since the checkpoint: restore it, or start afresh (--fresh)"
            )
        with naming(self.path):
            self._file = self.path.open("r+b" if self.path.exists() else "w+b")
            self._file.truncate(extent["bytes"])
            self._file.seek(extent["bytes"])

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def refuse_if_taken(self) -> None:
        """`ValueError` where rows are that nobody allowed to overwrite; touches nothing."""
        held = self.path.stat().st_size if self.path.exists() else 0
        if held and not self._overwrite:
            raise already_there(self.path, "labelled scores of another run")

    def verdict(self, first: int = FIRST_JUDGED) -> Verdict:
        """Judge the events numbered `first` and later, counting from 1."""
        rows = self._held(1)
        labels = int((rows["anomalous"] != _UNLABELLED).sum())
        rows = rows[first - 1 :]
        unclear = int((rows["anomalous"] == _UNCLEAR).sum())
        rows = rows[rows["anomalous"] <= 1]
        return judge(rows["score"], rows["anomalous"] == 1)._replace(labels=labels, unclear=unclear)

    def scores(self, first: int = FIRST_JUDGED) -> npt.NDArray[np.float64]:
        """Scores of the events numbered `first` and later, labelled or not."""
        return np.asarray(self._held(first)["score"])

    def _held(self, first: int) -> npt.NDArray[np.void]:
        if self._file is not None and not self._file.closed:
            self._file.flush()
        return np.fromfile(self.path, dtype=_ROW)[first - 1 :]

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self.refuse_if_taken()
            with naming(self.path):
                self._file = self.path.open("wb")
        return self._file


def _code(label: object) -> int:
    if label is None:
        return _UNLABELLED
    anomalous = truth(label)
    return _UNCLEAR if anomalous is None else int(anomalous)


def why_not_judged(verdict: Verdict, label: str) -> str:
    """What a user may have to mend where a label was named and nothing could be judged by it."""
    late = f"from event {FIRST_JUDGED} on"
    if not verdict.labels:
        return f"no event has field {label!r}"
    if not verdict.events and not verdict.unclear:
        return f"no labelled event came {late}"
    if not verdict.events:
        return f"no label {late} says yes or no; expected 1 and 0, true and false, or such words"
    kind = "anomalies" if verdict.anomalies else "normal events"
    return f"only {kind} among {verdict.events:,} labelled events {late}"


def judge(scores: npt.ArrayLike, anomalous: npt.ArrayLike) -> Verdict:
    """AUROC and average precision, exact with ties: scores [N], labels [N] of 0 and 1.

    Equal scores count as half a win in AUROC and as one threshold in average precision, the
    definitions of scikit-learn's `roc_auc_score` and `average_precision_score`.

    >>> judge([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])[:4]
    (0.75, 0.8333333333333333, 4, 2)
    """
    labels = np.asarray(anomalous, dtype=bool)
    values, place = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
    hits = np.bincount(place[labels], minlength=len(values))  # [V] anomalies at each value
    misses = np.bincount(place[~labels], minlength=len(values))  # [V] the others
    positives, negatives = int(hits.sum()), int(misses.sum())
    if positives == 0 or negatives == 0:
        return Verdict(None, None, len(labels), positives, len(labels))
    below = np.cumsum(misses) - misses
    wins = float((hits * (below + 0.5 * misses)).sum())
    hits_above = np.cumsum(hits[::-1])  # [V] anomalies at or above each value, from the top
    precision = hits_above / np.cumsum((hits + misses)[::-1])
    return Verdict(
        auroc=wins / (positives * negatives),
        average_precision=float((precision * hits[::-1]).sum() / positives),
        events=len(labels),
        anomalies=positives,
        labels=len(labels),
    )
