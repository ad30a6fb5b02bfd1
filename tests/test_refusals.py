"""For every detector: what is wrong is refused by name, and with the way out."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_dagmm import checkpoint
from stream_dagmm.stream import BlockDetector
from tests.cuts import bits
from tests.detectors import Make, every_detector
from tests.streams import mixed

REFUSED = r"expected a number|must be a dictionary"


@every_detector
@pytest.mark.parametrize("bad", [{"a": object()}, {"a": [1.0]}, None, "event", 3.0], ids=str)
def test_a_bad_event_is_refused_before_anything_changes(make: Make, bad: Any) -> None:
    detector = make()
    events = mixed(60)
    detector.learn_many(events)
    before = bits(detector)
    for method in (detector.learn_many, detector.score_learn_many, detector.score_many):
        with pytest.raises(ValueError, match=REFUSED):
            method([*events, bad])
    for one in (detector.learn_one, detector.score_one):
        with pytest.raises(ValueError, match=REFUSED):
            one(bad)
    assert bits(detector) == before


BAD_ARGUMENTS: list[tuple[str, Any]] = [
    ("n_components", 0),
    ("n_components", 1.5),
    ("half_life", 0.0),
    ("half_life", math.nan),
    ("half_life", "long"),
    ("half_life", 10**400),
    ("batch_size", 0),
    ("batch_size", True),
    ("max_features", 0),
    ("max_features", 10**6),
    ("seed", -1),
    ("seed", None),
    ("hidden", []),
    ("hidden", [0]),
    ("hidden", 3),
    ("hidden", b"a"),
    ("latent", 0),
    ("learning_rate", -1e-3),
    ("learning_rate", math.inf),
    ("floor", 1),
    ("faithful", "yes"),
]


@every_detector
@pytest.mark.parametrize(("name", "value"), BAD_ARGUMENTS)
def test_a_bad_argument_is_refused_by_name(make: Make, name: str, value: Any) -> None:
    if name not in make().configuration():
        with pytest.raises(TypeError, match=name):
            make(**{name: value})
        return
    with pytest.raises(ValueError, match=rf"^{name}(\[0\])? must .*, got"):
        make(**{name: value})


def damaged(detector: BlockDetector) -> list[Any]:
    """Trees in whole containers that are no detector, or not this one."""
    state = detector.to_state()
    without = [{k: v for k, v in state.items() if k != key} for key in state]
    model = state["model"]
    assert isinstance(model, dict)
    return [
        None,
        [1, 2],
        {},
        {"seed": 7},
        *without,
        {**state, "detector": "HalfSpaceTrees"},
        {**state, "state_format": 2},
        {**state, "configuration": {"zzz": 1}},
        {**state, "model": {**model, "scale": {}}},
    ]


@every_detector
def test_a_file_that_is_not_this_detector_is_refused_with_the_way_out(
    make: Make, tmp_path: Path
) -> None:
    detector = make()
    detector.learn_many(mixed(40))
    path = tmp_path / "model.ckpt"
    needed = [tree for tree in damaged(detector) if not only_lacks_the_fingerprint(tree)]
    for tree in needed:
        checkpoint.write(path, tree)
        with pytest.raises(ValueError, match=r"model\.ckpt: .*; .*"):
            type(detector).load(path)
    detector.save(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"model\.ckpt: .*; .*"):
        type(detector).load(path)


@every_detector
@pytest.mark.parametrize(
    "changed",
    [{"columns": [["a", -1]] * 7}, {"block_rows": np.zeros((2, 99))}],
    ids=["columns", "block"],
)
def test_a_state_that_contradicts_itself_is_refused(make: Make, changed: Any) -> None:
    detector = make()
    detector.learn_many(mixed(40))
    with pytest.raises(ValueError, match=r"state: .*; .*"):
        type(detector).from_state({**detector.to_state(), **changed})


def only_lacks_the_fingerprint(tree: Any) -> bool:
    """The fingerprint tells who wrote a file; a detector can do without it."""
    return isinstance(tree, dict) and "model" in tree and "fingerprint" not in tree


@every_detector
def test_the_fingerprint_and_the_configuration_are_kept_with_the_state(make: Make) -> None:
    detector = make()
    state = detector.to_state()
    assert state["fingerprint"] == detector.fingerprint()
    expected = {"stream-dagmm", "torch", "numpy", "cpu", "threads"}
    assert expected <= detector.fingerprint().keys()
    assert bits(type(detector)(**detector.configuration())) == bits(detector)
