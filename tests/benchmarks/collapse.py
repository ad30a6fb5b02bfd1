"""`python -m tests.benchmarks.collapse`: what keeps the GMVAE's clusters from falling into one.

60,000 events of five clusters, each of which is high in a column of its own. The annealing has its
full weight from about the 16,000th on. Three measures, each log 5 = 1.61 at most. Usage: entropy of
the shares of events whose likeliest component is each. Mean responsibility: entropy of the mean of
the events' p(z|x, w); it cannot see a collapse, in which all components are one and every event
belongs to each of them by a fifth. Information: that entropy less the mean entropy of single
events' p(z|x, w), which is 0 after a collapse.

Beside them minus the bound, in nats, of events not seen, with nothing annealed or cut off: where it
is lower after a collapse, the collapse is no accident of the training but what the bound asks for.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from stream_dagmm import StreamGMVAE, likelihood, mixture_prior
from stream_dagmm.arithmetic import Floats
from stream_dagmm.gmvae_model import GmvaeModel
from stream_dagmm.likelihood import Law
from tests.benchmarks import kept
from tests.benchmarks.tables import markdown
from tests.threads import threads

CLUSTERS, SEEDS, EVENTS = 5, 5, 60_000
UNSEEN = 99
"""Seed of the events that no detector learned."""

MEASURES = ("usage", "mean responsibility", "information", "minus the bound")

REMEDIES: dict[str, dict[str, float]] = {
    "neither": {"least_information": 0.0, "warm_up": 0.0},
    "cut-off": {"warm_up": 0.0},
    "annealing": {"least_information": 0.0, "warm_up": 12_288.0},
}

STREAMS: tuple[tuple[Law, float], ...] = (("student_t", 6.0), ("gaussian", 5.0), ("gaussian", 3.0))
"""Likelihood, and how high the columns are in their clusters, in deviations."""


def high_in_one_column(count: int, height: float, seed: int) -> Floats:
    """Rows [B, 5] of five clusters."""
    random = np.random.default_rng(seed)
    labels = random.integers(CLUSTERS, size=count)
    return np.asarray(height * np.eye(CLUSTERS)[labels] + random.normal(size=(count, CLUSTERS)))


def learned(law: Law, height: float, remedy: str, count: int, seed: int) -> StreamGMVAE:
    """A detector of five clusters that trusts all events, after so many."""
    remedies = REMEDIES[remedy]
    detector = StreamGMVAE(
        CLUSTERS,
        likelihood=law,
        trusted=1.0,
        seed=seed,
        least_information=remedies.get("least_information"),
        warm_up=remedies["warm_up"],
    )
    detector.learn_many(high_in_one_column(count, height, seed))
    return detector


def measures(detector: StreamGMVAE) -> tuple[float, float, float]:
    """Usage, mean responsibility and information, in nats, of the events in memory."""
    found = detector.diagnostics()
    names = ("usage_entropy", "responsibility_entropy", "cluster_information")
    usage, responsibility, information = (float(str(found[name])) for name in names)
    return usage, responsibility, information


def minus_bound(detector: StreamGMVAE, height: float) -> float:
    """Mean of the paper's four terms, in nats, over 4,000 events of the stream not seen before."""
    model = detector._model
    trained = model.course.trained if isinstance(model, GmvaeModel) else None
    if not isinstance(model, GmvaeModel) or trained is None:
        raise TypeError(f"the detector must be a StreamGMVAE that learned, got {model!r}")
    course, design = model.course, model.design
    events = high_in_one_column(4_000, height, UNSEEN)
    rows = np.column_stack([np.zeros(len(events)), events])  # column 0 counts unknown features
    spread, tail = course.standing_spread(), likelihood.TAILS[design.law]
    terms = mixture_prior.terms(
        trained.nets,
        torch.from_numpy(course.lessons.standardised(rows).rows),
        torch.from_numpy(spread),
        CLUSTERS,
        4,
        np.random.default_rng(0),
        tail,
    )
    constant = 0.0 if tail is None else likelihood.constant(spread, tail)
    return float(torch.stack(list(terms)).sum(dim=0).mean()) + constant


def main(arguments: Sequence[str] | None = None) -> None:
    """Print and keep the table, smallest and largest of the seeds."""
    parser = kept.parser(__doc__, __file__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args(arguments)
    with threads(1):
        rows = [
            [f"{law}, {height:.0f} high, {remedy}", *spans(law, height, remedy, given)]
            for law, height in STREAMS
            for remedy in REMEDIES
        ]
    head = (f"{given.events:,} events, {given.seeds} seeds, log 5 = 1.61", *MEASURES)
    kept.keep(markdown(head, rows), given.table, __file__, arguments)


def spans(law: Law, height: float, remedy: str, given: argparse.Namespace) -> list[str]:
    """Smallest and largest of the seeds, of each measure."""
    found = []
    for seed in range(given.seeds):
        detector = learned(law, height, remedy, given.events, seed)
        found.append([*measures(detector), minus_bound(detector, height)])
    low, high = np.min(found, axis=0), np.max(found, axis=0)
    return [f"{abs(one):.2f} to {other:.2f}" for one, other in zip(low, high, strict=True)]


if __name__ == "__main__":
    main()
