"""`stream-dagmm dlq`: what is in the dead letters, and back with it after a fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream_dagmm_connectors import serving
from stream_dagmm_connectors.commands.options import options, perform

if TYPE_CHECKING:
    from stream_dagmm_connectors.kafka.client import Clients, Place

PARTITION = click.option("--partition", type=click.IntRange(min=0), help="only this one")


@click.group()
def dlq() -> None:
    """The dead letters of `run`. Give it the same options, file or environment as `run`."""


@dlq.command("list")
@PARTITION
@click.option("--all", "everything", is_flag=True, help="those that were sent back too")
@options(serving.RunSettings)
@click.pass_context
def list_(
    context: click.Context,
    /,
    config: Path | None,
    partition: int | None,
    everything: bool,
    **given: Any,
) -> None:
    """List the dead letters that wait: place, stage, length and reason, a line each."""

    def act(settings: serving.RunSettings) -> None:
        from stream_dagmm_connectors.kafka.redriving import waiting

        with _letters(settings, partition) as (clients, places):
            log = clients.log_reader()
            for dead in places:
                for letter in waiting(log, dead, everything=everything):
                    click.echo(str(letter))
            log.close()

    perform(serving.RunSettings, context, config, given, act)


@dlq.command()
@PARTITION
@options(serving.RunSettings)
@click.pass_context
def replay(
    context: click.Context, /, config: Path | None, partition: int | None, **given: Any
) -> None:
    """Send the dead letters that wait back to where they came from, each once.

    They stand at the end of their partitions then, to be scored like any event. What is still no
    event comes back to the dead letters.
    """

    def act(settings: serving.RunSettings) -> None:
        from stream_dagmm_connectors.kafka.redriving import send_back

        with _letters(settings, partition) as (clients, places):
            for dead in places:
                done = send_back(clients, dead, f"{settings.group}-dlq-{dead.partition}")
                cut = f"; {done.shortened} were shortened, ask their producer" * bool(
                    done.shortened
                )
                click.echo(f"{dead}: {done.sent} sent back{cut}")

    perform(serving.RunSettings, context, config, given, act)


@contextmanager
def _letters(
    settings: serving.RunSettings, partition: int | None
) -> Iterator[tuple[Clients, list[Place]]]:
    """Clients, and the partitions of the dead letters that were asked for."""
    from stream_dagmm_connectors.kafka.client import Place
    from stream_dagmm_connectors.kafka.kafka_clients import KafkaClients
    from stream_dagmm_connectors.kafka.replaying import reaching

    run, topic = settings.options(), settings.options().dead_letter_topic
    with reaching(run.connection()):
        clients = KafkaClients(run.connection(), run.timing(), group=run.group)
        log = clients.log_reader()
        count = log.partitions(topic)
        log.close()
        if count <= (partition or 0):
            raise ValueError(f"dead-letter topic {topic} has {count} partitions; correct --output "
                             "or --dead-letters, or --partition")  # fmt: skip
        yield clients, [Place(topic, n) for n in range(count) if partition in (None, n)]
