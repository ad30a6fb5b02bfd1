"""River's own estimator checks for every detector, and what River builds around a detector."""

import functools
import itertools
import pickle
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from river import anomaly, checks, compose, datasets, evaluate, metrics, preprocessing
from river.base import AnomalyDetector

from stream_dagmm.stream import BlockDetector
from tests.detectors import DETECTORS, Make, every_detector

LENGTH = 250
LENGTH_FOR_MEMORY = 2000
"""Rows of Shuttle in place of the data set that would have to be downloaded; River takes 1,000 of
that, and 10,000 for its check of memory, which here plateaus after the first 1,024."""


class Shuttle:
    """River's bundled real stream: rows that can be gone through again and again."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __iter__(self) -> Iterator[tuple[dict[str, Any], bool]]:
        yield from itertools.islice(datasets.Shuttle(), self.length)


def checks_of(detector: BlockDetector) -> dict[str, Callable[[BlockDetector], None]]:
    """Every check that River yields for the detector, by name, on Shuttle where it needs data."""
    found: dict[str, Callable[[BlockDetector], None]] = {}
    for check in checks.yield_checks(detector):
        name = check.__name__
        if isinstance(check, functools.partial):
            length = LENGTH_FOR_MEMORY if name == "check_bounded_memory_growth" else LENGTH
            check = functools.partial(check.func, *check.args, dataset=Shuttle(length))
        found[name] = check
    return found


CHECKS = sorted(checks_of(next(iter(DETECTORS.values()))()))


def test_river_yields_the_checks_that_an_anomaly_detector_needs() -> None:
    """A renamed or vanished check would otherwise pass unseen."""
    assert len(CHECKS) >= 26
    needed = {"check_roc_auc", "check_pickling", "check_shuffle_features_no_impact"}
    assert needed | {"check_bounded_memory_growth", "check_emerging_features"} <= set(CHECKS)


@every_detector
def test_no_check_is_skipped_and_all_detectors_have_the_same(make: Make) -> None:
    detector = make()
    assert isinstance(detector, AnomalyDetector)
    assert detector._unit_test_skips() == set()
    assert sorted(checks_of(detector)) == CHECKS


@every_detector
@pytest.mark.parametrize("check", CHECKS)
def test_rivers_check(make: Make, check: str) -> None:
    random.seed(0)  # some checks shuffle features
    detector = make(batch_size=128)
    checks_of(detector)[check](detector)


@every_detector
def test_the_configurations_for_rivers_tests_can_be_made(make: Make) -> None:
    kind = type(make())
    configurations = list(kind._unit_test_params())
    assert configurations
    for configuration in configurations:
        assert kind(**configuration)._get_params().items() >= configuration.items()


@every_detector
@pytest.mark.parametrize(
    "first",
    [preprocessing.StandardScaler(), compose.Select("f1", "f2"), compose.Discard("f1")],
    ids=str,
)
def test_a_detector_stands_at_the_end_of_a_pipeline(make: Make, first: Any) -> None:
    model = first.clone() | make()
    for x, _ in Shuttle(100):
        assert np.isfinite(model.score_one(x))
        model.learn_one(x)
    assert model[type(make()).__name__].learned == 100


@every_detector
def test_a_pipeline_scores_as_the_detector_alone_on_what_comes_through(make: Make) -> None:
    alone, model = make(), compose.Select("f1", "f2", "f3") | make()
    for x, _ in Shuttle(100):
        selected = {name: x[name] for name in ("f1", "f2", "f3")}
        assert model.score_one(x) == alone.score_one(selected)
        model.learn_one(x)
        alone.learn_one(selected)


@every_detector
def test_a_quantile_filter_around_a_detector_finds_alarms(make: Make) -> None:
    model: Any = anomaly.QuantileFilter(make(), q=0.95)
    alarms = 0
    for x, _ in Shuttle(400):
        alarms += model.classify(model.score_one(x))
        model.learn_one(x)
    assert 0 < alarms < 120


@every_detector
def test_rivers_progressive_evaluation_runs(make: Make) -> None:
    area: Any = metrics.ROCAUC  # without annotations in River
    metric = evaluate.progressive_val_score(datasets.Shuttle().take(300), make(), area())
    assert 0.0 <= metric.get() <= 1.0


@every_detector
def test_a_clone_is_fresh_and_has_the_configuration(make: Make) -> None:
    detector = make(seed=5, max_features=7)
    for x, _ in Shuttle(60):
        detector.learn_one(x)
    clone = detector.clone()
    assert clone.configuration() == detector.configuration()
    assert clone.learned == 0
    assert detector.clone({"seed": 6}).configuration()["seed"] == 6
    kept = detector.clone(include_attributes=True)
    assert kept.score_one({"f1": 1.0}) == detector.score_one({"f1": 1.0})


@every_detector
def test_a_pickled_detector_is_the_detector(make: Make) -> None:
    """River's checks pickle; files of ours never do."""
    detector = make()
    rows = [x for x, _ in Shuttle(100)]
    detector.learn_many(rows[:70])
    again = pickle.loads(pickle.dumps(detector))
    assert again.score_learn_many(rows).tolist() == detector.score_learn_many(rows).tolist()
