"""`make bench-explanations DATA=folder`: whether `explain_one` names the feature that was changed.

The default detector learns a stream. At places in its last two thirds, in the least strange of the
next hundred rows, each feature that has varied is moved by 6 standard deviations, one at a time.
Counted is how often it has the largest contribution, in all cases and in those where the change
raised the score by 1 or more (elsewhere the row was as strange before it, by other features); how
contributions agree with an occlusion that knows nothing of their way (each feature in turn replaced
by values of learned rows, the mean fall of the score); and how far their sum is from the score.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy import stats

from stream_dagmm import StreamDAGMM
from stream_dagmm.arithmetic import Floats
from tests.benchmarks import kept, streams
from tests.benchmarks.tables import markdown
from tests.threads import threads

STREAMS = ("shuttle", "kdd_shuffled", "machine-1-6", "machine-2-7")
DEVIATIONS, OTHERS, NEXT, RISE = 6.0, 16, 100, 1.0
HEAD = (
    "stream",
    "cases",
    "ranks first",
    "of those that rose",
    "among first 3",
    "occlusion's first",
    "first of both",
    "Spearman",
    "sum off by",
)

Event = dict[str, Any]


class Case(NamedTuple):
    """An explained event."""

    feature: str
    first: str
    """The feature with the largest contribution."""
    rank: int
    """Of the changed feature, 1 is the first."""
    occluded_first: str
    """What occlusion finds the first."""
    agreement: float
    """Spearman's rank correlation of contributions and occlusion, over features that do not tie."""
    off: float
    """How far the sum is from the score."""
    rise: float
    """Of the score by the change."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print and keep one row per stream, and the features that are named worst."""
    found = kept.parser(__doc__, __file__)
    found.add_argument("folder", type=Path, help="of the streams")
    found.add_argument("--streams", nargs="+", default=STREAMS, metavar="NAME")
    found.add_argument("--rows", type=int, default=10, help="ordinary rows for each feature")
    given = found.parse_args(arguments)
    with threads(1):
        chosen = streams.every(given.folder, list(given.streams), streams.ROWS)
        by_stream = {stream.name: list(cases(stream, given.rows)) for stream in chosen}
    kept.keep(report(by_stream), given.table, __file__, arguments)


def report(found: Mapping[str, Sequence[Case]]) -> str:
    """The table of the cases of all streams, and notes below it."""
    everything = {"all": [case for own in found.values() for case in own]}
    rows = [[name, *summary(own)] for name, own in {**found, **everything}.items()]
    notes = [f"- {name}: {worst(own)}" for name, own in found.items()]
    return "\n".join([markdown(HEAD, rows), "\nNamed first least often:\n", *notes])


def cases(stream: streams.Stream, rows: int) -> Iterator[Case]:
    """Each feature that has varied, changed in so many ordinary rows, each the next to come."""
    detector, random = StreamDAGMM(), np.random.default_rng(0)
    for start in np.linspace(len(stream) // 3, len(stream) - 1, rows, endpoint=False).astype(int):
        detector.learn_many(stream.events[detector.learned : start])
        place = start + least_strange(detector, stream, slice(start, start + NEXT))
        detector.learn_many(stream.events[start:place])
        past = stream.events[:place]
        for name, deviation in deviations(past).items():
            before = stream.events.row(place, named=True)
            moved = before[name] + DEVIATIONS * deviation * random.choice([-1.0, 1.0])
            event = {**before, name: moved}
            yield explained(detector, before, event, name, past.sample(OTHERS, seed=place))


def least_strange(detector: StreamDAGMM, stream: streams.Stream, rows: slice) -> int:
    """The row with the lowest score of those that are no anomalies: in a row that is strange as it
    is, another feature may rightly come first."""
    scores = detector.score_many(stream.events[rows])
    scores[stream.labels[rows]] = np.inf
    return int(scores.argmin())


def deviations(past: pl.DataFrame) -> dict[str, float]:
    """Of the numeric features that have varied."""
    numbers = past.select(pl.selectors.numeric())
    found = {name: float(np.std(numbers[name].to_numpy())) for name in numbers.columns}
    return {name: deviation for name, deviation in found.items() if deviation > 0.0}


def explained(
    detector: StreamDAGMM, before: Event, event: Event, feature: str, others: pl.DataFrame
) -> Case:
    """What is said of an event with a changed feature."""
    shares = {str(name): share for name, share in detector.explain_one(event).items()}
    score = detector.score_one(event)
    order = sorted(shares, key=lambda name: -shares[name])
    falls = occlusion(detector, event, score, others)
    pairs = np.array([[shares[name], falls[name]] for name in shares])
    return Case(
        feature=feature,
        first=order[0],
        rank=order.index(feature) + 1,
        occluded_first=max(falls, key=lambda name: falls[name]),
        agreement=float(stats.spearmanr(pairs).statistic),
        off=abs(sum(shares.values()) - score),
        rise=score - detector.score_one(before),
    )


def occlusion(
    detector: StreamDAGMM, event: Event, score: float, others: pl.DataFrame
) -> dict[str, float]:
    """Mean fall of the score where a feature has the value of another row instead."""
    values = {name: others[name].to_list() for name in event}
    variants = [{**event, name: value} for name in event for value in values[name]]
    scores: Floats = detector.score_many(variants).reshape(len(event), -1)
    return dict(zip(event, (score - scores).mean(axis=1).tolist(), strict=True))


def summary(found: Sequence[Case]) -> list[str]:
    """Figures of a stream's cases."""
    raised = [case.rank == 1 for case in found if case.rise >= RISE]
    return [
        f"{len(found)}",
        f"{np.mean([case.rank == 1 for case in found]):.1%}",
        f"{np.mean(raised):.1%} of {len(raised)}",
        f"{np.mean([case.rank <= 3 for case in found]):.1%}",
        f"{np.mean([case.feature == case.occluded_first for case in found]):.1%}",
        f"{np.mean([case.first == case.occluded_first for case in found]):.1%}",
        f"{np.nanmean([case.agreement for case in found]):.2f}",
        f"{max(case.off for case in found):.1e}",
    ]


def worst(found: Sequence[Case], most: int = 6) -> str:
    """The features that are named first least often, with what is named in their place."""
    by_name: dict[str, list[Case]] = {}
    for case in found:
        by_name.setdefault(case.feature, []).append(case)
    shares = {name: float(np.mean([c.rank == 1 for c in own])) for name, own in by_name.items()}
    names = [name for name in sorted(shares, key=lambda name: shares[name]) if shares[name] < 1.0]
    said = []
    for name in names[:most]:
        instead = [case.first for case in by_name[name] if case.rank > 1]
        said.append(f"{name} {shares[name]:.0%} ({max(set(instead), key=instead.count)})")
    return ", ".join(said) or "none"


if __name__ == "__main__":
    main()
