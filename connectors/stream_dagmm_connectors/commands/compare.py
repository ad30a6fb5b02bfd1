"""`stream-dagmm compare`: one stream through several detectors, side by side on one page."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream_dagmm_connectors.commands.options import FAILED, WRONG_USAGE, leave

if TYPE_CHECKING:
    from stream_dagmm_connectors.metrics import Counters
    from stream_dagmm_connectors.report.comparison import Found

INTERRUPTED = 130
HALF_SPACE_TREES = "hst"
ALL = "dagmm,gmvae,glgae,vae,autoencoder,pca,gaussian-mixture,hst"


@click.command()
@click.argument("source")
@click.option("--detectors", default=ALL, show_default=True, metavar="NAME,NAME,...")
@click.option("--label", metavar="FIELD", help="field that says what is anomalous")
@click.option("--ignore", multiple=True, metavar="FIELD", help="field that no detector must see")
@click.option("--time", metavar="FIELD", help="field that holds the event's own time")
@click.option("--value", metavar="FIELD", help="field of the envelope that holds the event")
@click.option("--format", type=click.Choice(["jsonl", "csv", "parquet"]), help="of SOURCE")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("comparison.html"),
    show_default=True,
    help="the page to write",
)
def compare(source: str, detectors: str, report: Path, **given: Any) -> None:
    """Score and learn the events of SOURCE by several detectors in one pass.

    Prints what each found and costs, and writes a page with the agreement of their scores and how
    their latent spaces form. hst is River's HalfSpaceTrees behind MinMaxScaler, on the fields that
    are numbers. SOURCE is as in replay; the label of 'shuttle' is known.
    """
    with ExitStack() as stack:
        try:
            found = _compared(source, detectors, stack, **given)
        except ValueError as error:
            leave(WRONG_USAGE, str(error))
        except KeyboardInterrupt:
            leave(INTERRUPTED, "interrupted; nothing was written")
    _tell(found, source, report)


def _compared(
    source: str, names: str, stack: ExitStack, *, format: Any, seed: int, **fields: Any
) -> Found:
    # Imported here: torch takes seconds, and wrong options should be told at once.
    from rich.console import Console
    from rich.progress import Progress

    from stream_dagmm_connectors.comparing import compared
    from stream_dagmm_connectors.decoding import Decoder
    from stream_dagmm_connectors.files import SHUTTLE_LABEL, open_source
    from stream_dagmm_connectors.progress import about_how_many

    chosen = {name: detector_of(name, seed) for name in _distinct(names)}
    if source == "shuttle" and fields["label"] is None:
        fields["label"] = SHUTTLE_LABEL
    decoder = Decoder(**fields)
    opened = open_source(source, format=format)
    stack.callback(opened.close)
    bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
    task = bar.add_task("records", total=about_how_many(Path(source)))

    def watch(counters: Counters) -> None:
        bar.update(task, completed=counters.records)

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-dagmm-"))
    return compared(opened, decoder, chosen, Path(folder), watch)


def _distinct(names: str) -> list[str]:
    found = [name.strip().replace("_", "-") for name in names.split(",") if name.strip()]
    if not found or len(set(found)) < len(found):
        raise ValueError(f"--detectors must name each detector once, got {names!r}")
    return found


def detector_of(name: str, seed: int) -> Any:
    """The detector that a name stands for; `ValueError` lists the names there are."""
    from river import anomaly, compose, preprocessing

    import stream_dagmm
    from stream_dagmm_connectors.detector_names import DETECTORS

    if name == HALF_SPACE_TREES:
        numbers = compose.SelectType(int, float)
        return numbers | preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=seed)
    kinds = dict(DETECTORS)
    if name not in kinds:
        raise ValueError(f"--detectors: got {name!r}, expected some of {ALL}")
    return getattr(stream_dagmm, kinds[name])(seed=seed)


def _tell(found: Found, source: str, report: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from stream_dagmm_connectors.report.comparison import COLUMNS, page, table

    if not found.counters.events:
        leave(FAILED, f"{source} holds no event; nothing was written")
    shown = Table("detector", title=f"{source}: {found.counters.events:,} events")
    for name, _, _ in COLUMNS:
        shown.add_column(name, justify="right")
    for row, cells in table(found.rows):
        shown.add_row(row.name, *(f"[bold]{c.value}[/]" if c.best else c.value for c in cells))
    console = Console()
    console.print(shown)
    for stage, count in sorted(found.counters.dead_letters.items()):
        console.print(f"refused in {stage}: {count:,} records")
    try:
        report.write_text(page(found, source), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        leave(FAILED, f"{report} cannot be written: {error.strerror}; name another with --report")
    console.print(f"report in {report}", highlight=False, markup=False)
