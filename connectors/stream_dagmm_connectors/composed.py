"""A River pipeline as one detector: what it remembers, its arithmetic, and its fast way.

A detector offers `to_state()` and a class method `from_state(tree)`; a transformer that learns and
stands before one (`compose.Pipeline`, `compose.TransformerUnion`) must offer the same two, or the
model would come back by halves. Transformers that learn nothing (`Select`, `Discard`, `Rename`,
functions) need not. A detector outside any pipeline is its own only step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from river import base, compose

if TYPE_CHECKING:
    from stream_dagmm.checkpoint import Tree


def offers_state(detector: Any) -> bool:
    """Whether the detector itself, the last step, can be saved.

    >>> from river import anomaly, preprocessing
    >>> offers_state(preprocessing.StandardScaler() | anomaly.HalfSpaceTrees())
    False
    """
    return _offers(_last(detector))


def state_of(detector: Any) -> Tree:
    """All that the detector and the transformers before it have learned.

    Raises `ValueError` naming the step that cannot say it, and the way out.
    """
    last = _last(detector)
    if not _offers(last):
        raise ValueError(
            f"{type(last).__name__} offers no to_state and from_state, so its model cannot be "
            "saved; run it without checkpoints, or take a detector of stream_dagmm"
        )
    refuse_forgetful(detector)
    return _state(detector)


def refuse_forgetful(detector: Any) -> None:
    """`ValueError` for a transformer that learns and cannot be saved before a detector that can."""
    last = _last(detector)
    forgetful = [] if last is detector else _forgetful(detector)
    if _offers(last) and forgetful:
        raise ValueError(
            f"{', '.join(forgetful)} before {type(last).__name__} learns from events and offers no "
            "to_state and from_state, so a restart would forget it; give it the two methods in a "
            "subclass, leave it out (detectors of stream_dagmm scale by themselves), or run "
            "without checkpoints, at-least-once"
        )


def restored(detector: Any, state: Any) -> Any:
    """A detector of the same make that goes on from `state_of`."""
    parts = _parts(detector)
    if parts is None:
        return type(detector).from_state(state) if _offers(detector) else detector
    back = [(name, restored(part, state.get(name))) for name, part in parts.items()]
    return type(detector)(*back)


def fingerprint_of(detector: Any) -> dict[str, str]:
    """The arithmetic that the detector's bits depend on; empty where it does not say."""
    parts = _parts(detector)
    if parts is None:
        offered = getattr(detector, "fingerprint", None)
        return dict(offered()) if callable(offered) else {}
    return {key: said for part in parts.values() for key, said in fingerprint_of(part).items()}


def fast_way(detector: Any) -> Callable[..., Any] | None:
    """`prequential` of the detector, for the events before any step; None where there is none.

    Only behind transformers that learn nothing: what others make of an event depends on the last.
    """
    parts = _parts(detector)
    *before, last = [detector] if parts is None else parts.values()
    prequential: Callable[..., Any] | None = getattr(last, "prequential", None)
    if not before or prequential is None:
        return prequential
    if not all(map(_learns_nothing, before)):
        return None

    def through(rows: Sequence[Mapping[str, Any]], explain_where: Any) -> Any:
        seen = list(rows)
        for step in before:
            seen = [step.transform_one(x) for x in seen]
        return prequential(seen, explain_where)

    return through


def feedback_of(detector: Any) -> Callable[[dict[str, Any], bool], object] | None:
    """`feedback` of the detector, for the events before any step; None where there is none."""
    parts = _parts(detector)
    *before, last = [detector] if parts is None else parts.values()
    offered: Callable[[dict[str, Any], bool], object] | None = getattr(last, "feedback", None)
    if not before or offered is None:
        return offered

    def through(x: dict[str, Any], label: bool) -> object:
        for step in before:
            x = step.transform_one(x)
        return offered(x, label)

    return through


def explained(detector: Any, x: Mapping[str, Any]) -> Mapping[Any, float] | None:
    """The contributions of the fields that the detector sees; None where it does not explain."""
    parts = _parts(detector)
    explain_one = getattr(_last(detector), "explain_one", None)
    if explain_one is None:
        return None
    for step in [] if parts is None else list(parts.values())[:-1]:
        x = step.transform_one(x)
    return dict(explain_one(x))


def _state(step: Any) -> Tree:
    parts = _parts(step)
    if parts is None:
        return step.to_state() if _offers(step) else None
    return {name: _state(part) for name, part in parts.items()}


def _forgetful(step: Any) -> list[str]:
    parts = _parts(step)
    if parts is not None:
        return [name for part in parts.values() for name in _forgetful(part)]
    return [] if _offers(step) or _learns_nothing(step) else [type(step).__name__]


def _learns_nothing(step: Any) -> bool:
    parts = _parts(step)
    if parts is not None:
        return all(map(_learns_nothing, parts.values()))
    inherited = getattr(type(step), "learn_one", None)
    return isinstance(step, base.Transformer) and inherited is base.Transformer.learn_one


def _parts(step: Any) -> dict[str, Any] | None:
    if isinstance(step, compose.Pipeline):
        return dict(step.steps)
    if isinstance(step, compose.TransformerUnion):
        return dict(step.transformers)
    return None


def _last(detector: Any) -> Any:
    if isinstance(detector, compose.Pipeline):
        return _last(list(detector.steps.values())[-1])
    return detector


def _offers(step: Any) -> bool:
    return hasattr(step, "to_state") and hasattr(type(step), "from_state")
