"""What every command shares: options made from the fields of settings, and how it ends."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, get_args, get_origin

import click
from click.core import ParameterSource

from stream_dagmm_connectors import serving
from stream_dagmm_connectors import settings as told
from stream_dagmm_connectors.capability import pin
from stream_dagmm_connectors.kafka.options import Security
from stream_dagmm_connectors.loading import PREFIX, flag_of, load_as

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

FAILED, WRONG_USAGE = 1, 2

METAVARS = {
    "out": "FILE",
    "dead_letter": "FILE",
    "bootstrap_servers": "HOST:PORT",
    "input": "TOPIC",
    "output": "TOPIC",
    "dead_letters": "TOPIC",
    "checkpoints": "TOPIC",
    "checkpoint_store": "URL",
    "against": "TOPIC",
    "group": "NAME",
    "group_instance_id": "NAME",
    "sasl_username": "NAME",
    "metrics_host": "HOST",
    "metrics_port": "PORT",
    "largest_bad_share": "SHARE",
    "drain_timeout": "SECONDS",
    "unready_after": "SECONDS",
    "exit_after": "SECONDS",
    "skip_to": "[TOPIC:]PARTITION:OFFSET",
    "label": "FIELD",
    "ignore": "FIELD",
    "rename": "OLD=NEW",
    "time": "FIELD",
    "value": "FIELD",
    "detectors": "NAME,NAME,...",
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

Settings = TypeVar("Settings", bound=told.ReadingSettings)


def options(
    kind: type[told.ReadingSettings],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Put an option on a command for each field of its settings, and `--config`."""

    def put(command: Callable[..., None]) -> Callable[..., None]:
        # Put on from the last to the first; what few need, the ways to a broker, comes last.
        for name in sorted(kind.model_fields, key=Security.model_fields.__contains__)[::-1]:
            if name not in ONLY_IN_FILES:
                command = _option(name, kind.model_fields[name])(command)
        return click.option(
            "--config",
            type=click.Path(path_type=Path),
            metavar="FILE",
            envvar=f"{PREFIX}CONFIG",
            help="settings as TOML or YAML: the options' names without the dashes in front; flags "
            f"and {PREFIX}* beat them",
        )(command)

    return put


def said(context: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """The flags that were on the command line, defaults and environment left out."""
    stated = (ParameterSource.COMMANDLINE,)
    return {k: v for k, v in given.items() if context.get_parameter_source(k) in stated}


def _option(name: str, field: FieldInfo) -> Callable[..., Any]:
    flag, words = flag_of(name), field.description
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


def perform(
    kind: type[Settings],
    context: click.Context,
    config: Path | None,
    given: dict[str, Any],
    act: Callable[[Settings], None],
) -> None:
    """Act on the settings that were said; what is wrong ends the process with its exit code."""
    try:
        settings = load_as(kind, said(context, given), config)
        pin(settings.cpu_capability)
        act(settings)
    except ValueError as error:
        leave(WRONG_USAGE, str(error))
    except serving.CannotGoOn as error:
        leave(FAILED, str(error))


def tell() -> None:
    """What happens meanwhile goes to standard error, a line each."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it, we say ourselves


def leave(code: int, message: str) -> NoReturn:
    """End the process; each line of the message goes to standard error."""
    for line in message.splitlines():
        click.echo(f"stream-dagmm: {line}", err=True)
    sys.exit(code)
