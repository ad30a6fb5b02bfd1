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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args, get_origin

import click
from click.core import ParameterSource

from stream_dagmm_connectors import serving
from stream_dagmm_connectors import settings as told

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from stream_dagmm_connectors.pipeline import Pipeline
    from stream_dagmm_connectors.replay import Run

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
LOG = logging.getLogger("stream_dagmm")

METAVARS = {
    "out": "FILE",
    "dead_letter": "FILE",
    "bootstrap_servers": "HOST:PORT",
    "input": "TOPIC",
    "output": "TOPIC",
    "dead_letters": "TOPIC",
    "checkpoints": "TOPIC",
    "skip_to": "PARTITION:OFFSET",
    "label": "FIELD",
    "ignore": "FIELD",
    "time": "FIELD",
    "value": "FIELD",
    "resume": "DIR",
    "rate": "N|real-time",
    "source_name": "NAME",
    "checkpoint_every": "N",
    "seed": "N",
    "batch_size": "N",
    "half_life": "EVENTS",
    "alarm_rate": "SHARE",
    "explain_below": "SHARE",
}
ONLY_IN_FILES = ("source", "detector_options")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="stream-dagmm", prog_name="stream-dagmm")
def main() -> None:
    """Anomaly scores for event streams: each event scored as it comes, then learned."""
    # One thread: the products are small, and threads that wait for each other on a busy machine
    # make a run several times slower. To be said before NumPy and torch are imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def _options(
    kind: type[told.ScoringSettings],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Put an option on a command for each field of its settings, and `--config`."""

    def put(command: Callable[..., None]) -> Callable[..., None]:
        for name, field in reversed(kind.model_fields.items()):
            if name not in ONLY_IN_FILES:
                command = _option(name, field)(command)
        return click.option(
            "--config",
            type=click.Path(path_type=Path),
            envvar=f"{told.PREFIX}CONFIG",
            help="settings as TOML or YAML: the options' names without the dashes in front; flags "
            f"and {told.PREFIX}* beat them",
        )(command)

    return put


def _said(context: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """The flags that were on the command line, defaults and environment left out."""
    stated = (ParameterSource.COMMANDLINE,)
    return {k: v for k, v in given.items() if context.get_parameter_source(k) in stated}


def _option(name: str, field: FieldInfo) -> Callable[..., Any]:
    flag, words = told.flag_of(name), field.description
    if field.annotation is bool:
        pair = f"{flag}/--no-{flag[2:]}" if field.default else flag
        return click.option(pair, name, default=None, is_flag=True, help=words)
    choices = _choices(field.annotation)
    # Values stay text here; the settings check them, wherever they were said.
    return click.option(
        flag,
        name,
        type=click.Choice(choices) if choices else str,
        multiple=get_origin(field.annotation) is tuple,
        metavar=None if choices else METAVARS.get(name, _metavar(field.annotation)),
        help=f"{words}{_default(field)}",
    )


def _choices(annotation: Any) -> tuple[str, ...]:
    kinds = [annotation, *get_args(annotation)]
    literals = [kind for kind in kinds if get_origin(kind) is Literal]
    mixed = float in kinds
    return tuple(get_args(literals[0])) if literals and not mixed else ()


def _default(field: FieldInfo) -> str:
    said = not field.is_required() and field.default not in (None, ())
    return f"  [default: {field.default}]" if said else ""


def _metavar(annotation: Any) -> str:
    kinds = {annotation, *get_args(annotation)}
    return "FILE" if Path in kinds else "N" if kinds & {int, float} else "TEXT"


@main.command()
@click.argument("source", required=False)
@_options(told.ReplaySettings)
@click.pass_context
def replay(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Score and learn the events of SOURCE, one after the other.

    SOURCE is a JSON Lines, CSV or Parquet file (gzip and zstd too), '-' for standard input, or
    'shuttle' for 49,097 real events that come with River.
    """
    flags = _said(context, given)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    with ExitStack() as stack:
        try:
            settings = told.load(flags, config)
            from stream_dagmm_connectors.replay import compose  # imports torch

            run = compose(settings, stack)
            stack.enter_context(_stopped_by_signals(run.pipeline))
            run.pipeline.begin()
        except ValueError as error:
            _leave(WRONG_USAGE, str(error))
        except KeyboardInterrupt:
            _leave(INTERRUPTED, "interrupted before the first event; nothing was changed")
        _to_the_end(run, stack)


def _to_the_end(run: Run, stack: ExitStack) -> None:
    from stream_dagmm_connectors.replay import finish

    resumable = run.settings.resume is not None
    try:
        summary = run.pipeline.run()
        words = finish(run, summary)
    except ValueError as error:
        _leave(FAILED, str(error))
    except BrokenPipeError:
        # Whoever read our output has left; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except KeyboardInterrupt:
        stands = "the last checkpoint stands" if resumable else "nothing was saved"
        _leave(INTERRUPTED, f"interrupted at once; {stands}")
    finally:
        stack.close()
    click.echo(words, err=run.settings.out == "-")
    if summary.interrupted:
        saved = f"saved in {run.settings.resume}; the same command goes on from there"
        nothing = "nothing was saved; with --resume DIR the same command would go on from here"
        _leave(INTERRUPTED, f"interrupted; {saved if resumable else nothing}")


@main.command()
@_options(serving.RunSettings)
@click.pass_context
def run(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Score and learn the events of a Kafka topic, exactly once, into another topic.

    Several processes of one group share the partitions; each partition has a model of its own,
    which moves with it. SIGTERM ends the process in order.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it, we say ourselves
    _on_topics(context, config, given, serving.serve)


@main.group()
def topics() -> None:
    """The topics that `run` needs beside its input."""


@topics.command("create")
@_options(serving.RunSettings)
@click.pass_context
def topics_create(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Make those that are missing, as `run` would."""
    _on_topics(context, config, given, serving.create_topics)


@topics.command("print")
@_options(serving.RunSettings)
@click.pass_context
def topics_print(context: click.Context, /, config: Path | None, **given: Any) -> None:
    """Print the commands that make them."""

    def show(settings: serving.RunSettings) -> None:
        click.echo("\n".join(serving.topic_commands(settings)))

    _on_topics(context, config, given, show)


def _on_topics(
    context: click.Context,
    config: Path | None,
    given: dict[str, Any],
    act: Callable[[serving.RunSettings], None],
) -> None:
    try:
        act(told.load_as(serving.RunSettings, _said(context, given), config))
    except ValueError as error:
        _leave(WRONG_USAGE, str(error))
    except serving.CannotGoOn as error:
        _leave(FAILED, str(error))


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


def _leave(code: int, message: str) -> NoReturn:
    for line in message.splitlines():
        click.echo(f"stream-dagmm: {line}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
