"""`make bench-paper DATA=folder`: the tables of the paper, by the protocol of the paper.

Zong et al., "Deep Autoencoding Gaussian Mixture Model for Unsupervised Anomaly Detection", ICLR
2018, tables 1 and 2: the rows are halved at random, the normal rows of one half are learned, and of
the other half as many rows as the set has anomalies, those with the highest scores, are called
anomalies. The default learns in a single pass; `faithful=True`, with the paper's layers, in as many
as the plan says, which are far fewer than the paper's epochs. One JSON line per set, method and
seed; what has its line already is not run again.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stream_dagmm import GaussianMixture, StreamDAGMM
from stream_dagmm.arithmetic import Floats
from tests.benchmarks import blocks, kept, quality, streams
from tests.benchmarks.fingerprints import code, commit
from tests.benchmarks.streams import Bools, Stream
from tests.benchmarks.tables import markdown
from tests.threads import threads

RESULTS = kept.RESULTS / "paper.jsonl"
SEEDS = 3
FIGURES = ("precision", "recall", "f1")


class Plan(NamedTuple):
    """A set of the paper."""

    file: str
    label: str
    anomalies: float
    """Share of the rows, and so of the test rows that are called anomalies."""
    paper: tuple[float, float, float]
    """Precision, recall and F1 of DAGMM, as published in table 2."""
    hidden: tuple[int, ...]
    """Widths of the encoder's hidden layers, appendix A; the estimation network's is 10."""
    latent: int
    n_components: int
    passes: int
    """Of `faithful=True` over the training rows; the paper has 200, 20,000, 10,000 and 400."""
    drawn: bool = False
    """Whether anomalies are drawn anew in each run, so many that they have their share."""


PLANS = {
    "KDDCUP99": Plan(
        "kddcup99_10pct", "label_dagmm", 0.2, (0.9297, 0.9442, 0.9369), (60, 30, 10), 1, 4, 3
    ),
    "Thyroid": Plan("odds_thyroid", "label", 0.025, (0.4766, 0.4834, 0.4782), (12, 4), 1, 2, 50),
    "Arrhythmia": Plan("odds_arrhythmia", "label", 0.15, (0.4909, 0.5078, 0.4983), (10,), 2, 2, 50),
    "KDDCUP-Rev": Plan(
        "kddcup99_10pct", "label", 0.2, (0.9370, 0.9390, 0.9380), (60, 30, 10), 1, 2, 6, drawn=True
    ),
}


class Halves(NamedTuple):
    """What is learned, and what is scored."""

    learned: Stream
    scored: Stream


Scores = Callable[[Halves, Plan, int], Floats]
"""Scores of the second half, by what was learned of the first, with a seed."""


def of_detector(make: Callable[[Plan, int], Any], passes: Callable[[Plan], int]) -> Scores:
    """A detector of this package reads events as they come."""

    def scores(halves: Halves, plan: Plan, seed: int) -> Floats:
        detector = make(plan, seed)
        for _ in range(passes(plan)):
            detector.learn_many(halves.learned.events)
        return np.asarray(detector.score_many(halves.scored.events))

    return scores


def of_learner(make: Callable[[int], blocks.Learner]) -> Scores:
    """A rule reads rows."""

    def scores(halves: Halves, plan: Plan, seed: int) -> Floats:
        learner = make(halves.learned.rows.shape[1])
        learner.learn(halves.learned.rows)
        return learner.score(halves.scored.rows)

    return scores


def faithful(plan: Plan, seed: int, learning_rate: float = 0.01) -> StreamDAGMM:
    """The paper's DAGMM with the paper's layers."""
    return StreamDAGMM(
        seed=seed,
        faithful=True,
        floor=False,
        hidden=plan.hidden,
        latent=plan.latent,
        n_components=plan.n_components,
        learning_rate=learning_rate,
    )


METHODS: dict[str, Scores] = {
    "StreamDAGMM": of_detector(lambda _, seed: StreamDAGMM(seed=seed), lambda _: 1),
    "StreamDAGMM, untrained": of_detector(
        lambda _, seed: StreamDAGMM(seed=seed, learning_rate=0.0), lambda _: 1
    ),
    "faithful": of_detector(faithful, lambda plan: plan.passes),
    "faithful, untrained": of_detector(
        lambda plan, seed: faithful(plan, seed, learning_rate=0.0), lambda _: 1
    ),
    "Mahalanobis": of_detector(lambda *_: GaussianMixture(n_components=1), lambda _: 1),
    "PCA residual": of_learner(blocks.PrincipalResidual),
}
MODULES = {"Mahalanobis": "detectors/gaussian_mixture", "PCA residual": ""}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and keep the table."""
    found = argparse.ArgumentParser(description=__doc__)
    found.add_argument("folder", type=Path, nargs="?", help="of the sets; without: table only")
    found.add_argument("--sets", nargs="+", choices=PLANS, default=list(PLANS))
    found.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    found.add_argument("--seeds", type=int, default=SEEDS, help="0 up to one less; 20 on record")
    found.add_argument("--results", type=Path, default=RESULTS, help="file of JSON lines")
    given = found.parse_args(arguments)
    if given.folder is not None:
        with threads(1):
            measure(given)
    text = report(quality.read(given.results))
    kept.keep(text, given.results.with_suffix(".md"), __file__, arguments)


def measure(given: argparse.Namespace) -> None:
    """Append a line for every run that has none."""
    done = {key(line) for line in quality.read(given.results)}
    codes = {name: code(MODULES.get(name, "detectors/dagmm")) for name in METHODS}
    for name in given.sets:
        plan, whole = PLANS[name], None
        for seed in range(given.seeds):
            halves = None
            for method in given.methods:
                wanted = {"set": name, "method": method, "seed": seed, "code": codes[method]}
                if key(wanted) in done:
                    continue
                whole = whole or read(given.folder, name)
                halves = halves or halved(whole, plan, seed)
                scores = METHODS[method](halves, plan, seed)
                figures = judged(scores, halves.scored.labels, plan.anomalies, seed)
                passes = plan.passes if method == "faithful" else 1
                line = wanted | {"passes": passes} | figures | {"commit": commit()}
                quality.append(given.results, line)
                said = {name: round(value, 4) for name, value in figures.items()}
                print(name, method, seed, said, file=sys.stderr, flush=True)


def key(line: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two lines the same run."""
    return tuple(line[name] for name in ("set", "method", "seed", "code"))


def read(folder: Path, name: str) -> Stream:
    """All rows of a set, as they lie in its file."""
    plan = PLANS[name]
    return streams.load(folder, streams.Plan(name, plan.file, True, label=plan.label), rows=0)


def halved(whole: Stream, plan: Plan, seed: int) -> Halves:
    """The normal rows of one half, and the other half, in random order."""
    random = np.random.default_rng([20180430, seed])
    kept = np.arange(len(whole))
    if plan.drawn:
        normal, odd = np.flatnonzero(~whole.labels), np.flatnonzero(whole.labels)
        count = round(len(normal) * plan.anomalies / (1.0 - plan.anomalies))
        kept = np.concatenate([normal, random.choice(odd, size=count, replace=False)])
    order = random.permutation(kept)
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    return Halves(whole.taken(first[~whole.labels[first]]), whole.taken(second))


def judged(scores: Floats, labels: Bools, share: float, seed: int) -> dict[str, float]:
    """Precision, recall and F1 where so large a share, the highest scores, are called anomalies;
    which of equal scores is left to chance."""
    order = np.random.default_rng([1, seed]).permutation(len(scores))
    called = order[np.argsort(-scores[order], kind="stable")][: round(share * len(scores))]
    hits = float(labels[called].sum())
    precision, recall = hits / len(called), hits / float(labels.sum())
    f1 = 2.0 * precision * recall / max(precision + recall, 1e-9)
    return dict(zip(FIGURES, (precision, recall, f1), strict=True))


def report(lines: Sequence[dict[str, Any]]) -> str:
    """Mean and standard deviation over the seeds, beside what is published."""
    newest = {line["method"]: line["code"] for line in lines}
    rows = []
    for name, plan in PLANS.items():
        rows.append([name, "DAGMM as published", "", *(f"{value:.4f}" for value in plan.paper)])
        for method in METHODS:
            own = [line for line in lines if (line["set"], line["method"]) == (name, method)]
            own = [line for line in own if line["code"] == newest[method]]
            if own:
                passes = f"{own[-1]['passes']}"
                rows.append(["", f"{method} ({len(own)})", passes, *_means(own)])
    head = ("set", "method (seeds)", "passes", *FIGURES)
    return markdown(head, rows)


def _means(own: Sequence[dict[str, Any]]) -> list[str]:
    values = np.array([[line[figure] for figure in FIGURES] for line in own])
    return [f"{c.mean():.4f} ± {c.std():.4f}" for c in values.T]


if __name__ == "__main__":
    main()
