"""Joint structure: whether an event's columns agree with each other, each given all others.

Two exponentially weighted mixtures over the standardised columns, of one Gaussian and of several,
say what every column should be, given the rest of the event (`conditionals`). The mean surprise at
the columns notices what no distance does: values that are each usual and never come together. Each
mixture is asked, before it learns an event, how many nats the others tell of a column: the one that
is told more speaks, as loud as that, and only where it is more surprised than it usually is. So on
streams without joint structure both are silent.
"""

import math
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from stream_dagmm import mixture
from stream_dagmm.arithmetic import Floats
from stream_dagmm.conditionals import Conditionals, components_for
from stream_dagmm.levels import Level
from stream_dagmm.mixture import Mixture

ENTRIES, MOST_COMPONENTS = 64, 8
"""Columns times components, and components, at most: what many columns have in them, few events
tell of, and a row's cost stays that of a few columns more."""

USUAL = 0.5
"""Standard deviations over its mean up to which the surprise says nothing."""

TEACHES_AT_MOST = 3.0
"""Standard deviations over the mean to which a surprise is held before it teaches the level."""

LEAST_DEVIATION = 0.01
"""Of the surprise, in nats a column."""

LEAST_ROWS = 32
"""Events before correlations say anything."""

START = 1024
"""Events, or as many as are remembered, until which several components are fitted anew to the
memory, block by block."""

SHOWN = 64
"""Rows of a block, about, that several components learn, and that tell what is usual to them."""


class View(NamedTuple):
    """One mixture over the columns, and what its surprises were."""

    learned: Mixture
    level: Level
    """Of the surprises that were learned."""
    gain: Level
    """Of the nats a column that the others told of it."""
    conditionals: Conditionals | None
    """None until enough was learned, and where one column stands alone."""

    @classmethod
    def fresh(cls, memory: float) -> Self:
        """Knows nothing, and will remember `memory` events."""
        zeros = torch.zeros
        nothing = Mixture(
            *(zeros(*shape, dtype=torch.float64) for shape in ((1,), (1, 0), (1, 0, 0)))
        )
        return cls(nothing, Level.fresh(memory), Level.fresh(memory), None)

    @property
    def told(self) -> float:
        """Nats a column that the others told; 0 where they told nothing, or too little is known."""
        ready = self.conditionals is not None and self.level.settled
        return max(0.0, self.gain.mean) if ready else 0.0

    def excess(self, rows: Floats) -> Floats:
        """Logarithm [B] of how far the surprise at rows [B, D] lies above what is usual, by what
        the columns tell; 0 where it does not."""
        if self.conditionals is None or not self.told:
            return np.zeros(len(rows))
        deviation = math.sqrt(self.level.variance + LEAST_DEVIATION**2)
        above = (self.conditionals.surprise(rows) - self.level.mean) / deviation - USUAL
        return np.asarray(self.told * np.log1p(np.maximum(above, 0.0)))

    def watched(self, rows: Floats) -> Self:
        """After its surprises at rows [B, D] that it is about to learn, by what it knew before,
        on the scale that stood then."""
        if self.conditionals is None:
            return self
        surprise = self.conditionals.surprise(rows)
        held = np.minimum(surprise, self.level.above(TEACHES_AT_MOST, LEAST_DEVIATION))
        told = self.conditionals.alone(rows) - surprise
        return self._replace(level=self.level.after(held), gain=self.gain.after(told))

    def moved(self, gain: Floats, shift: Floats) -> Self:
        """After the scale of the columns moved, or columns came: by `scaling.carried`."""
        came = len(gain) != self.learned.mean.shape[1]
        learned = mixture.moved(self.learned, torch.from_numpy(gain), torch.from_numpy(shift))
        if self.conditionals is None or came:
            return self.with_mixture(learned)
        denser = np.log(np.where(gain > 0.0, gain, 1.0)) @ self.conditionals.counts
        level = self.level._replace(mean=self.level.mean + float(denser))
        return self._replace(learned=learned, level=level)

    def lightened(self, share: float) -> Self:
        """As if a share of the events had been learned."""
        return self._replace(
            learned=self.learned._replace(mass=share * self.learned.mass),
            level=self.level.lightened(share),
            gain=self.gain.lightened(share),
        )

    def updated(self, rows: Floats, events: int) -> Self:
        """After rows [B, D] that stand for so many events, one component or several."""
        belonging = np.ones((len(rows), 1))
        if self.conditionals is not None and len(self.learned.mass) > 1:
            belonging = self.conditionals.belonging(rows)
        decay = 2.0 ** (-events / self.level.memory)
        weighed = torch.from_numpy(belonging * (events / len(rows)))
        return self.with_mixture(
            mixture.update(self.learned, torch.from_numpy(rows), weighed, decay)
        )

    def fitted(
        self, memory: Floats, components: int, mass: float, random: np.random.Generator
    ) -> Self:
        """With so many components that were fitted to a memory [R, D] of events of that mass."""
        found = mixture.fitted(torch.from_numpy(memory), components, random)
        share = mass / float(found.mass.sum())
        return self.with_mixture(found._replace(mass=found.mass * share))

    def with_mixture(self, learned: Mixture) -> Self:
        """With another mixture, ready to be asked where it has seen enough."""
        together = learned.mean.shape[1] > 2  # beside the count of unknown features
        ready = together and float(learned.mass.sum()) >= LEAST_ROWS
        steadied = mixture.shrunk(learned) if len(learned.mass) > 1 else learned
        return self._replace(
            learned=learned, conditionals=Conditionals.of(steadied) if ready else None
        )


class Joint(NamedTuple):
    """What is known of how columns go together."""

    single: View
    """By one Gaussian."""
    several: View
    """By several, as many as the columns allow."""

    @classmethod
    def fresh(cls, memory: float) -> Self:
        """Knows nothing, and will remember `memory` events."""
        return cls(View.fresh(memory), View.fresh(memory))

    def excess(self, rows: Floats) -> Floats:
        """How far rows [B, D] surprise the view to which the columns tell more: `View.excess`."""
        return (self.several if self.several.told > self.single.told else self.single).excess(rows)

    def moved(self, gain: Floats, shift: Floats) -> Self:
        """After the scale of the columns moved: by `scaling.carried`."""
        return type(self)(*(view.moved(gain, shift) for view in self))

    def lightened(self, share: float) -> Self:
        """As if a share of the events had been learned."""
        return type(self)(*(view.lightened(share) for view in self))

    def learned(self, rows: Floats, memory: Floats, random: np.random.Generator) -> Self:
        """After rows [B, D] that may teach, on the scale that stands, as the memory [R, D] is."""
        if not len(rows):
            return self
        shown = rows[:: max(1, len(rows) // SHOWN)]
        single = self.single.watched(rows).updated(rows, len(rows))
        mass = float(single.learned.mass)
        several = self.several.watched(shown)
        count = components_for(rows.shape[1], ENTRIES, MOST_COMPONENTS)
        if count == 1 or single.conditionals is None:
            several = View.fresh(single.level.memory)
        elif (
            mass < min(START, single.level.memory)
            or several.conditionals is None
            or len(several.learned.mass) != count
        ):
            several = several.fitted(memory, count, mass, random)
        else:
            several = several.updated(shown, len(rows))
        return type(self)(single, several)

    def to_state(self) -> dict[str, Any]:
        """Named arrays and plain values."""
        return {name: _to_state(view) for name, view in self._asdict().items()}

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh one with a saved state."""
        return type(self)(*(_restored(state[name]) for name in self._fields))


def _to_state(view: View) -> dict[str, Any]:
    learned = {name: tensor.numpy() for name, tensor in view.learned._asdict().items()}
    return {"mixture": learned, "level": list(view.level), "gain": list(view.gain)}


def _restored(state: dict[str, Any]) -> View:
    learned = Mixture(**{name: torch.from_numpy(array) for name, array in state["mixture"].items()})
    view = View(learned, Level(*state["level"]), Level(*state["gain"]), None)
    return view.with_mixture(learned)
