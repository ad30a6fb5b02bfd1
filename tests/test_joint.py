"""Joint structure is noticed where there is some, and silent where there is none."""

import numpy as np

from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.joint import LEAST_ROWS, Conditionals, Joint
from stream_dagmm.levels import SETTLED

RANDOM = np.random.default_rng(3)


def together(count: int) -> Floats:
    """Rows [count, 4] on the scale: the last three columns say the same, but for a little noise."""
    common = RANDOM.normal(size=(count, 1))
    noise = RANDOM.normal(size=(count, 3))
    return on_row_grid(np.hstack([np.zeros((count, 1)), (common + 0.1 * noise) / np.sqrt(1.01)]))


def taught(rows: Floats, size: int = 256) -> Joint:
    joint = Joint.fresh(20_000.0).moved(np.ones(4), np.zeros(4))
    for start in range(0, len(rows), size):
        joint = joint.learned(rows[start : start + size])
    return joint


def test_values_that_are_usual_and_never_come_together_are_noticed() -> None:
    joint = taught(together(4_096))
    usual = joint.excess(together(512))
    odd = joint.excess(on_row_grid(np.array([[0.0, 1.0, -1.0, 1.0]])))
    assert odd[0] > np.quantile(usual, 0.999)


def test_it_is_silent_about_most_usual_rows_and_never_negative() -> None:
    excess = taught(together(4_096)).excess(together(512))
    assert (excess >= 0.0).all()
    assert (excess == 0.0).mean() > 0.7


def test_it_is_the_louder_the_more_the_columns_tell_of_each_other() -> None:
    none, much = RANDOM.normal(size=(4_096, 4)), together(4_096)
    some = np.where(RANDOM.random((4_096, 1)) < 0.5, none, much)
    weights = []
    for rows in (none, some, much):
        conditionals = taught(on_row_grid(rows)).conditionals
        assert conditionals is not None
        weights.append(conditionals.weight)
    assert weights[0] < 0.05 < weights[1] < weights[2]


def test_it_is_silent_until_enough_was_learned() -> None:
    rows = together(LEAST_ROWS + SETTLED - 1)
    assert (taught(rows, LEAST_ROWS).excess(100.0 + rows) == 0.0).all()


def test_one_column_alone_has_no_structure() -> None:
    joint = Joint.fresh(20_000.0).moved(np.ones(2), np.zeros(2))
    for _ in range(8):
        joint = joint.learned(on_row_grid(RANDOM.normal(size=(256, 2))))
    assert joint.conditionals is None


def test_the_precision_is_that_of_the_steadied_covariance() -> None:
    joint = taught(together(4_096))
    assert joint.conditionals is not None
    covariance = joint.gaussian.covariance[0].numpy()
    off = covariance - np.diag(covariance.diagonal())
    steadied = np.diag(covariance.diagonal() * 1.0) + 0.97 * off
    steadied += np.eye(4) * (0.03 * covariance.diagonal().mean() + 1e-6)
    inverse = np.linalg.inv(steadied)
    np.testing.assert_allclose(joint.conditionals.precision, inverse, rtol=1e-4, atol=1e-4)


def test_a_column_given_the_others_is_as_its_normal_law_says() -> None:
    """Of a Gaussian, the value given the others has variance 1 / P_jj around -P_jk / P_jj x_k."""
    joint = taught(together(4_096))
    assert joint.conditionals is not None
    p, row = joint.conditionals.precision, together(1)
    mean = joint.gaussian.mean[0].numpy()
    pulled = row @ p - joint.conditionals.offset
    for j in range(4):
        others = [k for k in range(4) if k != j]
        expected = mean[j] - p[others, j] @ (row[0, others] - mean[others]) / p[j, j]
        np.testing.assert_allclose(pulled[0, j] / p[j, j], row[0, j] - expected, atol=1e-4)


def test_statistics_survive_the_moving_of_the_scale() -> None:
    joint, gain, shift = taught(together(4_096)), np.full(4, 0.5), np.full(4, 0.25)
    moved = joint.moved(gain, shift)
    np.testing.assert_allclose(
        moved.gaussian.covariance.numpy(), 0.25 * joint.gaussian.covariance.numpy()
    )
    rows = together(256)
    before = Conditionals.of(joint.gaussian).surprise(rows)
    after = Conditionals.of(moved.gaussian).surprise(on_row_grid(rows * gain + shift))
    np.testing.assert_allclose(after - after.mean(), before - before.mean(), atol=1e-2)


def test_a_saved_one_goes_on_bit_for_bit() -> None:
    joint, rows = taught(together(2_048)), together(64)
    again = Joint.fresh(20_000.0).restored(joint.to_state())
    assert again.excess(rows).tobytes() == joint.excess(rows).tobytes()


def test_columns_that_come_with_a_block_of_which_nothing_teaches_are_known_all_the_same() -> None:
    joint = taught(together(4_096)).moved(np.ones(5), np.zeros(5)).learned(np.empty((0, 5)))
    rows = np.hstack([together(8), np.zeros((8, 1))])
    assert np.isfinite(joint.excess(rows)).all()
