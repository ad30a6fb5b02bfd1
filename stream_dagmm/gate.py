"""What may teach: floods of strange events do not, new normals do, after a wait.

A detector that learns whatever comes excuses every anomaly that lasts. An event is strange when its
score lies above what was learned by `STRANGE` standard deviations. Strange events wait in a
quarantine, where their distance to each other tells three kinds apart: near-identical ones (a
flood, or a quiet new level), diverse ones (a new regime), and novel ones (single anomalies), which
never teach; where most events are novel they are none, but a regime wider than all that was, and so
diverse. A kind is admitted once it has come often enough beside what was learned before: in a
row or nearly, or, where it is diverse, by more than a tenth of all events for long. What nobody can
tell without labels, a long flood of equal events from a quiet new level, is decided for the flood
for as long as the past was, as far as it is remembered.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm import neighbourhood
from stream_dagmm.arithmetic import Floats
from stream_dagmm.features import widened
from stream_dagmm.levels import Level

STRANGE = 2.0
"""Standard deviations of learned scores above their mean: the strangest few percent do not teach,
which costs nothing, and a flood that is only moderately strange is caught."""

FAR = 2.5
"""The same for the distance in the features alone, past which the levels do not follow."""

NEAR = 1.0
"""Standard deviations below the mean distance at which strange events count as near-identical."""

ALIKE = math.log(0.15)
"""Log distance, in standard deviations a column, that near-identical events do not exceed: floods
are copies (log distance -2.3 on KDD Cup 1999), a machine's new mode of work is not (above -1)."""

QUARANTINE = 256
"""Strange rows kept, the latest."""

ENOUGH = 32
"""Strange rows in quarantine before they have a kind."""

PATIENCE = 128
"""Least number of strange events of a kind before it is admitted."""

DIVERSE_SHARE = 0.08
"""Of the events learned: where diverse strange ones come more often than usual for so long, they
are a new regime, or a new part of it."""

MANY_SHARE, LEAK = 0.1, 0.1
"""Of the events learned: so many diverse strange ones, less `LEAK` for each other event, are a part
of what is normal even where they always were as many."""

UNUSUAL = 3.0
"""Times the usual share of diverse strange events that is more often than usual; once the stream
has drifted, any more than usual is, until the new normal is known."""

LEAST_SHARE = 0.05
"""Of the events, diverse strange ones, that is never more often than usual."""

FIRST_SHARE, FIRST_EVENTS = 0.1, 512.0
"""Share of diverse strange events that is usual before any were seen; as if of so many events."""

IDENTICAL_SHARE = 1.0
"""Of the events learned: so many near-identical ones are a new level."""


class Gate(NamedTuple):
    """The levels of what was learned, and what waits."""

    score: Level
    distance: Level
    quarantine: Floats
    """[S, W] the latest strange rows, S <= 256."""
    usual: Level
    """Of being diverse and strange, 1 or 0: its mean is the usual share of such events."""
    diverse: float
    """Events of blocks with more diverse strange ones than usual, less those of later others."""
    many: float
    """Leaky count of diverse strange events."""
    identical: float
    """Leaky count of near-identical strange events."""
    scattered: float
    """Novel events less all others, from 0 up to twice `PATIENCE`."""
    taught: float
    """Events learned, at most `memory`."""

    @classmethod
    def fresh(cls, memory: float) -> Self:
        """Open to everything."""
        level = Level.fresh(memory)
        usual = Level(memory, FIRST_EVENTS, FIRST_SHARE, 0.0)
        return cls(level, level, np.empty((0, 1)), usual, 0.0, 0.0, 0.0, 0.0, 0.0)

    @property
    def admits_identical(self) -> bool:
        """Whether near-identical strange events teach."""
        return self.identical > max(PATIENCE, IDENTICAL_SHARE * self.taught)

    @property
    def drifted(self) -> bool:
        """Whether diverse strange events come more often than usual, and stay."""
        return self.diverse > max(PATIENCE, DIVERSE_SHARE * self.taught)

    @property
    def admits_diverse(self) -> bool:
        """Whether diverse strange events teach."""
        return self.drifted or self.many > max(PATIENCE, MANY_SHARE * self.taught)

    def finds_far(self, distances: Floats) -> npt.NDArray[np.bool_]:
        """Which rows, by their distances [B], should not move the levels."""
        if self.admits_diverse or self.admits_identical:
            return np.zeros(len(distances), dtype=np.bool_)
        return np.asarray(distances > self.distance.above(FAR))

    def to_state(self) -> dict[str, Any]:
        """Named values."""
        levels = {name: list(getattr(self, name)) for name in LEVELS}
        return {**self._asdict(), **levels}

    def restored(self, state: dict[str, Any]) -> Self:
        """This gate with a saved state."""
        levels = {name: Level(*state[name]) for name in LEVELS}
        return self._replace(**{**state, **levels})


LEVELS = ("score", "distance", "usual")
NOVEL, IDENTICAL, DIVERSE = 0, 1, 2


def passed(
    gate: Gate,
    rows: Floats,
    standardised: Callable[[Floats], Floats],
    scores: Floats,
    distances: Floats,
    refused: npt.NDArray[np.bool_] | None = None,
    accepted: npt.NDArray[np.bool_] | None = None,
) -> tuple[npt.NDArray[np.bool_], Gate]:
    """Which of a block's rows [B, W] may teach, and the gate after them.

    standardised: takes rows to the scale on which distances were measured. scores, distances [B]:
    how strange they are, and the log distances in the features alone. refused, accepted [B]: rows
    of which somebody said whether they may teach.
    """
    no = np.zeros(len(rows), dtype=np.bool_)
    refused, accepted = no if refused is None else refused, no if accepted is None else accepted
    strange = (scores > gate.score.above(STRANGE)) & ~accepted & ~refused
    waiting = np.vstack([widened(gate.quarantine, rows.shape[1]), rows[strange]])
    kinds = np.full(len(rows), -1)
    kinds[strange] = _kinds(gate.distance, waiting, int(strange.sum()), standardised)
    is_novel = kinds == NOVEL
    scattered = gate.scattered + 2.0 * int(is_novel.sum()) - len(rows)
    if gate.scattered > PATIENCE:  # before this block: a burst is not learned by what it is
        kinds[is_novel] = DIVERSE
    after = _counted(gate, kinds, int((~strange & ~refused).sum()))
    teaches = ~refused & (
        ~strange
        | ((kinds == DIVERSE) & after.admits_diverse)
        | ((kinds == IDENTICAL) & gate.admits_identical)
    )
    return teaches, after._replace(
        scattered=min(max(scattered, 0.0), 2.0 * PATIENCE),
        score=gate.score.after(scores[teaches]),
        distance=gate.distance.after(distances[teaches]),
        quarantine=waiting[-QUARANTINE:],
        taught=min(gate.taught + int(teaches.sum()), gate.score.memory),
    )


def _counted(gate: Gate, kinds: npt.NDArray[np.int64], ordinary: int) -> Gate:
    """After a block of events of these kinds [B], -1 for what is not strange."""
    is_diverse = kinds == DIVERSE
    unusual = (1.0 if gate.drifted else UNUSUAL) * gate.usual.mean
    bound = len(kinds) * max(LEAST_SHARE, unusual)
    much = is_diverse.sum() > bound + math.sqrt(bound)  # by a deviation, so not by chance
    diverse, identical = int(is_diverse.sum()), int((kinds == IDENTICAL).sum())
    return gate._replace(
        usual=gate.usual.after(is_diverse.astype(np.float64)),
        diverse=max(0.0, gate.diverse + len(kinds) * (1.0 if much else -1.0)),
        many=max(0.0, gate.many + diverse - LEAK * (len(kinds) - diverse)),
        identical=max(0.0, gate.identical + identical - ordinary),
    )


def _kinds(
    level: Level, waiting: Floats, count: int, standardised: Callable[[Floats], Floats]
) -> npt.NDArray[np.int64]:
    """Of the last `count` rows that wait."""
    if len(waiting) < ENOUGH or not count:
        return np.full(count, NOVEL)
    waiting = standardised(waiting)
    apart = neighbourhood.log_distance(waiting[-count:], waiting)
    near = apart < min(ALIKE, level.mean - NEAR * math.sqrt(level.variance))
    return np.where(near, IDENTICAL, np.where(apart < level.above(FAR), DIVERSE, NOVEL))
