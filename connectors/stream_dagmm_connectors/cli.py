"""The command line `stream-dagmm`; its options are the fields of the settings.

Exit codes: 0 all done, 1 stopped by what the stream or the disk held, 2 wrong usage (nothing was
scored), 130 interrupted. Messages and progress go to standard error; standard output carries what
was asked for.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

try:
    import click
except ModuleNotFoundError:
    sys.exit("stream-dagmm: the command line is an extra; pip install 'stream-dagmm[cli]'")

from stream_dagmm_connectors import serving
from stream_dagmm_connectors.commands.checkpoint import checkpoint
from stream_dagmm_connectors.commands.compare import compare
from stream_dagmm_connectors.commands.dlq import dlq
from stream_dagmm_connectors.commands.options import WRONG_USAGE, leave, options, perform, tell
from stream_dagmm_connectors.commands.replay import INTERRUPTED, replay

OF_KAFKA = ("kafka", "fsspec", "prometheus_client")
"""What comes with the extra of that name."""


class Commands(click.Group):
    """Commands that say which extra they lack, and that were interrupted before they began."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            leave(INTERRUPTED, "interrupted")
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in OF_KAFKA:
                raise
            leave(WRONG_USAGE, "Kafka is an extra; pip install 'stream-dagmm[cli,kafka]'")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="stream-dagmm", prog_name="stream-dagmm")
def main() -> None:
    """Anomaly scores for event streams: each event scored as it comes, then learned."""
    # One thread: the products are small, and threads that wait for each other on a busy machine
    # make a run several times slower. To be said before NumPy and torch are imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


main.add_command(replay)
main.add_command(checkpoint)
main.add_command(dlq)


@main.command()
@options(serving.RunSettings)
@click.pass_context
def run(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Score and learn the events of a Kafka topic, exactly once, into another topic.

    Several processes of one group share the partitions; each partition has a model of its own,
    which moves with it. SIGTERM ends the process in order.

    Where a partition is not as it was left, an --on-... option says what to do: fail stops the
    process with the next step, new-lineage begins a new model there.
    """
    tell()
    perform(serving.RunSettings, context, config, given, serving.serve)


@main.group()
def topics() -> None:
    """The topics that `run` needs beside its input."""


@topics.command("create")
@options(serving.RunSettings)
@click.pass_context
def topics_create(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Make those that are missing, as `run` would."""

    def create(settings: serving.RunSettings) -> None:
        click.echo(f"there: {', '.join(serving.create_topics(settings))}")

    perform(serving.RunSettings, context, config, given, create)


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


if __name__ == "__main__":
    main()
