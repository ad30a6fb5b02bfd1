"""`stream-dagmm checkpoint`: look at the models of a group, and un-learn a stretch of a log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream_dagmm_connectors import serving
from stream_dagmm_connectors.commands.options import options, perform

if TYPE_CHECKING:
    from stream_dagmm_connectors.kafka.client import Place
    from stream_dagmm_connectors.kafka.outside import Outside

PARTITION = click.option("--partition", type=click.IntRange(min=0), help="of the input")


@click.group()
def checkpoint() -> None:
    """The models' states that `run` keeps, seen from outside of its group.

    Give them the same options, file or environment as `run`.
    """


@checkpoint.command("list")
@PARTITION
@options(serving.RunSettings)
@click.pass_context
def list_(
    context: click.Context, /, config: Path | None, partition: int | None, **given: Any
) -> None:
    """List what is committed and which checkpoints are kept, of each partition or of one."""

    def act(settings: serving.RunSettings) -> None:
        def show(outside: Outside) -> None:
            count = outside.reader.partitions(_topic(settings), 5_000)
            if count <= (partition or 0):
                raise ValueError(f"topic {_topic(settings)} has {count} partitions; correct "
                                 "--input, or --partition")  # fmt: skip
            for number in range(count) if partition is None else [partition]:
                click.echo("\n".join(_lines(outside, _place(settings, number))))

        _look(settings, show)

    perform(serving.RunSettings, context, config, given, act)


@checkpoint.command()
@click.option("--partition", type=click.IntRange(min=0), required=True, help="of the input")
@click.option("--offset", type=click.IntRange(min=0), help="of the checkpoint (default: newest)")
@options(serving.RunSettings)
@click.pass_context
def show(
    context: click.Context,
    /,
    config: Path | None,
    partition: int,
    offset: int | None,
    **given: Any,
) -> None:
    """Print what a checkpoint says of its model, as JSON."""

    def act(settings: serving.RunSettings) -> None:
        _look(settings, lambda outside: _show(outside, _place(settings, partition), offset))

    perform(serving.RunSettings, context, config, given, act)


@checkpoint.command()
@click.option("--partition", type=click.IntRange(min=0), required=True, help="of the input")
@click.option(
    "--skip", required=True, metavar="FROM..TO", help="offsets to leave out, TO not among them"
)
@click.option("--rescore", metavar="TOPIC", help="write corrected scores from TO on to this topic")
@options(serving.RunSettings)
@click.pass_context
def revert(
    context: click.Context,
    /,
    config: Path | None,
    partition: int,
    skip: str,
    rescore: str | None,
    **given: Any,
) -> None:
    """Un-learn a stretch of a partition: go on as if it had never been in the log.

    The members of the group must be stopped. Nothing is emitted again; the next `run` goes on
    where the last one ended, under a new lineage.
    """

    def act(settings: serving.RunSettings) -> None:
        from stream_dagmm_connectors.commands.looking import recipe_of
        from stream_dagmm_connectors.kafka.members import refuse_members
        from stream_dagmm_connectors.kafka.replaying import reaching
        from stream_dagmm_connectors.kafka.reverting import revert

        first, end = _stretch(skip)
        place = _place(settings, partition)
        connection = settings.options().connection()
        with reaching(connection):
            refuse_members(connection, settings.group)

        def do(outside: Outside) -> None:
            if rescore is not None and outside.reader.partitions(rescore, 5_000) <= partition:
                raise ValueError(
                    f"--rescore {rescore} has no partition {partition}; make it with: "
                    f"kafka-topics.sh --create --topic {rescore} --partitions {partition + 1}"
                )
            done = revert(outside, place, (first, end), recipe_of(settings), rescore=rescore)
            click.echo(
                f"{place}: learned again from offset {done.began_at} to "
                f"{done.before.next_offset} without {first}..{end}: {done.after.learned} events "
                f"instead of {done.before.learned}; lineage {done.before.lineage} is now "
                f"{done.after.lineage}"
            )
            if rescore is not None:
                click.echo(f"{done.rescored} corrected scores are in {rescore}-{partition}")

        _look(settings, do)

    perform(serving.RunSettings, context, config, given, act)


def _look(settings: serving.RunSettings, act: Callable[[Outside], None]) -> None:
    """Act on the group from outside; what is not as it must be ends with its message."""
    from stream_dagmm_connectors.commands.looking import looking
    from stream_dagmm_connectors.kafka.surprises import Stopped, Surprise

    with looking(settings.options()) as outside:
        try:
            act(outside)
        except (Surprise, Stopped) as error:
            raise serving.CannotGoOn(str(error)) from error


def _topic(settings: serving.RunSettings) -> str:
    if len(settings.input) > 1:
        raise ValueError(f"got several inputs, {', '.join(settings.input)}; say --input once")
    return settings.input[0]


def _place(settings: serving.RunSettings, partition: int) -> Place:
    from stream_dagmm_connectors.kafka.client import Place

    return Place(_topic(settings), partition)


def _stretch(said: str) -> tuple[int, int]:
    """The offsets of FROM..TO.

    >>> _stretch("100..200")
    (100, 200)
    """
    first, _, end = said.partition("..")
    if not (first.isdigit() and end.isdigit()):
        raise ValueError(f"--skip is {said!r}, expected FROM..TO as in 1000..2000")
    return int(first), int(end)


def _lines(outside: Outside, place: Place) -> list[str]:
    committed = outside.committed(place)
    if committed is None:
        lines = [f"{place}: nothing of ours is committed"]
    else:
        was = committed[0]
        left_out = "".join(f", without {first}..{end}" for first, end in was.skipped)
        lines = [
            f"{place}: committed {was.next_offset}, lineage {was.lineage} from offset {was.start}, "
            f"{was.learned} events learned{left_out}"
        ]
    for one in outside.listed(place):
        mark = "  <- a restore begins here" if committed and one.pointer == committed[1] else ""
        lines.append(f"  {one.offset:>12}  {one.size_bytes:>10} bytes  {one.key.lineage}{mark}")
    return lines


def _show(outside: Outside, place: Place, offset: int | None) -> None:
    import orjson

    kept = [one for one in outside.listed(place) if offset in (None, one.offset)]
    state = outside.state(place, kept[-1]) if kept else None
    if state is None:
        raise ValueError(f"{place} has no checkpoint{'' if offset is None else f' at {offset}'}; "
                         "see `stream-dagmm checkpoint list`")  # fmt: skip
    told = ("format", "progress", "run", "arithmetic", "counters", "tombstones")
    said = {"offset": kept[-1].offset, "bytes": kept[-1].size_bytes}
    click.echo(orjson.dumps(said | {name: state[name] for name in told}, option=2).decode())
