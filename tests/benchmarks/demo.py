"""`make demo`, second half: the figures of the README on Shuttle, controls beside them.

Cold start, score before learn, no labels but for the two figures: area under the receiver operating
characteristic (AUROC) and average precision (AP), over the events from the 512th on.
"""

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track
from rich.table import Table
from river import datasets
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.benchmarks.controls import CONTROLS, WITHOUT_CHANCE, Floats, scores

FIRST = 512
LENGTHS = (30_000, 49_097)
SEEDS = range(5)


def main() -> None:
    """Print the table."""
    pairs = list(datasets.Shuttle())
    events = [x for x, _ in pairs]
    labels = np.array([bool(y) for _, y in pairs])
    rows = np.array([list(x.values()) for x in events], dtype=np.float64)
    table = Table(title=f"Shuttle from event {FIRST} on: cold start, score then learn, 5 seeds")
    table.add_column("detector", no_wrap=True)
    for length in LENGTHS:
        table.add_column(f"AUROC to {length:,}", justify="right")
        table.add_column(f"AP to {length:,}", justify="right")
    waiting = track(CONTROLS.items(), "table of controls", console=Console(stderr=True))
    for name, make in waiting:
        seeds = SEEDS[:1] if name in WITHOUT_CHANCE else SEEDS
        runs = np.array([figures(scores(make(s), events, rows), labels) for s in seeds])
        table.add_row(name, *(_cell(column) for column in runs.T))
    Console(width=110).print(table)


def figures(found: Floats, labels: npt.NDArray[np.bool_]) -> list[float]:
    """AUROC and average precision for each of the lengths."""
    return [
        float(figure(labels[FIRST:length], found[FIRST:length]))
        for length in LENGTHS
        for figure in (roc_auc_score, average_precision_score)
    ]


def _cell(values: Floats) -> str:
    spread = f" ± {values.std():.3f}" if len(values) > 1 else ""
    return f"{values.mean():.3f}{spread}"


if __name__ == "__main__":
    main()
