"""`python -m tests.benchmarks.collapse`: what keeps the GMVAE's clusters from falling into one.

60,000 events of five clusters, each of which is high in a column of its own. The annealing has its
full weight from about the 16,000th on. Three measures, each log 5 = 1.61 at most. Usage: entropy of
the shares of events whose likeliest component is each. Mean responsibility: entropy of the mean of
the events' p(z|x, w); it cannot see a collapse, in which all components are one and every event
belongs to each of them by a fifth. Information: that entropy less the mean entropy of single
events' p(z|x, w), which is 0 after a collapse.
"""

import numpy as np
from rich.console import Console
from rich.table import Table

from stream_dagmm import StreamGMVAE
from stream_dagmm.arithmetic import Floats
from stream_dagmm.likelihood import Law
from tests.threads import threads

CLUSTERS, SEEDS, EVENTS = 5, 5, 60_000

REMEDIES: dict[str, dict[str, float]] = {
    "neither": {"least_information": 0.0, "warm_up": 0.0},
    "cut-off": {"warm_up": 0.0},
    "annealing": {"least_information": 0.0, "warm_up": 12_288.0},
}

STREAMS: tuple[tuple[Law, float], ...] = (("student_t", 6.0), ("gaussian", 5.0))
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


def main() -> None:
    """Print the table, smallest and largest of the seeds."""
    table = Table(title=f"{EVENTS:,} events of five clusters, {SEEDS} seeds, log 5 = 1.61")
    for name in ("likelihood", "remedy", "usage", "mean responsibility", "information"):
        table.add_column(name)
    with threads(1):
        for law, height in STREAMS:
            for remedy in REMEDIES:
                found = np.array(
                    [measures(learned(law, height, remedy, EVENTS, seed)) for seed in range(SEEDS)]
                )
                spans = [
                    f"{abs(low):.2f} to {high:.2f}"
                    for low, high in zip(found.min(0), found.max(0), strict=True)
                ]
                table.add_row(law, remedy, *spans)
    Console().print(table)


if __name__ == "__main__":
    main()
