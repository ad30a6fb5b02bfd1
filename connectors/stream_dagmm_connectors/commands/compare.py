"""`stream-dagmm compare`: one stream through several detectors, side by side on one page."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from stream_dagmm_connectors.capability import pin
from stream_dagmm_connectors.commands.options import FAILED, WRONG_USAGE, leave, options, said
from stream_dagmm_connectors.loading import load_as
from stream_dagmm_connectors.settings import CompareSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_dagmm_connectors.metrics import Counters
    from stream_dagmm_connectors.ports import Source
    from stream_dagmm_connectors.report.comparison import Found
    from stream_dagmm_connectors.scoring import Detector

INTERRUPTED = 130


class Contest(NamedTuple):
    """What is compared, and on what."""

    detectors: Mapping[str, Detector]
    source: Source


@click.command()
@click.argument("source", required=False)
@options(CompareSettings)
@click.pass_context
def compare(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Score and learn the events of SOURCE by several detectors in one pass.

    Prints what each found and costs, and writes a page with the agreement of their scores and how
    their latent spaces form. HalfSpaceTrees see the fields that are numbers. SOURCE is as in
    replay, topics apart; the label of 'shuttle' is known.
    """
    with ExitStack() as stack:
        try:
            settings = load_as(CompareSettings, said(context, given), config)
            pin(settings.cpu_capability)
            contest = _prepared(settings, config, stack)
        except ValueError as error:
            leave(WRONG_USAGE, str(error))
        except KeyboardInterrupt:
            leave(INTERRUPTED, "interrupted before the first event; nothing was written")
        try:
            found = _compared(settings, contest, stack)
        except (ValueError, OSError) as error:
            leave(FAILED, f"{error}; nothing was written")
        except KeyboardInterrupt:
            leave(INTERRUPTED, "interrupted; nothing was written")
    _tell(found, settings)


def _prepared(settings: CompareSettings, config: Path | None, stack: ExitStack) -> Contest:
    """Both ends, and between them the detectors; `ValueError` before anything is read."""
    from stream_dagmm_connectors import places
    from stream_dagmm_connectors.files import open_source
    from stream_dagmm_connectors.kafka.address import is_address

    if is_address(settings.source):
        raise ValueError(f"SOURCE is {settings.source}, expected a file; a topic is for replay")
    report = settings.report
    page = places.Place("--report", report)
    places.refuse_shared([*places.read_places(settings.source, config), page])
    places.refuse_unwritable(report)
    places.refuse_what_is_no_file(report)
    if not settings.fresh:
        places.refuse_to_overwrite(report)
    source = open_source(settings.source, format=settings.format)
    stack.callback(source.close)
    # Only now: torch takes seconds, and a wrong place should be told at once.
    from stream_dagmm_connectors.detector_names import contestant

    own = settings.detector_options
    detectors = {
        name: contestant(name, settings.seed, own.get(name, {})) for name in settings.names
    }
    return Contest(detectors, source)


def _compared(settings: CompareSettings, contest: Contest, stack: ExitStack) -> Found:
    from rich.console import Console
    from rich.progress import Progress

    from stream_dagmm_connectors.comparing import compared
    from stream_dagmm_connectors.decoding import Decoder
    from stream_dagmm_connectors.places import ignored, label_of
    from stream_dagmm_connectors.progress import about_how_many

    decoder = Decoder(
        label=label_of(settings),
        ignore=ignored(settings),
        rename=settings.renames,
        time=settings.time,
        value=settings.value,
    )
    bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
    task = bar.add_task("records", total=about_how_many(Path(settings.source)))

    def watch(counters: Counters) -> None:
        bar.update(task, completed=counters.records)

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-dagmm-"))
    return compared(contest.source, decoder, contest.detectors, Path(folder), watch)


def _tell(found: Found, settings: CompareSettings) -> None:
    from rich.console import Console
    from rich.table import Table

    from stream_dagmm_connectors.evaluation import why_not_judged
    from stream_dagmm_connectors.report.comparison import COLUMNS, page, table

    source, report = settings.source, settings.report
    if not found.counters.events:
        leave(FAILED, f"{source} holds no event; nothing was written")
    shown = Table("detector", title=f"{source}: {found.counters.events:,} events")
    for name, _, _ in COLUMNS:
        shown.add_column(name, justify="right")
    for row, cells in table(found.rows):
        shown.add_row(row.name, *(f"[bold]{c.value}[/]" if c.best else c.value for c in cells))
    console = Console()
    console.print(shown)
    verdict = found.rows[0].verdict
    if settings.label is not None and verdict.auroc is None:
        said = why_not_judged(verdict, settings.label)
        console.print(f"AUROC: none: {said}", highlight=False, markup=False)
    for stage, count in sorted(found.counters.dead_letters.items()):
        console.print(f"refused in {stage}: {count:,} records")
    try:
        report.write_text(page(found, source), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        leave(FAILED, f"{report} cannot be written: {error.strerror}; name another with --report")
    console.print(f"report in {report}", highlight=False, markup=False)
