"""What is seen inside: for every detector, on its own scale, and without changing anything."""

import numpy as np

from stream_dagmm.latent import latent_many
from tests.detectors import Make, every_detector
from tests.streams import mixed, table


@every_detector
def test_every_detector_shows_where_it_sees_events_and_changes_nothing(make: Make) -> None:
    detector, untouched = make(), make()
    assert detector.score_one({"0": 1.0}) == 0.0
    for learner in (detector, untouched):
        learner.learn_many(mixed(120))
    seen = latent_many(detector, mixed(30, seed=1))
    assert seen is not None
    components, size = seen.mean.shape
    assert seen.codes.shape == (30, size)
    assert seen.covariance.shape == (components, size, size)
    assert np.isfinite(seen.codes).all()
    if components:
        assert abs(float(seen.weight.sum()) - 1.0) < 1e-9
        assert np.linalg.eigvalsh(seen.covariance).min() > -1e-9
    later = mixed(40, seed=2)
    assert detector.score_many(later).tolist() == untouched.score_many(later).tolist()


@every_detector
def test_a_cold_detector_shows_nothing(make: Make) -> None:
    assert latent_many(make(), table(3, 2)) is None


@every_detector
def test_equal_events_stand_at_one_place(make: Make) -> None:
    detector = make()
    detector.learn_many(table(120, 3))
    seen = latent_many(detector, np.tile(table(1, 3, seed=3), (5, 1)))
    assert seen is not None
    assert np.ptp(seen.codes, axis=0).max() == 0.0
