"""Can production's scores be reproduced? A logged range learned again, beside what was emitted.

The model starts from the newest checkpoint at or before the range, of the lineage and with the
configuration that scored it; what it gives is compared with the output, byte for byte. Where that
cannot be done, the answer is neither yes nor no but what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from stream_dagmm_connectors.kafka.address import Address, Gone, Range, resolve
from stream_dagmm_connectors.kafka.client import Fetched, Headers, LogReader, Outgoing, Place
from stream_dagmm_connectors.kafka.outgoing import about
from stream_dagmm_connectors.kafka.outside import Outside, pieces, unstoppable
from stream_dagmm_connectors.kafka.partition import PartitionModel, Recipe
from stream_dagmm_connectors.kafka.positions import Progress
from stream_dagmm_connectors.kafka.surprises import Surprise, again

SAME, DIFFERS, NOT_COMPARED = 0, 1, 2
WHY = {
    "lost-history": "history gone",
    "new-arithmetic": "fingerprint",
    "new-configuration": "lineage",
}


class Verdict(NamedTuple):
    """The exit code, and what to say."""

    code: int
    words: str


class Emitted(NamedTuple):
    """A record of the output, and which event it is about."""

    offset: int
    lineage: str
    record: Fetched


class Differs(Exception):
    """The first event at which both are not the same."""


@dataclass(slots=True)
class Span:
    """Where a lineage's rows of the range lie: offsets of the input, and of the output."""

    first: int
    last: int
    begins_at: int


def audit(outside: Outside, asked: Address, against: str, given: Recipe) -> Verdict:
    """Compare; `Trouble` where brokers do not answer, `ValueError` for a range that never was."""
    log, output = outside.clients.log_reader(), outside.clients.log_reader()
    try:
        wanted = resolve(asked, log)
        committed = _committed(outside, wanted)
        wanted = wanted._replace(end=min(wanted.end, committed.next_offset))
        to = Place(against, wanted.place.partition)
        lineage, begins_at = _lineage(output, to, wanted) or (committed.lineage, 0)
        rows = _rows(output, to, begins_at, wanted, lineage)
        model = _model(outside, wanted, lineage, unstoppable(given, against))
        started = model.progress.next_offset
        outside.relearn(model, wanted.first)
        count = _compare(model, log, wanted, rows, trimmed=output.range(to)[0] > 0)
        return Verdict(
            SAME,
            f"same: {count} events of {wanted.place} from offset {wanted.first} to {wanted.end}, "
            f"lineage {lineage}, learned again from offset {started}",
        )
    except Gone as gone:
        return Verdict(NOT_COMPARED, f"could not compare (history gone): {gone}")
    except Surprise as surprise:
        return Verdict(NOT_COMPARED, f"could not compare ({WHY[surprise.kind]}): {surprise}")
    except Differs as differs:
        return Verdict(DIFFERS, str(differs))
    finally:
        log.close()
        output.close()


def _committed(outside: Outside, wanted: Range) -> Progress:
    """How far the group has come: what it has not scored yet cannot be compared."""
    committed = outside.committed(wanted.place)
    if committed is None:
        raise Surprise(
            "new-configuration",
            f"group {outside.group} has committed nothing of ours for {wanted.place}; say --group",
        )
    if wanted.first >= committed[0].next_offset:
        raise ValueError(
            f"group {outside.group} has scored {wanted.place} up to offset "
            f"{committed[0].next_offset}, got from={wanted.first}; take an earlier one"
        )
    return committed[0]


def _model(outside: Outside, wanted: Range, lineage: str, given: Recipe) -> PartitionModel:
    """The lineage's model at the newest checkpoint at or before the range."""
    recipe, was = outside.lineage(wanted.place, lineage, given)
    model = again(recipe, wanted.place, was)
    if was.start > wanted.first:
        raise Surprise(
            "new-configuration",
            f"lineage {lineage} began at offset {was.start}; compare from there",
        )
    outside.forward(model, recipe, wanted.first)
    return model


def _lineage(output: LogReader, against: Place, wanted: Range) -> tuple[str, int] | None:
    """The one lineage that scored the range, and where in the output its rows begin; None where
    there are none."""
    first, _ = output.range(against)
    spans: dict[str, Span] = {}
    for row in _rows(output, against, first, wanted):
        span = spans.setdefault(row.lineage, Span(row.offset, row.offset, row.record.offset))
        span.first, span.last = min(span.first, row.offset), max(span.last, row.offset)
    if not spans:
        return None
    *others, newest = spans  # in the order of the output
    here = spans[newest]
    # Rows of the same offsets are of a former topic of that name, or of one that was rewound.
    if any(not here.first <= spans[o].first <= spans[o].last <= here.last for o in others):
        told = ", ".join(f"{name} from {s.first} to {s.last}" for name, s in spans.items())
        raise Surprise(
            "new-configuration",
            f"several lineages scored the range ({told}); compare them one by one with from and to",
        )
    return newest, here.begins_at


def _rows(
    output: LogReader, against: Place, first: int, wanted: Range, lineage: str | None = None
) -> Iterator[Emitted]:
    """Rows of the output about events of the range, a repeat (at least once) left out."""
    last: dict[str, int] = {}
    begins, ends = output.range(against)
    for records in pieces(output, against, max(first, begins), ends):
        for record in records:
            row = _about(record, wanted)
            if row is not None and lineage in (None, row.lineage):
                if row.offset > last.get(row.lineage, -1):
                    yield row
                last[row.lineage] = max(row.offset, last.get(row.lineage, -1))


def _about(record: Fetched, wanted: Range) -> Emitted | None:
    said = about(record.headers)
    if said.place != wanted.place or not wanted.first <= said.offset < wanted.end:
        return None
    return Emitted(said.offset, said.lineage, record)


def _compare(
    model: PartitionModel, log: LogReader, wanted: Range, rows: Iterator[Emitted], trimmed: bool
) -> int:
    """How many events are the same; raises at the first that is not. `trimmed`: the output does
    not begin at its first record any more."""
    place, count = wanted.place, 0
    row = next(rows, None)
    for records in pieces(log, place, wanted.first, wanted.end):
        came = {record.offset: record for record in records}
        for out in model.score(model.progress.counted(records)):
            if not out.place.topic:
                continue  # a dead letter
            offset = about(out.headers).offset
            if row is not None and row.offset < offset:
                _refuse_extra(place, row, came)
            if row is None or row.offset > offset:
                if trimmed and not count:
                    raise Surprise(
                        "lost-history", f"{place}@{offset} is not in the output any more"
                    )
                raise Differs(
                    f"differs at {place}@{offset}: it is not in the output\n{_replayed(out)}"
                )
            if not _equal(out, row.record, came[offset]):
                _refuse_another_history(place, row, out)
                raise Differs(
                    f"differs at {place}@{offset}\n{_emitted(row.record)}\n{_replayed(out)}"
                )
            count, row = count + 1, next(rows, None)
    if row is not None:
        _refuse_extra(place, row, {r.offset: r for r in log.read(place, row.offset, row.offset)})
    return count


def _refuse_extra(place: Place, row: Emitted, came: dict[int, Fetched]) -> None:
    if row.offset not in came:
        raise Surprise(
            "lost-history", f"{place}@{row.offset} was emitted and is not in the log any more"
        )
    raise Differs(f"differs at {place}@{row.offset}: now it is no event\n{_emitted(row.record)}")


def _refuse_another_history(place: Place, row: Emitted, out: Outgoing) -> None:
    """A model that had learned another number of events had other records before it."""
    ours, theirs = (
        orjson.loads(value or b"{}").get("learned") for value in (out.value, row.record.value)
    )
    if ours != theirs:
        raise Surprise(
            "lost-history",
            f"at {place}@{row.offset} the model had learned {theirs} events, the log gives {ours}",
        )


def _equal(out: Outgoing, emitted: Fetched, came: Fetched) -> bool:
    """Whether value, key and headers are the same; the event may be embedded or not."""
    embedded = (out.value or b"")[:-1] + b',"event":' + (came.value or b"") + b"}"
    same = emitted.value in (out.value, embedded)
    return same and (emitted.key, list(emitted.headers)) == (out.key, list(out.headers))


def _emitted(record: Fetched) -> str:
    return f"  emitted   {_shown(record.value, record.key, record.headers)}"


def _replayed(out: Outgoing) -> str:
    return f"  replayed  {_shown(out.value, out.key, out.headers)}"


def _shown(value: bytes | None, key: bytes | None, headers: Headers) -> str:
    named = {name: held.decode("utf-8", "replace") for name, held in headers}
    return f"{(value or b'').decode('utf-8', 'replace')} key {key!r} headers {named}"
