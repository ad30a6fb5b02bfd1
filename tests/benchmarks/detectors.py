"""The README's table of detectors: `python -m tests.benchmarks.detectors` prints and keeps it.

Its figures are those that `stream-dagmm replay shuttle --label anomaly --detector NAME` prints:
AUROC and average precision over the events from the 512th on, default arguments, one seed; beside
them those of the same detector untrained, its networks, axes or pairs as they were drawn.
"""

from collections.abc import Sequence
from contextlib import ExitStack

from stream_dagmm_connectors.detector_names import DETECTORS
from stream_dagmm_connectors.ends import open_ends
from stream_dagmm_connectors.evaluation import Verdict
from stream_dagmm_connectors.replay import compose
from stream_dagmm_connectors.settings import DetectorName, ReplaySettings
from tests.benchmarks import kept

WHEN: dict[DetectorName, str] = {
    "dagmm": "the default: mixed or drifting streams, unknown shape, floods of equal anomalies",
    "gaussian-mixture": "one compact cloud of correlated numbers; with one component the "
    "exponentially weighted Mahalanobis distance; the fastest",
    "pca": "linear redundancy, as process engineers watch it: T^2 and Q",
    "autoencoder": "columns that say things of each other; denoising by default",
    "vae": "a score that is a density: minus log p(x), importance-weighted",
    "gmvae": "the same where events come in clusters, which `predict_one` names",
    "glgae": "a code of K prototypes: embedding, compression, and a score",
}

HEAD = "| detector | `--detector` | when | Shuttle | untrained |\n|---|---|---|---|---|"

UNTRAINED: dict[DetectorName, dict[str, object]] = {
    "pca": {"random_axes": True},
    **{name: {"learning_rate": 0.0} for name in ("dagmm", "autoencoder", "vae", "gmvae", "glgae")},
}
"""What keeps a detector from learning what it is named after."""


def row(name: DetectorName, figures: str, untrained: str) -> str:
    """One line of the table."""
    return f"| `{DETECTORS[name]}()` | `{name}` | {WHEN[name]} | {figures} | {untrained} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print and keep the table."""
    found = kept.parser(__doc__, __file__)
    found.add_argument("--detectors", nargs="+", choices=WHEN, default=list(WHEN))
    given = found.parse_args(arguments)
    rows = [measured(name) for name in given.detectors]
    kept.keep("\n".join([HEAD, *rows]), given.table, __file__, arguments)


def measured(name: DetectorName) -> str:
    """The line of a detector."""
    untrained = said(verdict(name, UNTRAINED[name])) if name in UNTRAINED else ""
    return row(name, said(verdict(name, {})), untrained)


def said(found: Verdict) -> str:
    """A cell of the table."""
    return f"{found.auroc:.3f} / {found.average_precision:.3f}"


def verdict(name: DetectorName, options: dict[str, object]) -> Verdict:
    """What `replay` finds on Shuttle with this detector."""
    settings = ReplaySettings.model_validate(
        {"source": "shuttle", "detector": name, "detector_options": options}
    )
    with ExitStack() as stack:
        run = compose(settings, open_ends(settings, None, stack), stack)
        run.pipeline.run()
        if run.labelled is None:
            raise ValueError("shuttle must have a label, got none")
        return run.labelled.verdict()


if __name__ == "__main__":
    main()
