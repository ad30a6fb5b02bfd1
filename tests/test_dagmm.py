"""StreamDAGMM on a fixed stream: what training, the floor and the faithful form are worth."""

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from river import datasets
from sklearn.metrics import average_precision_score, roc_auc_score

from stream_dagmm import StreamDAGMM, gate, scaling
from stream_dagmm.arithmetic import Floats
from stream_dagmm.checkpoint import dumps
from stream_dagmm.dagmm_model import DagmmModel
from tests.cuts import bits

EVENTS, FIRST = 12_000, 512


@cache
def shuttle() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    pairs = list(datasets.Shuttle().take(EVENTS))
    rows = np.array([list(x.values()) for x, _ in pairs], dtype=np.float64)
    return rows, np.array([bool(y) for _, y in pairs])


@cache
def quality(seed: int = 0, **given: float | bool) -> tuple[float, float]:
    """AUROC and average precision, cold start, score then learn."""
    rows, labels = shuttle()
    scores = StreamDAGMM(seed=seed, **given).score_learn_many(rows)  # type: ignore[arg-type]
    judged, found = labels[FIRST:], scores[FIRST:]
    return float(roc_auc_score(judged, found)), float(average_precision_score(judged, found))


def test_the_default_finds_the_anomalies_of_shuttle() -> None:
    # Measured over seeds 0 to 4 on this stretch: 0.993 to 0.997 and 0.87 to 0.94.
    assert quality()[0] >= 0.985
    assert quality()[1] >= 0.80


def test_the_neural_part_finds_them_alone() -> None:
    assert quality(floor=False)[0] >= 0.97


def test_the_trained_neural_part_beats_its_untrained_self() -> None:
    trained = np.mean([quality(seed, floor=False) for seed in range(3)], axis=0)
    untrained = np.mean(
        [quality(seed, floor=False, learning_rate=0.0) for seed in range(3)], axis=0
    )
    assert trained[1] > untrained[1] + 0.01


@pytest.mark.parametrize("seed", range(2))
def test_the_trained_faithful_form_beats_its_untrained_self(seed: int) -> None:
    # Measured: 0.93 to 0.95 trained, 0.59 to 0.72 untrained.
    trained = quality(seed, faithful=True, floor=False)
    untrained = quality(seed, faithful=True, floor=False, learning_rate=0.0)
    assert trained[0] > untrained[0] + 0.05


def test_several_components_share_the_latent_mixture() -> None:
    detector = StreamDAGMM()
    detector.learn_many(shuttle()[0])
    weights = detector.diagnostics()["component_weights"]
    assert isinstance(weights, list)
    assert sum(weights) == pytest.approx(1.0)
    assert max(weights) < 0.9


def test_a_flood_of_equal_anomalies_does_not_become_normal() -> None:
    random = np.random.default_rng(0)
    usual, flood = random.normal(size=(4_000, 5)), random.normal(size=(2_000, 5)) * 0.01 + 6.0
    scores = StreamDAGMM().score_learn_many(np.vstack([usual, flood]))
    assert np.quantile(scores[4_000:], 0.05) > np.quantile(scores[512:4_000], 0.99)


def test_a_block_that_teaches_nothing_leaves_what_was_learned() -> None:
    random = np.random.default_rng(0)
    detector = StreamDAGMM(batch_size=128)
    detector.learn_many(random.normal(size=(2_048, 3)))
    before = detector.to_state()["model"]
    detector.learn_many(np.full((128, 3), 50.0))
    after = detector.to_state()["model"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    changed = {name for name in before if dumps(before[name]) != dumps(after[name])}
    assert changed == {"age", "gate", "echo"}


def lent_by_rare_values(seed: int) -> float:
    """How much higher quiet events score after an event with a rare flag than otherwise."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(4_096, 6))
    rows[random.random(4_096) < 0.6] = 0.0
    flags = (random.random((4_096, 8)) < 0.004) & (rows[:, :1] != 0.0)
    scores = StreamDAGMM(seed=seed).score_learn_many(np.hstack([rows, flags]))
    lately = np.convolve(flags.any(axis=1), [0, 1, 1, 1])[: len(rows)] > 0
    quiet = (rows[:, 0] == 0.0) & (np.arange(len(rows)) > 1_500)
    return float(scores[quiet & lately].mean() - scores[quiet & ~lately].mean())


def test_a_rare_value_lends_less_to_the_events_after_it_than_if_it_moved_the_levels_freely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Measured over these seeds: 0.8 against 1.1 in the mean; it differs much between seeds.
    held = np.mean([lent_by_rare_values(seed) for seed in range(4)])
    monkeypatch.setattr(scaling, "MOVES_AT_MOST", 20.0)
    free = np.mean([lent_by_rare_values(seed) for seed in range(4)])
    assert held < 0.9 * free


def test_a_diverse_new_regime_becomes_normal() -> None:
    random = np.random.default_rng(1)
    before, after = random.normal(size=(2_000, 4)), 5.0 + 2.0 * random.normal(size=(6_000, 4))
    scores = StreamDAGMM().score_learn_many(np.vstack([before, after]))
    assert np.median(scores[2_000:2_100]) > np.quantile(scores[512:2_000], 0.99)
    assert np.median(scores[6_000:]) < np.quantile(scores[512:2_000], 0.95)


def drifting(rows: int) -> npt.NDArray[np.float64]:
    """All moves after a third of the rows."""
    random = np.random.default_rng(4)
    made = random.normal(size=(rows, 4))
    made[rows // 3 :] = 5.0 + 2.0 * made[rows // 3 :]
    return made


@pytest.mark.parametrize("share", [1.0, 0.15])
def test_a_drift_is_learned_sooner_than_without_its_signal(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all or of a part; a gate that never signals refuses the new normal for ever."""
    rows = drifting(9_000)
    is_new = np.random.default_rng(5).random(len(rows)) < share
    rows = np.where(is_new[:, None], rows, np.random.default_rng(6).normal(size=rows.shape))
    asked = is_new & (np.arange(len(rows)) > 6_000)
    learned = StreamDAGMM().score_learn_many(rows)[asked]
    monkeypatch.setattr(gate, "PATIENCE", np.inf)
    refused = StreamDAGMM().score_learn_many(rows)[asked]
    assert np.median(refused) > np.median(learned) + 1.0


def test_a_drift_leaves_little_weight_to_what_was_learned_but_for_who_forgets_nothing() -> None:
    for half_life, forgets in ((20_000.0, True), (np.inf, False)):
        detector = StreamDAGMM(half_life=half_life)
        detector.learn_many(drifting(6_000))
        offered = detector._model.memory.offered  # type: ignore[attr-defined]
        assert (offered < 5_000) == forgets


def test_a_drift_is_the_same_however_the_events_are_cut() -> None:
    rows = drifting(3_000)
    whole, parts = StreamDAGMM(batch_size=64), StreamDAGMM(batch_size=64)
    scores = whole.score_learn_many(rows)
    again = [parts.score_learn_many(part) for part in np.split(rows, range(7, 3_000, 7))]
    assert scores.tobytes() == np.concatenate(again).tobytes()
    assert bits(whole) == bits(parts)


def test_one_gigantic_value_does_not_blind_the_detector() -> None:
    random = np.random.default_rng(2)
    rows = random.normal(size=(3_000, 3))
    detector = StreamDAGMM()
    detector.learn_many(rows)
    detector.learn_one({"0": 1e300, "1": 0.0, "2": 0.0})
    detector.learn_many(random.normal(size=(1_000, 3)))
    odd = detector.score_one({"0": 8.0, "1": 0.0, "2": 0.0})
    assert odd > np.quantile(detector.score_many(random.normal(size=(500, 3))), 0.99)


@pytest.mark.parametrize("faithful", [False, True])
@pytest.mark.parametrize("floor", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_from_the_very_edge_of_what_was_learned_farther_is_always_stranger(
    seed: int, floor: bool, faithful: bool
) -> None:
    """Three modes, a heavy tail, and a large value that varies by little; both ends of each."""
    random = np.random.default_rng(seed)
    mode = random.integers(0, 3, 1_200)
    one = np.array([-20.0, 0.0, 5.0])[mode] + random.normal(size=1_200)
    other = 2.0 * mode + 0.3 * random.normal(size=1_200)
    rows = np.column_stack(
        [one, other, random.lognormal(size=1_200), 1e9 + random.normal(size=1_200)]
    )
    detector = StreamDAGMM(seed=seed, batch_size=64, floor=floor, faithful=faithful)
    detector.learn_many(rows)
    for place, column in enumerate(rows.T):
        little = 1e-3 * np.abs(column).max()
        for edge in (max(1.0001 * column.max(), little), min(1.0001 * column.min(), -little)):
            probes = np.repeat(rows[-1:], 290, axis=0)
            probes[:, place] = edge * 10.0 ** np.arange(290)
            assert (np.diff(detector.score_many(probes)) > 0.0).all()


def test_of_a_value_so_rare_that_none_may_teach_farther_is_still_stranger() -> None:
    """The gate refuses the few ones among zeros, so the scale knows zeros alone."""
    random = np.random.default_rng(7)
    rows = np.column_stack([random.normal(size=2_048), np.zeros(2_048)])
    rows[random.choice(1_700, 2, replace=False), 1] = 1.0
    detector = StreamDAGMM()
    detector.learn_many(rows)
    probes = np.column_stack([np.zeros(300), 10.0 ** np.arange(0.1, 300.0)])
    assert (np.diff(detector.score_many(probes)) > 0.0).all()


def test_a_flood_that_brings_a_new_feature_and_teaches_nothing_is_scored_on() -> None:
    usual = np.random.default_rng(0).normal(size=(2_048, 3))
    detector = StreamDAGMM(batch_size=128)
    detector.learn_many([dict(zip("abc", row, strict=True)) for row in usual.tolist()])
    flood = [{"a": 50.0, "b": 50.0, "c": 50.0, "new": 1.0}] * 512
    assert np.isfinite(detector.score_learn_many(flood)).all()


def test_a_regime_of_four_times_the_spread_is_usual_soon() -> None:
    random = np.random.default_rng(0)

    def rows(count: int, spread: float) -> Floats:
        common, own = random.normal(size=(count, 1)), random.normal(size=(count, 4))
        return np.asarray(spread * (common + 0.1 * own))

    detector = StreamDAGMM(seed=0)
    before = detector.score_learn_many(rows(8_192, 1.0))[-1_024:]
    after = detector.score_learn_many(rows(8_192, 4.0))
    assert np.median(after[:512]) > np.quantile(before, 0.95)
    assert np.median(after[-1_024:]) < np.quantile(before, 0.95)
    # What a drift makes the scale forget, joint structure forgets.
    model = detector._model
    assert isinstance(model, DagmmModel)
    assert float(model.joint.single.learned.mass) == pytest.approx(model.scale.weight[2], rel=0.1)
