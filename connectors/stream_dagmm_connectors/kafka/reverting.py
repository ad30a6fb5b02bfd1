"""Un-learning: a model that never saw a stretch of its log, in the place of one that did.

Load the last checkpoint at or before the stretch, re-learn up to the committed offset leaving it
out, and commit the same offset again under the new lineage, with a checkpoint. So nothing is
emitted again, and whoever restores or audits later leaves the stretch out too.

Corrected scores come before that commit, so a revert that died is done again with the same lineage,
and the ids of what is in their topic by then say where to go on: each is there once.
"""

from __future__ import annotations

from typing import NamedTuple

from stream_dagmm import checkpoint
from stream_dagmm_connectors.kafka.checkpoints import Key, Save
from stream_dagmm_connectors.kafka.client import Committed, LogReader, Place
from stream_dagmm_connectors.kafka.delivery import Delivery
from stream_dagmm_connectors.kafka.outgoing import about
from stream_dagmm_connectors.kafka.outside import Outside, pieces, unstoppable
from stream_dagmm_connectors.kafka.partition import PartitionModel, Recipe
from stream_dagmm_connectors.kafka.positions import Progress, Skip, read_metadata
from stream_dagmm_connectors.kafka.restoring import ANSWER_MS
from stream_dagmm_connectors.kafka.stands import Stand
from stream_dagmm_connectors.kafka.surprises import Stopped, again


class Reverted(NamedTuple):
    """What was done."""

    before: Progress
    after: Progress
    began_at: int
    """Of the checkpoint that it began with, or of the lineage."""
    rescored: int
    """Corrected scores that are in their topic."""


def revert(
    outside: Outside, place: Place, skip: Skip, given: Recipe, *, rescore: str | None = None
) -> Reverted:
    """Leave `skip` out of a partition's model. The group must have no members: the brokers refuse
    the commit otherwise, and nothing is changed.

    Raises `ValueError` for a stretch that was not scored yet, `Surprise` where the log or the
    configuration is not what it was, `Stopped` where the group moved meanwhile.
    """
    committed = outside.reader.committed(place, ANSWER_MS)
    read = None if committed is None else read_metadata(*committed)
    if committed is None or read is None:
        raise ValueError(f"group {outside.group} has committed nothing of ours for {place}")
    was = read[0]
    _refuse_stretch(place, skip, was)
    recipe, _ = outside.lineage(place, was.lineage, given)
    recipe = unstoppable(recipe, rescore or "")
    again(recipe, place, was)
    left_out = (*was.skipped, skip)
    model = PartitionModel(recipe, place, was.topic_id, was.start, was.lineage, left_out)
    outside.forward(model, recipe, skip[0])
    began_at = model.progress.next_offset
    rescored = 0
    if rescore is not None:
        outside.relearn(model, skip[1])
        rescored = _rescore(outside, model, committed.offset, Place(rescore, place.partition))
    outside.relearn(model, committed.offset)
    _commit(outside, model, committed)
    return Reverted(was, model.progress, began_at, rescored)


def _refuse_stretch(place: Place, skip: Skip, was: Progress) -> None:
    first, end = skip
    if not was.start <= first < end <= was.next_offset:
        raise ValueError(
            f"--skip is {first}..{end}, expected FROM..TO within what the model of {place} has "
            f"learned: from offset {was.start} up to and without {was.next_offset}"
        )
    if skip in was.skipped:
        raise ValueError(f"the model of {place} leaves {first}..{end} out already")


def _rescore(outside: Outside, model: PartitionModel, end: int, to: Place) -> int:
    """Send what the events after the stretch should have been given, a transaction for each piece
    of the log; how many there are."""
    log, count = outside.clients.log_reader(), 0
    writer = outside.clients.writer(f"{outside.group}-rescore-{model.place}")
    try:
        writer.start()  # and only then look, so that nobody else sends what is missing
        sent_to = _sent_to(log, to, model.progress.lineage)
        for records in pieces(log, model.place, model.progress.next_offset, end):
            scored = [out for out in model.score(records) if out.place.topic]
            count += len(scored)
            if left := [out for out in scored if about(out.headers).offset > sent_to]:
                writer.begin()
                writer.send(left)
                writer.settle()
                writer.commit()
    finally:
        writer.close()
        log.close()
    return count


def _sent_to(log: LogReader, to: Place, lineage: str) -> int:
    """The offset of the last event whose corrected score is there; -1 if none is."""
    found = (about(record.headers) for part in pieces(log, to, *log.range(to)) for record in part)
    return max((one.offset for one in found if one.lineage == lineage), default=-1)


def _commit(outside: Outside, model: PartitionModel, committed: Committed) -> None:
    """The same offset, of another model. Outside of any transaction, since the brokers then refuse
    it while the group has a member; a checkpoint that nothing points to is never used."""
    place, progress = model.place, model.progress
    if outside.reader.committed(place, ANSWER_MS) != committed:
        raise Stopped(f"{place}: group {outside.group} went on meanwhile; stop its members first")
    delivery = Delivery(outside.clients, outside.reader, outside.store, None)
    delivery.own(place, Stand(committed.offset, None, []))
    delivery.recover()
    key = Key(outside.group, progress.topic_id, place.partition, progress.lineage)
    data = checkpoint.dumps(model.to_state())
    save = Save(key, progress.next_offset, data, progress.parent)
    try:
        done = delivery.commit({place: (progress, committed.offset)}, {place: save})
        # A commit of which no answer came may have happened all the same.
        if not done and outside.reader.committed(place, ANSWER_MS) == committed:
            raise Stopped(
                f"{place}: nothing was changed: {delivery.broken}; stop the members of group "
                f"{outside.group} first"
            )
    finally:
        delivery.close()
