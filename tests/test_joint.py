"""Joint structure is noticed where there is some, and silent where there is none."""

from collections.abc import Callable

import numpy as np
import pytest

from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.conditionals import Conditionals
from stream_dagmm.joint import ENTRIES, LEAST_ROWS, MOST_COMPONENTS, Joint
from stream_dagmm.levels import SETTLED

RANDOM = np.random.default_rng(3)


def together(count: int) -> Floats:
    """Rows [count, 4] on the scale: the last three columns say the same, but for a little noise."""
    common = RANDOM.normal(size=(count, 1))
    noise = RANDOM.normal(size=(count, 3))
    return on_row_grid(np.hstack([np.zeros((count, 1)), (common + 0.1 * noise) / np.sqrt(1.01)]))


def ring(count: int) -> Floats:
    """Rows [count, 3] of which one Gaussian sees nothing: the last two lie on a circle."""
    angle = RANDOM.uniform(0.0, 2.0 * np.pi, count)
    circle = 1.4 * np.column_stack([np.cos(angle), np.sin(angle)])
    noise = 0.05 * RANDOM.normal(size=(count, 2))
    return on_row_grid(np.hstack([np.zeros((count, 1)), circle + noise]))


def taught(rows: Floats, size: int = 256) -> Joint:
    width = rows.shape[1]
    joint = Joint.fresh(20_000.0).moved(np.ones(width), np.zeros(width))
    for start in range(0, len(rows), size):
        memory, random = rows[: start + size][-192:], np.random.default_rng(start)
        joint = joint.learned(rows[start : start + size], memory, random)
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


def test_several_components_see_what_one_does_not() -> None:
    joint = taught(ring(8_192))
    assert joint.single.told < 0.05 < joint.several.told
    inside, around = joint.excess(on_row_grid(np.zeros((1, 3)))), joint.excess(ring(512))
    assert inside[0] > np.quantile(around, 0.99)


def test_the_one_that_is_told_more_speaks() -> None:
    for rows in (together(8_192), ring(8_192)):
        joint = taught(rows)
        louder = max(joint, key=lambda view: view.told)
        assert joint.excess(rows[:64]).tobytes() == louder.excess(rows[:64]).tobytes()


def test_it_is_the_louder_the_more_the_columns_tell_of_each_other() -> None:
    none, much = RANDOM.normal(size=(4_096, 4)), together(4_096)
    some = np.where(RANDOM.random((4_096, 1)) < 0.5, none, much)
    told = [max(view.told for view in taught(on_row_grid(r))) for r in (none, some, much)]
    assert told[0] < 0.05 < told[1] < told[2]


@pytest.mark.parametrize("columns", [3, 20, 32, 33, 60])
def test_there_are_as_many_components_as_the_columns_allow(columns: int) -> None:
    joint = taught(on_row_grid(RANDOM.normal(size=(512, columns))))
    count = len(joint.several.learned.mass)
    assert count == 1 or count * columns <= ENTRIES
    assert count == MOST_COMPONENTS or (count + 1) * columns > ENTRIES


def test_it_is_silent_until_enough_was_learned() -> None:
    rows = together(LEAST_ROWS + SETTLED - 1)
    assert (taught(rows, LEAST_ROWS).excess(100.0 + rows) == 0.0).all()


def test_one_column_alone_has_no_structure() -> None:
    joint = taught(on_row_grid(RANDOM.normal(size=(2_048, 2))))
    assert joint.single.conditionals is None and joint.several.conditionals is None


@pytest.mark.parametrize("made", [together, ring])
def test_statistics_survive_the_moving_of_the_scale(made: Callable[[int], Floats]) -> None:
    rows = made(4_352)
    joint, width = taught(rows[:4_096]), rows.shape[1]
    gain, shift = np.full(width, 0.5), np.full(width, 0.25)
    for view, moved in zip(joint, joint.moved(gain, shift), strict=True):
        covariance = view.learned.covariance.numpy()
        np.testing.assert_allclose(moved.learned.covariance.numpy(), 0.25 * covariance)
        before = Conditionals.of(view.learned).surprise(rows[4_096:])
        after = Conditionals.of(moved.learned).surprise(on_row_grid(rows[4_096:] * gain + shift))
        np.testing.assert_allclose(after - after.mean(), before - before.mean(), atol=2e-2)
        denser = float((after - before).mean())
        np.testing.assert_allclose(moved.level.mean - view.level.mean, denser, atol=0.1)


@pytest.mark.parametrize("made", [together, ring])
def test_a_saved_one_goes_on_bit_for_bit(made: Callable[[int], Floats]) -> None:
    rows = made(4_096)
    joint, random = taught(rows), np.random.default_rng
    again = Joint.fresh(20_000.0).restored(joint.to_state())
    for one in (again, again.learned(rows[:64], rows[:192], random(1))):
        other = joint if one is again else joint.learned(rows[:64], rows[:192], random(1))
        assert one.excess(rows[:64]).tobytes() == other.excess(rows[:64]).tobytes()


def test_columns_that_come_with_a_block_of_which_nothing_teaches_are_known_all_the_same() -> None:
    joint = taught(together(4_096)).moved(np.ones(5), np.zeros(5))
    joint = joint.learned(np.empty((0, 5)), np.empty((0, 5)), np.random.default_rng(0))
    rows = np.hstack([together(8), np.zeros((8, 1))])
    assert np.isfinite(joint.excess(rows)).all()


def test_what_is_lightened_counts_for_less_and_says_the_same() -> None:
    rows = together(4_096)
    joint = taught(rows)
    lighter = joint.lightened(0.25)
    assert lighter.excess(rows).tobytes() == joint.excess(rows).tobytes()
    for view, light in zip(joint, lighter, strict=True):
        assert float(light.learned.mass.sum()) == 0.25 * float(view.learned.mass.sum())
        assert light.level.learned == max(SETTLED, 0.25 * view.level.learned)


def test_several_components_are_fitted_anew_only_while_less_is_known_than_is_remembered() -> None:
    rows, wrong = together(2_048), np.zeros((192, 4))
    joint = Joint.fresh(300.0).moved(np.ones(4), np.zeros(4))
    for start in range(0, len(rows), 64):
        memory = rows[start:][:192] if start < 512 else wrong
        joint = joint.learned(rows[start : start + 64], memory, np.random.default_rng(0))
    assert float(joint.several.learned.covariance.abs().max()) > 0.1  # nothing of the wrong memory
