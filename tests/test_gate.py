"""What may teach: single anomalies never, floods late, new regimes soon."""

import numpy as np
import pytest

from stream_dagmm.arithmetic import Floats, on_row_grid
from stream_dagmm.gate import DIVERSE_SHARE, PATIENCE, Gate, passed
from stream_dagmm.levels import SETTLED, Level
from stream_dagmm.neighbourhood import log_distance

RANDOM = np.random.default_rng(0)
USUAL = on_row_grid(RANDOM.normal(size=(512, 4)))


def through(gate: Gate, rows: Floats) -> tuple[Floats, Gate]:
    """Shares of the rows' blocks of 64 that taught, and the gate after them."""
    shares = []
    for start in range(0, len(rows), 64):
        block = on_row_grid(rows[start : start + 64])
        distances = log_distance(block, USUAL)
        teaches, gate = passed(gate, block, on_row_grid, distances, distances)
        shares.append(float(teaches.mean()))
    return np.array(shares), gate


@pytest.fixture(scope="module")
def settled() -> Gate:
    return through(Gate.fresh(20_000.0), RANDOM.normal(size=(4_096, 4)))[1]


def test_everything_teaches_until_enough_was_learned() -> None:
    shares, _ = through(Gate.fresh(20_000.0), 100.0 + RANDOM.normal(size=(SETTLED, 4)))
    assert (shares == 1.0).all()


def test_ordinary_rows_teach_but_for_the_strangest_few(settled: Gate) -> None:
    shares, _ = through(settled, RANDOM.normal(size=(4_096, 4)))
    assert 0.9 < shares.mean() < 1.0


def test_single_anomalies_never_teach(settled: Gate) -> None:
    rows = RANDOM.normal(size=(2_048, 4))
    rows[::64] = RANDOM.normal(size=(32, 4)) * 1.0 + np.outer(np.arange(32) - 16.0, np.ones(4))
    rows[::64] += np.sign(rows[::64]) * 6.0
    _, gate = through(settled, rows)
    assert not gate.drifted
    assert not gate.admits_identical


def test_a_flood_waits_as_long_as_the_past_was(settled: Gate) -> None:
    flood = np.full((int(settled.taught) + 512, 4), 7.0)
    shares, _ = through(settled, flood)
    refused = int((shares == 0.0).sum()) * 64
    assert settled.taught <= refused <= settled.taught + 256
    assert shares[-1] == 1.0


def test_a_regime_that_is_wider_than_all_that_was_is_learned(settled: Gate) -> None:
    shares, _ = through(settled, 30.0 * RANDOM.normal(size=(4_096, 4)))
    assert (shares[:4] < 0.1).all()
    assert (shares[-8:] == 1.0).all()


def test_one_block_of_scattered_anomalies_does_not_teach(settled: Gate) -> None:
    block = on_row_grid(np.clip(30.0 * RANDOM.normal(size=(512, 4)), -16.0, 16.0))
    distances = log_distance(block, USUAL)
    teaches, after = passed(settled, block, on_row_grid, distances, distances)
    assert teaches.mean() < 0.1
    assert after.scattered == 2 * PATIENCE  # however long they were most, it ends as soon


def test_novel_events_that_are_not_most_never_teach(settled: Gate) -> None:
    rows = RANDOM.normal(size=(8_192, 4))
    rows[::3] = 30.0 * RANDOM.normal(size=(2_731, 4))
    shares, gate = through(settled, rows)
    assert gate.scattered < PATIENCE and not gate.drifted
    assert shares.max() < 0.75


def test_a_diverse_regime_waits_a_twelfth_of_the_past(settled: Gate) -> None:
    regime = 4.0 + RANDOM.normal(size=(2_048, 4))
    shares, _ = through(settled, regime)
    patience = max(PATIENCE, DIVERSE_SHARE * settled.taught)
    assert int((shares < 0.5).sum()) * 64 < 3 * patience
    assert shares[-1] > 0.9


def with_a_minority(share: float, rows: int) -> Floats:
    """Usual rows, a share of them of another kind."""
    made = RANDOM.normal(size=(rows, 4))
    made[RANDOM.random(rows) < share] += 5.0
    return made


def test_a_minority_that_comes_to_stay_is_a_drift(settled: Gate) -> None:
    shares, gate = through(settled, with_a_minority(0.4, 1_024))
    assert shares[0] < 0.8
    assert gate.drifted
    assert shares[-1] > 0.9


def test_a_drift_goes_on_until_such_events_are_as_rare_as_before(settled: Gate) -> None:
    usual = settled.usual._replace(mean=0.05)
    still = with_a_minority(0.15, 512)  # too few to begin a drift, more than before it
    begun = through(settled._replace(usual=usual), still)[1]
    drifted = through(settled._replace(usual=usual, diverse=1_024.0), still)[1]
    assert begun.diverse < 128.0
    assert drifted.diverse > 1_024.0


def test_a_minority_that_was_always_there_is_none() -> None:
    _, gate = through(Gate.fresh(20_000.0), with_a_minority(0.1, 8_192))
    assert not gate.drifted
    assert 0.05 < gate.usual.mean < 0.15


def test_a_kind_that_creeps_up_to_many_teaches_though_it_is_no_drift() -> None:
    _, gate = through(Gate.fresh(20_000.0), RANDOM.normal(size=(2_048, 4)))
    for share in np.arange(0.04, 0.3, 0.02):
        _, gate = through(gate, with_a_minority(share, 768))
    shares, gate = through(gate, with_a_minority(0.3, 12_288))
    assert shares[0] < 0.8
    assert not gate.drifted
    assert shares[-8:].mean() > 0.9


def test_nearly_a_fifth_of_all_events_is_not_refused_for_ever() -> None:
    _, gate = through(Gate.fresh(20_000.0), RANDOM.normal(size=(2_048, 4)))
    for share in np.arange(0.04, 0.18, 0.02):
        _, gate = through(gate, with_a_minority(share, 768))
    shares, _ = through(gate, with_a_minority(0.18, 24_576))
    assert shares[:8].mean() < 0.9
    assert shares[-8:].mean() > 0.9


def test_a_short_burst_is_none(settled: Gate) -> None:
    burst = 4.0 + RANDOM.normal(size=(256, 4))
    assert not through(settled, burst)[1].drifted


def test_a_level_holds_the_moments_of_its_scores() -> None:
    scores = RANDOM.normal(3.0, 2.0, size=1_000)
    level = Level(np.inf, 0.0, 0.0, 0.0)
    for part in np.split(scores, [1, 10, 400]):
        level = level.after(part)
    assert level.mean == pytest.approx(scores.mean())
    assert scores.var() <= level.variance < 1.2 * scores.var()
    assert level.above(2.0) == pytest.approx(level.mean + 2.0 * level.variance**0.5)


def test_a_level_is_unreachable_until_it_is_settled() -> None:
    assert Level(np.inf, 0.0, 0.0, 0.0).after(np.zeros(SETTLED - 1)).above(2.0) == np.inf


def test_the_gate_survives_being_saved(settled: Gate) -> None:
    again = Gate.fresh(20_000.0).restored(settled.to_state())
    assert again.score == settled.score
    assert np.array_equal(again.quarantine, settled.quarantine)
