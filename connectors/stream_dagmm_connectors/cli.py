"""The command line `stream-dagmm`; its options are the fields of the settings.

Exit codes: 0 all done, 1 stopped by what the stream or the disk held, 2 wrong usage (nothing was
scored), 130 interrupted. Messages and progress go to standard error; standard output carries what
was asked for.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from stream_dagmm_connectors import serving
from stream_dagmm_connectors import settings as told
from stream_dagmm_connectors.commands.compare import compare
from stream_dagmm_connectors.commands.options import (
    FAILED,
    WRONG_USAGE,
    leave,
    options,
    perform,
    said,
)

if TYPE_CHECKING:
    from stream_dagmm_connectors.pipeline import Pipeline
    from stream_dagmm_connectors.replay import Run

INTERRUPTED = 130
LOG = logging.getLogger("stream_dagmm")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="stream-dagmm", prog_name="stream-dagmm")
def main() -> None:
    """Anomaly scores for event streams: each event scored as it comes, then learned."""
    # One thread: the products are small, and threads that wait for each other on a busy machine
    # make a run several times slower. To be said before NumPy and torch are imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@main.command()
@click.argument("source", required=False)
@options(told.ReplaySettings)
@click.pass_context
def replay(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Score and learn the events of SOURCE, one after the other.

    SOURCE is a JSON Lines, CSV or Parquet file (gzip and zstd too), '-' for standard input,
    'shuttle' for 49,097 real events that come with River, or a logged range of a topic:
    kafka://TOPIC?partition=N&from=OFFSET|TIME&to=OFFSET|TIME, the end left out.
    """
    flags = said(context, given)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    with ExitStack() as stack:
        try:
            settings = told.load(flags, config)
            from stream_dagmm_connectors.replay import compose  # imports torch

            run = compose(settings, stack)
            stack.enter_context(_stopped_by_signals(run.pipeline))
            run.pipeline.begin()
        except ValueError as error:
            leave(WRONG_USAGE, str(error))
        except KeyboardInterrupt:
            leave(INTERRUPTED, "interrupted before the first event; nothing was changed")
        _to_the_end(run, stack)


def _to_the_end(run: Run, stack: ExitStack) -> None:
    from stream_dagmm_connectors.replay import finish

    resumable = run.settings.resume is not None
    try:
        summary = run.pipeline.run()
        words = finish(run, summary)
    except ValueError as error:
        leave(FAILED, str(error))
    except BrokenPipeError:
        # Whoever read our output has left; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except KeyboardInterrupt:
        stands = "the last checkpoint stands" if resumable else "nothing was saved"
        leave(INTERRUPTED, f"interrupted at once; {stands}")
    finally:
        stack.close()
    click.echo(words, err=run.settings.out == "-")
    if summary.interrupted:
        saved = f"saved in {run.settings.resume}; the same command goes on from there"
        nothing = "nothing was saved; with --resume DIR the same command would go on from here"
        leave(INTERRUPTED, f"interrupted; {saved if resumable else nothing}")


@main.command()
@options(serving.RunSettings)
@click.pass_context
def run(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Score and learn the events of a Kafka topic, exactly once, into another topic.

    Several processes of one group share the partitions; each partition has a model of its own,
    which moves with it. SIGTERM ends the process in order.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it, we say ourselves
    perform(serving.RunSettings, context, config, given, serving.serve)


@main.group()
def topics() -> None:
    """The topics that `run` needs beside its input."""


@topics.command("create")
@options(serving.RunSettings)
@click.pass_context
def topics_create(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Make those that are missing, as `run` would."""
    perform(serving.RunSettings, context, config, given, serving.create_topics)


@topics.command("print")
@options(serving.RunSettings)
@click.pass_context
def topics_print(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Print the commands that make them."""

    def show(settings: serving.RunSettings) -> None:
        click.echo("\n".join(serving.topic_commands(settings)))

    perform(serving.RunSettings, context, config, given, show)


main.add_command(compare)


@main.command()
def schema() -> None:
    """Print the JSON Schema of scored events and dead letters."""
    from stream_dagmm_connectors.events import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


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


if __name__ == "__main__":
    main()
