"""Pairs of points as a model: what they learn of a block, how they score, encode and decode."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm import pairing, pairs, training
from stream_dagmm.arithmetic import Floats
from stream_dagmm.checkpoint import Tree
from stream_dagmm.lessons import Lessons
from stream_dagmm.pairing import Pairs
from stream_dagmm.pairs import Encoded

Encoding = Literal["exact", "fixed-point", "lower-bound"]

LOG_TWO_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class Design:
    """What does not change."""

    n_components: int
    latent: int
    encoding: Encoding
    background: float
    spread: float
    unit_scale: bool
    steps: int
    trusted: float
    learning_rate: float


class GlgaeModel(NamedTuple):
    """Scale, memory and pairs."""

    design: Design
    lessons: Lessons
    pairs: Pairs | None

    @property
    def width(self) -> int:
        """Columns learned."""
        return self.lessons.width

    def follow(self, context: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """No context."""
        return np.empty((len(rows), 0)), context

    def score(self, rows: Floats, contexts: Floats) -> Floats:
        """Scores [B] of rows [B, D]."""
        standard = self.lessons.standardised(rows)
        if self.pairs is None:
            return standard.beyond
        return np.asarray(standard.beyond - self.bound(standard.rows))

    def log_p(self, rows: Floats) -> Floats:
        """log p_k [B, K] of standardised rows [B, D]; 0 when cold."""
        if self.pairs is None:
            return np.zeros((len(rows), self.design.n_components))
        variance = self._variance(self.pairs)
        norm = np.log(variance).sum() + len(variance) * LOG_TWO_PI
        logs = np.empty((len(rows), len(self.pairs.points)))
        for place, point in enumerate(self.pairs.points):
            logs[:, place] = -0.5 * ((rows - point) ** 2 / variance).sum(axis=1) - 0.5 * norm
        return logs

    def _variance(self, learned: Pairs) -> Floats:
        return np.full(self.width, 0.5) if self.design.unit_scale else learned.variance

    def bound(self, rows: Floats) -> Floats:
        """L_2 [B] at the codes of standardised rows [B, D]."""
        if self.pairs is None:
            return np.zeros(len(rows))
        log_p = self.log_p(rows)
        z = self._encoded(log_p).z
        return pairs.bound(z, log_p, self.pairs.codes, self.design.background)

    def encoded(self, rows: Floats) -> Encoded:
        """Codes of standardised rows [B, D]."""
        return self._encoded(self.log_p(rows))

    def _encoded(self, log_p: Floats) -> Encoded:
        design = self.design
        if self.pairs is None:
            return Encoded(np.zeros((len(log_p), design.latent)), np.ones(len(log_p), np.bool_))
        codes, b = self.pairs.codes, design.background
        start = pairs.nearest(log_p, codes)
        if design.encoding == "fixed-point":
            return pairs.fixed_point(start, log_p, codes, design.steps)
        if design.encoding == "exact":
            return pairs.ascended(
                start,
                lambda z: pairs.bound(z, log_p, codes, b),
                lambda z: pairs.bound_gradient(z, log_p, codes, b),
                3.0 * design.spread,
                design.steps,
            )
        return pairs.ascended(
            start,
            lambda z: pairs.expected(z, log_p, codes),
            lambda z: pairs.expected_gradient(z, log_p, codes),
            3.0 * design.spread,
            design.steps,
        )

    def decoded(self, z: Floats) -> Floats:
        """Rows [B, D] in the features' own units for codes [B, Z]."""
        if self.pairs is None:
            return self.lessons.in_own_units(np.zeros((len(z), self.width)))
        weights = pairs.shares(pairs.log_kernel(z, self.pairs.codes))
        return self.lessons.in_own_units((weights[:, :, None] * self.pairs.points).sum(axis=1))

    def learn(
        self, rows: Floats, contexts: Floats, scores: Floats, is_text: npt.NDArray[np.bool_]
    ) -> Self:
        """After a block of rows [B, D']."""
        lessons = self.lessons.after(rows, is_text)
        after = self._replace(lessons=lessons)
        if self.pairs is None:
            if len(lessons.held) < training.LEAST_ROWS:
                return after
            after = after._begun()
        else:
            gain, shift = self.lessons.carried(lessons, is_text)
            after = after._replace(pairs=pairing.moved(self.pairs, gain, shift))
        block = lessons.standardised(rows).rows
        decay = 2.0 ** (-len(rows) / lessons.half_life)
        after = after._taught(block, decay)
        if lessons.age <= training.YOUNG:
            random = lessons.random(lessons.age, 1)
            for _ in range(training.STEPS_WHEN_YOUNG - 1):
                places = random.integers(
                    len(lessons.held), size=max(len(rows), training.LEAST_ROWS)
                )
                after = after._taught(lessons.held[places], decay)
        return after

    def _begun(self) -> Self:
        """Pairs of rows drawn from the memory's least strange, or of noise where A must stay."""
        design, held = self.design, self.lessons.held
        random = self.lessons.random(self.width, 2)
        count = design.n_components
        ordinary = held[np.argsort((held**2).sum(axis=1), kind="stable")[: self._trusted(held)]]
        points = ordinary[random.integers(len(ordinary), size=count)]
        if design.learning_rate == 0.0:
            points = random.normal(size=points.shape)
        codes = pairing.spread_to(random.normal(size=(count, design.latent)), design.spread)
        start = Pairs(points, codes, np.ones(count), np.full(self.width, 0.5))
        return self._replace(pairs=start)

    def _taught(self, rows: Floats, decay: float) -> Self:
        """One step of expectation and maximisation on the trusted of the rows [B, D]."""
        standing, design = self.pairs, self.design
        if standing is None:
            return self
        log_p = self.log_p(rows)
        z = self._encoded(log_p).z
        value = pairs.bound(z, log_p, standing.codes, design.background)
        kept = np.argsort(-value, kind="stable")[: self._trusted(rows)]
        rows, z, log_p = rows[kept], z[kept], log_p[kept]
        log_e = pairs.log_kernel(z, standing.codes)
        r = pairs.shares(log_p + log_e)
        if design.learning_rate > 0.0:
            standing = pairing.with_points(standing, rows, r, decay)
            q = np.exp(log_e - pairs.log_normaliser(log_e, design.background)[:, None])
            standing = pairing.with_codes(
                standing, z, r - q, r.sum(axis=0), design.learning_rate, design.spread
            )
        return self._replace(pairs=pairing.with_variance(standing, rows, r, decay))

    def _trusted(self, rows: Floats) -> int:
        return max(1, round(self.design.trusted * len(rows)))

    def to_state(self) -> dict[str, Tree]:
        """Named arrays and plain values."""
        learned = dict(self.pairs._asdict()) if self.pairs else None
        return {**self.lessons.to_state(), "pairs": learned}

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""
        learned = Pairs(**state["pairs"]) if state["pairs"] else None
        return self._replace(lessons=self.lessons.restored(state), pairs=learned)

    def diagnostics(self) -> dict[str, float | list[float]]:
        """Of the memory: mean bound, the share that converged; and the pairs' shares of events."""
        if self.pairs is None:
            return {}
        return {
            "bound": float(self.bound(self.lessons.held).mean()),
            "converged": float(self.encoded(self.lessons.held).converged.mean()),
            "component_weights": (self.pairs.mass / self.pairs.mass.sum()).tolist(),
        }
