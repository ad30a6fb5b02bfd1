"""`make bench-feedback DATA=folder`: what ten judgements are worth to the rest of a stream.

The default detector scores and learns a stream. At its middle somebody looks at the ten highest
scores since the first counted event and says of each whether it was an anomaly. Compared is the
second half, with and without these judgements: AUROC, average precision, and the share of the
second half's highest scores (as many as it has anomalies) that are anomalies. Means over seeds,
because one more row that teaches leads to other draws, whose chance outweighs ten judgements.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from stream_dagmm import StreamDAGMM
from stream_dagmm.arithmetic import Floats
from tests.benchmarks import kept, streams
from tests.benchmarks.streams import Stream
from tests.benchmarks.tables import markdown
from tests.threads import threads

JUDGEMENTS = 10
SEEDS = 5
HEAD = ("stream", "AUROC", "judged", "AP", "judged", "precision", "judged")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print and keep one row per stream, and their means."""
    found = kept.parser(__doc__, __file__)
    found.add_argument("folder", type=Path, help="of the streams")
    found.add_argument("--streams", nargs="+", metavar="NAME", help="all unless named")
    found.add_argument("--seeds", type=int, default=SEEDS, help="0 up to one less than this")
    given = found.parse_args(arguments)
    with threads(1):
        chosen = streams.every(given.folder, given.streams, streams.ROWS)
        figures = {s.name: row for s in chosen if (row := means(s, given.seeds)) is not None}
    figures["mean"] = np.mean(list(figures.values()), axis=0)
    rows = [[name, *map(shown, row)] for name, row in figures.items()]
    kept.keep(markdown(HEAD, rows), given.table, __file__, arguments)


def means(stream: Stream, seeds: int) -> Floats | None:
    """What `compared` finds, over the seeds."""
    found = [compared(stream, seed) for seed in range(seeds)]
    return None if None in found else np.mean(np.array(found, dtype=np.float64), axis=0)


def shown(figure: float) -> str:
    """To three places."""
    return f"{figure:.3f}"


def compared(stream: Stream, seed: int) -> list[float] | None:
    """AUROC, average precision and precision of the second half, each without and with judgements;
    None where the second half has one class only."""
    middle = len(stream) // 2
    labels = stream.labels[middle:]
    if labels.all() or not labels.any():
        return None
    detector = StreamDAGMM(seed=seed)
    first = detector.score_learn_many(stream.events[:middle])
    judged = StreamDAGMM.from_state(detector.to_state())
    for place in sorted(highest(first, stream.first)):
        judged.feedback(stream.events.row(place, named=True), bool(stream.labels[place]))
    pairs = [
        quality(d.score_learn_many(stream.events[middle:]), labels) for d in (detector, judged)
    ]
    return [figure for pair in zip(*pairs, strict=True) for figure in pair]


def highest(scores: Floats, start: int) -> list[int]:
    """Places of the highest scores from `start` on."""
    return [start + int(place) for place in np.argsort(-scores[start:], kind="stable")[:JUDGEMENTS]]


def quality(scores: Floats, labels: streams.Bools) -> tuple[float, float, float]:
    """AUROC, average precision, precision among as many as there are anomalies."""
    top = np.argsort(-scores, kind="stable")[: int(labels.sum())]
    return (
        float(roc_auc_score(labels, scores)),
        float(average_precision_score(labels, scores)),
        float(labels[top].mean()),
    )


if __name__ == "__main__":
    main()
