"""The law of cuts, in one place: a detector that learns in blocks counted in events.

State and scores are a function of the constructor's arguments and the sequence of events alone, bit
for bit: not of how the sequence was cut into calls, of how often something was scored, nor of saves
and loads in between. Three rules make it so. A model changes only at the end of a block, and blocks
end at numbers of events (short ones first, then every `batch_size`). What moves with
every event (the context) moves row by row in the same arithmetic, however many rows come at once.
And a row's score is computed by exact products (`arithmetic`), alone or among others.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from river import base

from stream_dagmm import arguments, checkpoint, explanation
from stream_dagmm.arithmetic import Floats
from stream_dagmm.blocks import Block, Glance, Model
from stream_dagmm.events import Event, Events, as_events, listed, present
from stream_dagmm.features import MOST_FEATURES, Columns, widened
from stream_dagmm.fingerprint import arithmetic_fingerprint

STATE_FORMAT = 1
"""Version of what `to_state` returns; every released one is read or refused with the way out."""

ExplainWhere = Callable[[Floats], npt.NDArray[np.bool_]]
"""From the scores of a run of rows to the rows that shall be explained."""

Contributions = dict[Hashable, float]


class BlockDetector(base.AnomalyDetector):
    """A River anomaly detector around a `Model`.

    A subclass names its arguments and builds the model that knows nothing (`_fresh`); nothing else.
    """

    half_life: float
    batch_size: int
    max_features: int
    seed: int
    growth: float = 1.0
    """Length of a block at most, as a share of the events before it: at 1, blocks double."""
    own_measures: int = 0
    """Columns at the start of a context that were measured of the row itself; NaN where not."""

    def _begin(self, half_life: float, batch_size: int, max_features: int, seed: int) -> None:
        """Keeps what every detector is told, and knows nothing yet."""
        self.half_life = arguments.positive(half_life=half_life)
        self.batch_size = arguments.at_least(1, batch_size=batch_size)
        self.max_features = arguments.between(1, MOST_FEATURES, max_features=max_features)
        self.seed = arguments.at_least(0, seed=seed)
        self._columns = Columns(self.max_features)
        self._model: Model = self._fresh()
        self._context = np.empty(0)
        self._block = Block([], [], [], 0)
        self._glance: Glance | None = None
        self._learned = 0

    def _fresh(self) -> Model:
        raise NotImplementedError

    @property
    def learned(self) -> int:
        """Events learned, those still waiting for the end of their block included."""
        return self._learned

    def score_one(self, x: dict[Any, Any]) -> float:
        """The anomaly score of an event: higher is stranger; finite, and changes nothing."""
        rows = self._columns.encode(listed([x]), self._model.width)
        contexts, after = self._model.follow(self._context, rows)
        self._glance = Glance(rows.tobytes(), contexts, after)
        return float(self._model.score(rows, contexts)[0])

    def score_many(self, X: Any) -> Floats:
        """Scores [B] of events [dataframe, 2-D array or dictionaries], none of them learned: each
        as if it came next."""
        events = as_events(X)
        cuts = range(0, events.length, self.batch_size)
        scores = [self._score(events.part(c, c + self.batch_size), self._context) for c in cuts]
        return np.concatenate([np.empty(0), *scores])

    def learn_one(self, x: dict[Any, Any]) -> None:
        """Takes the event into the current block; the block's last event makes the model learn."""
        self.learn_many([x])

    def learn_many(self, X: Any) -> None:
        """Learns the events in order, as `learn_one` one by one would."""
        for events in self._blocks(X):
            rows = self._columns.learn(events, self._model.width)
            contexts, after = self._followed(rows[:, : self._model.width])
            self._take(rows, contexts, np.full(len(rows), np.nan), after)

    def score_learn_many(self, X: Any) -> Floats:
        """Scores [B], each by the detector as it stood before that event was learned."""
        return self.prequential(X, None)[0]

    def prequential(
        self, X: Any, explain_where: ExplainWhere | None
    ) -> tuple[Floats, dict[int, Contributions]]:
        """As `score_learn_many`, with contributions {row: {feature: share}} of the rows that
        `explain_where` asks for. It is called with the scores of consecutive runs of rows, in
        order, each row in exactly one; explanations are by the model that gave the score."""
        scores: list[Floats] = [np.empty(0)]
        reasons: dict[int, Contributions] = {}
        done = 0
        for events in self._blocks(X):
            rows = self._columns.learn(events, self._model.width)
            seen = rows[:, : self._model.width]
            contexts, after = self._model.follow(self._context, seen)
            scores.append(self._model.score(seen, contexts))
            if explain_where is not None:
                chosen = np.flatnonzero(explain_where(scores[-1])).tolist()
                met = contexts[chosen]
                met[:, : self.own_measures] = np.nan  # they do not hold for the rows' variants
                found = self._explained([events.event(place) for place in chosen], met)
                reasons.update(zip([done + place for place in chosen], found, strict=True))
            self._take(rows, contexts, scores[-1], after)
            done += len(rows)
        return np.concatenate(scores), reasons

    def explain_one(self, x: dict[Any, Any]) -> Contributions:
        """Signed contributions of the event's features, in units of the score, adding up to it. A
        missing value is no feature; an event of none has its score under "(no features)"."""
        return self._explained([x], self._context[None])[0]

    def flush(self) -> None:
        """Learns the events that wait for the end of their block, as a block of its own. It is an
        event of the sequence: scores after it differ from those without it."""
        if self._block.rows:
            self._glance = None
            self._learn_block()

    def save(self, path: Any) -> None:
        """Writes everything to a file, atomically; a loaded detector goes on bit for bit."""
        checkpoint.write(path, self.to_state())

    @classmethod
    def load(cls, path: Any) -> Self:
        """Reads a saved detector. ValueError that says what to do if the file is not one."""
        state = checkpoint.read(path)
        return cls.from_state(state if isinstance(state, dict) else {}, name=str(path))

    def to_state(self) -> dict[str, checkpoint.Tree]:
        """Everything a detector needs to go on, as named arrays and plain values."""
        rows, contexts, _ = self._block_arrays()  # scores differ by how the events were cut
        return {
            "state_format": STATE_FORMAT,
            "detector": type(self).__name__,
            "configuration": self.configuration(),
            "fingerprint": dict(self.fingerprint()),
            "columns": [[name, bucket] for name, bucket in self._columns.places],
            "overflowed": self._columns.overflowed,
            "learned": self._learned,
            "context": self._context,
            "block_rows": rows,
            "block_contexts": contexts,
            "block_begun": self._block.begun,
            "model": self._model.to_state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], name: str = "state") -> Self:
        """The detector that `to_state` described. ValueError if it described another kind."""
        found = state.get("detector"), state.get("state_format")
        if found[0] != cls.__name__:
            raise ValueError(
                f"{name}: holds {found[0] or 'no detector'}, expected {cls.__name__}; "
                f"load it with the class that saved it"
            )
        if found[1] != STATE_FORMAT:
            raise ValueError(
                f"{name}: state format {found[1]}, this version reads {STATE_FORMAT}; "
                f"use the version of stream-dagmm that wrote it"
            )
        try:
            return cls(**cls._arguments(state["configuration"]))._resumed(state)
        except (KeyError, TypeError, IndexError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"{name}: is not a whole {cls.__name__} ({type(error).__name__}: {error}); "
                f"restore a copy of it"
            ) from error

    @classmethod
    def _arguments(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """The constructor's arguments of today for those that a state was saved with."""
        return dict(saved)

    def _resumed(self, state: Mapping[str, Any]) -> Self:
        keys = [(name, bucket) for name, bucket in state["columns"]]
        if len(set(keys)) < len(keys):
            raise ValueError("a column stands there twice")
        self._columns.restore(keys, state["overflowed"])
        if state["block_rows"].shape[1] != self._columns.width:
            raise ValueError(f"rows of {state['block_rows'].shape[1]} columns wait")
        self._model = self._fresh().restored(state["model"])
        self._context = state["context"]
        rows = [state["block_rows"]] if len(state["block_rows"]) else []
        contexts = [state["block_contexts"]] if rows else []
        scores = [np.full(len(part), np.nan) for part in rows]
        self._block = Block(rows, contexts, scores, state["block_begun"])
        self._learned = state["learned"]
        return self

    def configuration(self) -> dict[str, checkpoint.Tree]:
        """The constructor's arguments, by name."""
        return dict(self._get_params())

    def fingerprint(self) -> dict[str, str]:
        """What the bits of a score depend on beside configuration and events; the law of cuts holds
        where all of it is equal (`fingerprint.py`)."""
        return arithmetic_fingerprint()

    def diagnostics(self) -> dict[str, float | list[float]]:
        """What a learning curve shows, by name: of the model as it stands."""
        return self._model.diagnostics()

    def _blocks(self, X: Any) -> Iterator[Events]:
        """The events in runs that end where blocks end; each must be taken before the next."""
        events, start = as_events(X), 0
        while start < events.length:
            if self._block.room(self.batch_size, self.growth) <= 0:
                self._learn_block()  # an earlier call was interrupted here
            stop = min(events.length, start + self._block.room(self.batch_size, self.growth))
            yield events.part(start, stop)
            start = stop

    def _followed(self, rows: Floats) -> tuple[Floats, Floats]:
        glance = self._glance
        if glance is not None and glance.row == rows.tobytes():
            return glance.contexts, glance.after
        return self._model.follow(self._context, rows)

    def _changed(self, model: Any) -> None:
        """Goes on with another model, between two events."""
        self._model, self._glance = model, None

    def _take(self, rows: Floats, contexts: Floats, scores: Floats, after: Floats) -> None:
        self._block.rows.append(rows)
        self._block.contexts.append(contexts)
        self._block.scores.append(scores)
        self._context = after
        self._glance = None
        self._learned += len(rows)
        if self._block.room(self.batch_size, self.growth) == 0:
            self._learn_block()

    def _learn_block(self) -> None:
        self._model = self._model.learn(*self._block_arrays(), self._columns.is_text)
        self._block = Block([], [], [], self._learned)

    def _block_arrays(self) -> tuple[Floats, Floats, Floats]:
        block, width = self._block, self._columns.width
        if not block.rows:
            return np.empty((0, width)), np.empty((0, 0)), np.empty(0)
        rows = np.vstack([widened(part, width) for part in block.rows])
        return rows, np.vstack(block.contexts), np.concatenate(block.scores)

    def _score(self, events: Events, context: Floats) -> Floats:
        rows = self._columns.encode(events, self._model.width)
        return self._model.score(rows, np.broadcast_to(context, (len(rows), len(context))))

    def _explained(self, events: Sequence[Event], contexts: Floats) -> list[Contributions]:
        """Of events [B] that meet the contexts [B, C]."""
        return explanation.contributions(
            lambda variants: self._columns.encode(listed(variants), self._model.width),
            lambda rows, places: self._model.score(rows, contexts[places]),
            [present(event) for event in events],
        )
