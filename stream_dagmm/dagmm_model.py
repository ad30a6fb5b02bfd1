"""What `StreamDAGMM` knows, how it measures an event by it, and how it learns a block."""

import math
from functools import reduce
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm import (
    buffers,
    deep_mixture,
    echo,
    gate,
    innovation,
    mixture,
    neighbourhood,
    scaling,
    told,
)
from stream_dagmm.arithmetic import Floats, coarse_operand
from stream_dagmm.buffers import Reservoir
from stream_dagmm.checkpoint import Tree
from stream_dagmm.deep_mixture import RESIDUAL_UNIT, DeepMixture, Encoded
from stream_dagmm.echo import Echo
from stream_dagmm.features import widened
from stream_dagmm.gate import Gate
from stream_dagmm.held import GUARDED_AT_MOST, Held, interleaved, side_of
from stream_dagmm.joint import Joint
from stream_dagmm.nets import Design
from stream_dagmm.objectives import TAIL
from stream_dagmm.reach import Reach
from stream_dagmm.scaling import Scale, Standardised
from stream_dagmm.told import ALIKE, WORTH, Told

MEMORY = 192
"""Rows held in memory: its nearest tenth are 19, enough for a steady mean of logarithms."""

LEFT_AFTER_DRIFT = 0.25
"""Of the weight of what was learned before: so scale and memory follow the new normal soon, and the
few events of a flood that teach before it is known for one are not at once a good part of all."""

ENERGY_SHARE = 0.1
"""Of the energy per dimension beside the log distances; more costs average precision."""

LEAST_RESIDUAL = 1.0 / RESIDUAL_UNIT**2
"""A usual error, squared: what differs by less is reconstructed alike."""

RESIDUAL_SHARE = 0.15
"""Of the memory, the nearest by their residuals, which are noisier than values."""

TERMS = ("density", "innovation", "residual", "energy", "joint", "beyond", "told")
"""What adds up to the score, but for the echo of the scores before."""

MEASURED = len(TERMS) + 1
"""Columns of a context that were measured of the row itself: its terms and its distance."""

Bools = npt.NDArray[np.bool_]


class DagmmModel(NamedTuple):
    """What is known of D columns and their innovations, interleaved: [x0, i0, x1, i1, ...]."""

    design: Design
    floor: bool
    scale: Scale
    reach: Reach
    gate: Gate
    memory: Reservoir
    joint: Joint
    echo: Echo
    told: Told
    deep: DeepMixture | None
    age: int
    held: Held

    @classmethod
    def fresh(cls, design: Design, floor: bool) -> Self:
        """The model that knows nothing."""
        memory = design.half_life
        scale = scaling.widen(scaling.fresh(), np.array([True, False]))
        rows = Reservoir.fresh(MEMORY, memory, 2)
        return cls(
            design=design,
            floor=floor,
            scale=scale,
            reach=Reach.fresh(),
            gate=Gate.fresh(memory),
            memory=rows,
            joint=Joint.fresh(memory),
            echo=Echo.fresh(memory),
            told=Told.fresh(),
            deep=None,
            age=0,
            held=Held.of(scale, rows.rows, np.empty((0, 0), dtype=np.float32)),
        )

    @property
    def width(self) -> int:
        """Columns learned."""
        return len(self.scale.mean) // 2

    def follow(self, context: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """Contexts [B, 8 + 1 + D + Z']: what was measured of each row, what it met (the running
        mean of the scores and the levels), and its codes. The context that is carried on ends with
        the levels and has nothing measured."""
        recent, level = 0.0, context
        if len(context):
            recent, level = float(context[MEASURED]), context[MEASURED + 1 :]
        own = self._measured(rows)
        distances = self._distances(own.rows)
        moving = self.held.own_ruler.moves.held(rows)
        far, usual = self.gate.finds_far(distances), self.held.new_ruler.measure
        levels, after = innovation.follow(level, moving, far, usual)
        terms, codes = self._terms(rows, levels, own, distances)
        means, newest = echo.follow(recent, _total(terms))
        contexts = np.column_stack([terms, distances, means, levels, codes])
        return contexts, np.concatenate([np.full(MEASURED, np.nan), [newest], after])

    def score(self, rows: Floats, contexts: Floats) -> Floats:
        """Scores [B] of rows [B, D]: as `follow` measured them, or measured now."""
        if not contexts.shape[1]:
            contexts = np.hstack([np.full((len(rows), MEASURED), np.nan), np.zeros((len(rows), 1))])
        terms = contexts[:, : len(TERMS)]
        if np.isnan(terms).any():
            terms, _ = self._terms(rows, self._levels(contexts))
        total = _total(terms)
        return total + self.echo.heard(total, contexts[:, MEASURED])

    def codes(self, rows: Floats, contexts: Floats) -> Floats:
        """z [B, Z + 2] of rows [B, D], what the mixture sees; [B, 0] before there are networks."""
        if self.deep is None:
            return np.empty((len(rows), 0))
        own, new = self._measured(rows), self._measured_new(rows, self._levels(contexts))
        return deep_mixture.encoded(self.deep, self._inputs(own.rows, new.rows)).z

    def _levels(self, contexts: Floats) -> Floats:
        """The levels [B, D] that rows met, of their contexts."""
        return contexts[:, MEASURED + 1 :][:, : self.width]

    def _codes(self, contexts: Floats) -> Floats:
        """The codes [B, Z + 2] of rows that were followed, of their contexts; [B, 0] before there
        are networks."""
        return contexts[:, MEASURED + 1 + self.width :]

    def _inputs(self, own: Floats, new: Floats) -> Floats:
        """What the networks see: both, or the columns alone."""
        return own if self.design.faithful else interleaved(own, new)

    def _terms(
        self,
        rows: Floats,
        levels: Floats,
        own: Standardised | None = None,
        distances: Floats | None = None,
    ) -> tuple[Floats, Floats]:
        """`TERMS` [B, 7] of rows [B, D] that meet the levels [B, D], and their codes; own and
        distances where the rows were measured already."""
        own, new = own or self._measured(rows), self._measured_new(rows, levels)
        terms, codes = np.zeros((len(rows), len(TERMS))), np.empty((len(rows), 0))
        density, innovated, residual, energy, joint, beyond, judged = terms.T
        if self.floor:
            density[:] = self._distances(own.rows) if distances is None else distances
        if self.deep is not None:
            seen = deep_mixture.encoded(self.deep, self._inputs(own.rows, new.rows))
            residual[:], energy[:] = self._neural_terms(self.deep, seen)
            codes = seen.z
        if self.floor and not self.design.faithful:
            if len(self.held.rows):
                innovated[:] = neighbourhood.log_distance_to(self.held.new, new.rows)
            joint[:] = self.joint.excess(own.rows)
        beyond[:] = own.beyond + new.beyond
        if self.design.faithful:
            beyond += self.reach.beyond(rows, self.held.own_ruler.measure)
        judged[:] = WORTH * self._likeness(own.rows, levels)
        return terms, codes

    def _likeness(self, own: Floats, levels: Floats) -> Floats:
        """To what was judged [B], for rows [B, D] on the scale that met the levels [B, D']."""
        if not len(self.told.rows):
            return np.zeros(len(own))
        judged = self._standardised(widened(self.told.rows, self.width))
        met, usual = widened(levels, self.width), self.held.new_ruler.measure
        return self.told.likeness(own, judged, self._remembered_columns(), met, usual)

    def said(self, context: Floats, row: Floats, is_anomaly: bool) -> Self:
        """After somebody judged an event, row [D], in the context that is carried on."""
        judged = self._standardised(row[None])
        room = float(told.room(judged, self._remembered_columns())[0])
        reach = min(math.exp(self.gate.distance.mean), room)  # as far as ordinary events have kin
        level = context[MEASURED + 1 :]
        return self._replace(told=self.told.after(row, is_anomaly, reach, level))

    def _remembered_columns(self) -> Floats:
        return np.ascontiguousarray(self.held.rows[:, ::2])

    def _neural_terms(self, deep: DeepMixture, seen: Encoded) -> tuple[Floats | float, Floats]:
        """Residual and energy [B]."""
        prepared = deep.published.prepared
        if self.design.faithful:
            return 0.0, mixture.row_energy(prepared, seen.z)
        energy = mixture.row_energy(prepared, seen.z, TAIL)
        residual = neighbourhood.log_distance_to(
            self.held.residual, seen.residual, LEAST_RESIDUAL, RESIDUAL_SHARE
        )
        return residual, ENERGY_SHARE * energy / seen.z.shape[1]

    def learn(self, rows: Floats, contexts: Floats, scores: Floats, is_text: Bools) -> Self:
        """After a block of rows [B, D'] in the contexts that `follow` gave them, which hold their
        terms: the scores are not needed again."""
        teaches, opened = self._passed(rows[:, : self.width], contexts)
        drifts = opened.drifted and not self.gate.drifted
        before = self._lightened() if drifts and math.isfinite(self.design.half_life) else self
        return before._learned(rows, contexts, is_text, teaches, opened)

    def _lightened(self) -> Self:
        """With scale, memory and joint structure as if a part of the events had been learned."""
        share = LEFT_AFTER_DRIFT
        return self._replace(
            scale=self.scale._replace(weight=share * self.scale.weight),
            memory=self.memory.lightened(share),
            joint=self.joint.lightened(share),
        )

    def _learned(
        self, rows: Floats, contexts: Floats, is_text: Bools, teaches: Bools, opened: Gate
    ) -> Self:
        """After a block of rows, of which some teach, and after its gate."""
        age = self.age + len(rows)
        heard = self.echo.learned(_total(contexts[:, : len(TERMS)]))
        if not teaches.any() and rows.shape[1] == self.width:  # a flood
            return self._replace(gate=opened, age=age, echo=heard)
        innovations = self._innovations(rows, self._levels(contexts))
        lessons = interleaved(rows, innovations)[teaches]
        both = np.stack([is_text, np.zeros_like(is_text)], axis=1).reshape(-1)
        wider = scaling.widen(self.scale, both)
        scale = scaling.update(wider, lessons, self.design.half_life, GUARDED_AT_MOST)
        memory = self.memory.offer(lessons, buffers.generator(self.design.seed, age, 0))
        held = Held.of(scale, memory.rows, self.held.residual)
        after = self._replace(scale=scale, gate=opened, memory=memory, age=age, held=held)
        own = scaling.placed(held.own_ruler, rows[teaches])
        new = scaling.placed(held.new_ruler, innovations[teaches])
        codes = self._codes(contexts)[teaches]
        if self.design.faithful:
            return after._replace(reach=self.reach.learned(rows))._deepened(own, codes)
        taught, joint = interleaved(own, new), after._joint_after(self.scale, own)
        return after._replace(joint=joint, echo=heard)._deepened(taught, codes)

    def _joint_after(self, before: Scale, own: Floats) -> Joint:
        """Of a block's rows [B, D] on the scale that stands, when another one stood before."""
        if not self.floor:
            return self.joint
        moved = self.joint.moved(*scaling.carried(side_of(before, 0), side_of(self.scale, 0)))
        random = buffers.generator(self.design.seed, self.age, 4)
        return moved.learned(own, self._remembered_columns(), random)

    def _passed(self, rows: Floats, contexts: Floats) -> tuple[Bools, Gate]:
        """Strange is what the networks cannot reconstruct or, at half the weight, what is far:
        energy and joint structure are too often wrong about what is merely new."""
        if self.design.faithful:
            return np.ones(len(rows), dtype=np.bool_), self.gate
        density, new, residual = contexts[:, :3].T
        strangeness = residual + 0.5 * (density + new)
        distances = contexts[:, len(TERMS)]
        said: tuple[Bools, ...] = ()
        if len(self.told.rows):
            likeness = self._likeness(self._standardised(rows), self._levels(contexts))
            said = likeness > ALIKE, likeness < -ALIKE
        return gate.passed(self.gate, rows, self._standardised, strangeness, distances, *said)

    def _deepened(self, taught: Floats, codes: Floats) -> Self:
        inputs, deep = self._remembered(), self.deep
        if deep is None and len(inputs) < deep_mixture.LEAST_ROWS:
            return self
        if deep is None:
            deep = deep_mixture.fresh(self.design, inputs)
            codes = deep_mixture.encoded(deep, taught).z
        deep = deep_mixture.learned(deep, taught, codes, inputs, self.age)
        deep, residual = deep_mixture.respread(deep, inputs)
        held = self.held._replace(residual=coarse_operand(residual))
        return self._replace(deep=deep, held=held)

    def _distances(self, own: Floats) -> Floats:
        if not len(self.held.rows):
            return np.zeros(len(own))
        return neighbourhood.log_distance_to(self.held.own, own)

    def _standardised(self, rows: Floats) -> Floats:
        return scaling.placed(self.held.own_ruler, self._within_reach(rows))

    def _measured(self, rows: Floats) -> Standardised:
        return scaling.measured(self.held.own_ruler, self._within_reach(rows))

    def _within_reach(self, rows: Floats) -> Floats:
        """The rows; when faithful, with each column held to its learned range."""
        return self.reach.held(rows) if self.design.faithful else rows

    def _measured_new(self, rows: Floats, levels: Floats) -> Standardised:
        """The innovations on the scale."""
        return scaling.measured(self.held.new_ruler, self._innovations(rows, levels))

    def _remembered(self) -> Floats:
        """The memory as the networks see it: all of it, or no innovations."""
        return self._remembered_columns() if self.design.faithful else self.held.rows

    def _innovations(self, rows: Floats, levels: Floats) -> Floats:
        """How far rows [B, D'] are from the levels [B, D]. A column without a level, or that never
        varied (where the echo of one odd event would last for ever), has none."""
        ruler, known = self.held.own_ruler, levels.shape[1]
        apart = ruler.teaches.held(rows[:, : self.width])[:, :known] - levels
        innovations = np.full(rows.shape, np.nan)
        innovations[:, :known] = np.where(ruler.varies[:known], apart, np.nan)
        return innovations

    def to_state(self) -> dict[str, Tree]:
        """Named arrays and plain values."""
        return {
            "scale": dict(self.scale._asdict()),
            "reach": dict(self.reach._asdict()),
            "gate": self.gate.to_state(),
            "memory": self.memory.to_state(),
            "joint": self.joint.to_state(),
            "echo": self.echo.to_state(),
            "told": self.told.to_state(),
            "deep": deep_mixture.to_state(self.deep) if self.deep else None,
            "age": self.age,
        }

    def restored(self, state: dict[str, Any]) -> Self:
        """This fresh model with a saved state."""
        deep = deep_mixture.restored(self.design, state["deep"]) if state["deep"] else None
        scale, memory = Scale(**state["scale"]), self.memory.restored(state["memory"])
        after = self._replace(
            scale=scale,
            reach=Reach(**state["reach"]),
            gate=self.gate.restored(state["gate"]),
            memory=memory,
            joint=self.joint.restored(state["joint"]),
            echo=Echo.restored(state["echo"]),
            told=Told(**state["told"]),
            deep=deep,
            age=state["age"],
            held=Held.of(scale, memory.rows, self.held.residual),
        )
        if deep is None:
            return after
        residual = deep_mixture.encoded(deep, after._remembered()).residual
        return after._replace(held=after.held._replace(residual=coarse_operand(residual)))

    def diagnostics(self) -> dict[str, float | list[float]]:
        """Mean reconstruction error and energy of the memory, and the components' weights."""
        if self.deep is None:
            return {}
        seen = deep_mixture.encoded(self.deep, self._remembered())
        energy = mixture.row_energy(self.deep.published.prepared, seen.z)
        return {
            "reconstruction": float((seen.residual**2).mean()),
            "energy": float(energy.mean()),
            "component_weights": mixture.weights(self.deep.published.mixture).tolist(),
        }


def _total(terms: Floats) -> Floats:
    """The sum [B] of terms [B, 7], one after the other: the same bits however many rows."""
    return np.asarray(reduce(np.add, terms.T))
