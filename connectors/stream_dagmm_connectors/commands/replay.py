"""`stream-dagmm replay`: from the words of the command line to an exit code.

One event's way: `ends` opens source and sinks, `replay.compose` puts the pipeline between them,
`Pipeline.run` takes the event through it, `ending` says what was found.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from stream_dagmm_connectors import settings as told
from stream_dagmm_connectors.capability import pin
from stream_dagmm_connectors.collector import imports_set_aside
from stream_dagmm_connectors.commands.options import FAILED, WRONG_USAGE, leave, options, said, tell
from stream_dagmm_connectors.durable import CannotWrite

if TYPE_CHECKING:
    from stream_dagmm_connectors.pipeline import Pipeline
    from stream_dagmm_connectors.replay import Run

INTERRUPTED = 130
GOES_ON = "the same command goes on from there"


class Ended(NamedTuple):
    """An exit code, the summary of a run that came so far, and what is said beside it."""

    code: int
    message: str
    summary: str = ""


@click.command()
@click.argument("source", required=False)
@options(told.ReplaySettings)
@click.pass_context
def replay(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Score and learn the events of SOURCE, one after the other.

    SOURCE is a JSON Lines, CSV or Parquet file (gzip and zstd too), '-' for standard input,
    'shuttle' for 49,097 real events that come with River, or a logged range of a topic:
    kafka://TOPIC?partition=N&from=OFFSET|TIME&to=OFFSET|TIME, the end left out; without a
    partition all of them one after the other, each with a model of its own.
    """
    tell()
    try:
        settings = told.load(said(context, given), config)
        pin(settings.cpu_capability)
        if settings.against is not None:
            _compare(settings)
    except ValueError as error:
        leave(WRONG_USAGE, str(error))
    with ExitStack() as stack:
        ended = _replayed(settings, config, stack)
    # Only now, with the progress bar gone.
    if ended.summary:
        click.echo(ended.summary, err="-" in (settings.out, settings.dead_letter))
    if ended.code:
        leave(ended.code, ended.message)


def _compare(settings: told.ReplaySettings) -> NoReturn:
    from stream_dagmm_connectors.commands.against import compared

    verdict = compared(settings)
    click.echo(verdict.words)
    sys.exit(verdict.code)


def _replayed(settings: told.ReplaySettings, config: Path | None, stack: ExitStack) -> Ended:
    # Imported here: the ends bring NumPy, which must find the number of threads set, and `replay`
    # brings torch, which takes seconds that nobody should wait for a wrong place.
    from stream_dagmm_connectors.ends import open_ends

    try:
        ends = open_ends(settings, config, stack)
        from stream_dagmm_connectors.replay import compose

        run = compose(settings, ends, stack)
        stack.enter_context(_stopped_by_signals(run.pipeline))
        run.pipeline.begin()
    except (CannotWrite, OSError) as error:
        return Ended(FAILED, str(error))
    except ValueError as error:
        return Ended(WRONG_USAGE, str(error))
    except KeyboardInterrupt:
        return Ended(INTERRUPTED, "interrupted before the first event; nothing was changed")
    return _to_the_end(run)


def _to_the_end(run: Run) -> Ended:
    state = run.settings.resume
    try:
        from stream_dagmm_connectors.ending import finish

        with imports_set_aside():
            summary = run.pipeline.run()
        words = finish(run, summary)
    except BrokenPipeError:
        done = f"stopped after {run.pipeline.counters.events:,} events"
        return Ended(FAILED, f"nobody reads standard output any more; {done}")
    except (ValueError, OSError) as error:
        way_on = "" if state is None else f"\nthe state in {state} stands; mend that, and {GOES_ON}"
        return Ended(FAILED, f"{error}{way_on}")
    except KeyboardInterrupt:
        stands = "nothing was saved" if state is None else f"the last checkpoint stands; {GOES_ON}"
        return Ended(INTERRUPTED, f"interrupted at once; {stands}")
    if not summary.interrupted:
        return Ended(0, "", words)
    nothing = "nothing was saved; with --resume DIR the same command would go on from here"
    saved = nothing if state is None else f"saved in {state}; {GOES_ON}"
    return Ended(INTERRUPTED, f"interrupted; {saved}", words)


@contextmanager
def _stopped_by_signals(pipeline: Pipeline) -> Iterator[None]:
    """Ctrl-C and SIGTERM finish the events in hand; a second one leaves at once and safely."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        again, asked = asked, True
        pipeline.stop()
        if again or not pipeline.busy:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
