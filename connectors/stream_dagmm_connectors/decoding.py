"""From a record to an event: JSON bytes or a row, flattened, checked, and refused with a reason.

The same for files and topics. What was tried against the library, and holds: orjson refuses NaN,
Infinity, numbers and integers beyond a double, invalid UTF-8, lone surrogates and nesting beyond
1,024 without using the stack; of a repeated key it keeps the last; integers beyond 64 bits come
as floats.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from stream_dagmm_connectors.dead_letters import Rejection
from stream_dagmm_connectors.events import MAX_BYTES, Time
from stream_dagmm_connectors.feedback import Feedback, is_anomaly, mark_of
from stream_dagmm_connectors.field_types import SIGHTINGS, FieldTypes
from stream_dagmm_connectors.plain import MAX_DEPTH, NotAnEvent, depth_of, plain, short
from stream_dagmm_connectors.ports import Record, Unreadable

MAX_LIST = 16

Headers = Sequence[tuple[str, bytes]]

_SCALARS = frozenset({float, int, bool, str})


class Event(NamedTuple):
    """What a detector sees of a record, and beside it what it must not see.

    A missing value is an absent feature. ``label`` and ``time`` are None where absent.
    """

    features: dict[str, float | bool | str]
    time: Time
    label: float | bool | str | None


class Decoder:
    """Turns records into events, one after the other; never raises, whatever the bytes.

    Nested objects are flattened by dotted path, lists by index up to 16 (the rest is dropped);
    null and absent are missing. ``label``, ``time`` and ``ignore`` are dotted paths, kept out of
    the features with everything below them. ``rename`` takes features, by their dotted paths, to
    the names that the detector knows them by. ``value`` is the dotted path of the object that is
    the event, the other paths being relative to it. ``max_bytes`` bounds the JSON text (rows of
    Parquet, which have no text, are bounded by nothing). Booleans stay booleans.

    Depth counts the outermost object as 1. The only memory is ``FieldTypes``, so decoding is a
    function of these options and the sequence of records.

    >>> decoder = Decoder(label="fraud", time="at")
    >>> decoder.decode(b'{"at": 7, "fraud": true, "card": {"limit": 500, "tags": ["x", null]}}')
    Event(features={'card.limit': 500, 'card.tags.0': 'x'}, time=7, label=True)
    >>> decoder.decode(b'{"amount": 1e999}').reason
    'the number at character 12 is too big for a double; expected at most 1.8e308'
    """

    def __init__(
        self,
        *,
        label: str | None = None,
        time: str | None = None,
        ignore: Collection[str] = (),
        rename: Mapping[str, str] = MappingProxyType({}),
        value: str | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, got {max_bytes}")
        self._label, self._time, self._value = label, time, value
        self._ignore = frozenset(ignore)
        if len(set(rename.values())) < len(rename):
            raise ValueError(f"two fields cannot have one name, got {dict(rename)}")
        self._rename = dict(rename)
        self._kept_out = self._ignore | {name for name in (label, time) if name is not None}
        self._max_bytes = max_bytes
        self._types = FieldTypes()

    def configuration(self) -> dict[str, Any]:
        """Every option that decides what an event is, as plain values; part of the lineage."""
        return {
            "label": self._label,
            "time": self._time,
            "ignore": sorted(self._ignore),
            "rename": self._rename,
            "value": self._value,
            "max_bytes": self._max_bytes,
        }

    def decode(
        self, value: bytes | Mapping[str, object] | Unreadable, headers: Headers = ()
    ) -> Event | Feedback | Rejection:
        """The event in a record's value, or what its headers say of one, or why there is none.

        Only an event leaves a trace.
        """
        if isinstance(value, Unreadable):
            return Rejection(value.reason, "read")
        mark = mark_of(headers) if headers else None
        try:
            anomaly = None if mark is None else is_anomaly(mark)
            event = self._event(self._envelope(self._document(value)))
        except NotAnEvent as refusal:
            return Rejection(str(refusal))
        if anomaly is not None:
            return Feedback(event.features, anomaly)
        self._types.see(event.features)
        return event

    def decode_many(self, records: Iterable[Record]) -> list[Event | Feedback | Rejection]:
        """One answer for each record, in order."""
        return [self.decode(record.value, record.headers) for record in records]

    def to_state(self) -> dict[str, Any]:
        """What must be in a checkpoint for decoding to go on as if it had never stopped."""
        return self._types.to_state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from ``to_state``; raises ``ValueError`` for a state that cannot be."""
        self._types = FieldTypes.from_state(state)

    def _document(self, value: bytes | Mapping[str, object]) -> dict[str, Any]:
        if not isinstance(value, bytes):
            return plain(value)
        if len(value) > self._max_bytes:
            raise NotAnEvent(
                f"the record has {len(value)} bytes, expected at most {self._max_bytes}"
            )
        try:
            document = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise NotAnEvent(_why_not_json(value, error)) from None
        # Depth cannot exceed the number of brackets; most events have one and are done here.
        if value.count(b"{") + value.count(b"[") > MAX_DEPTH:
            depth_of(document)
        return _object(document, "the record", lacking="null")

    def _envelope(self, document: dict[str, Any]) -> dict[str, Any]:
        if self._value is None:
            return document
        found: Any = document
        for part in self._value.split("."):
            found = found.get(part) if type(found) is dict else None
        return _object(found, f"field {self._value!r}", lacking="missing")

    def _event(self, document: dict[str, Any]) -> Event:
        if _SCALARS.issuperset(map(type, document.values())):
            features = document
            for name in self._ignore:
                features.pop(name, None)
        else:
            features = {}
            self._flatten(document.items(), "", features)
        time = None if self._time is None else _time(features.pop(self._time, None), self._time)
        label = None if self._label is None else features.pop(self._label, None)
        if self._rename:
            features = self._renamed(features)
        stranger = self._types.stranger(features)
        if stranger is not None:
            raise NotAnEvent(
                f"field {short(stranger)} is {short(features[stranger])}, expected a number as in "
                f"its first {SIGHTINGS:,} sightings"
            )
        return Event(features, time, label)

    def _renamed(self, features: dict[str, Any]) -> dict[str, Any]:
        found = {self._rename.get(name, name): value for name, value in features.items()}
        if len(found) < len(features):
            pairs = ((old, new) for old, new in self._rename.items() if new not in self._rename)
            old, new = next(pair for pair in pairs if features.keys() >= set(pair))
            raise NotAnEvent(
                f"fields {short(old)} and {short(new)} are both there, expected one of them: the "
                "first is renamed to the second"
            )
        return found

    def _flatten(self, items: Iterable[tuple[str, Any]], prefix: str, into: dict[str, Any]) -> None:
        for key, value in items:
            name = prefix + key
            if value is None:
                into.pop(name, None)  # of a path that comes twice the last counts
            elif type(value) not in (dict, list):
                if name not in self._ignore:
                    into[name] = value
            elif name == self._time:
                raise NotAnEvent(
                    f"field {short(name)} is {short(value)}, expected the event's time "
                    "as a number or text"
                )
            elif name not in self._kept_out:
                inner = value.items() if type(value) is dict else _indexed(value)
                self._flatten(inner, name + ".", into)


def _indexed(values: list[Any]) -> Iterable[tuple[str, Any]]:
    return ((str(index), value) for index, value in enumerate(values[:MAX_LIST]))


def _object(found: Any, where: str, lacking: str) -> dict[str, Any]:
    if type(found) is dict:
        return found
    got = lacking if found is None else short(found)
    raise NotAnEvent(f"{where} is {got}, expected an object")


def _time(value: Any, name: str) -> Time:
    if isinstance(value, bool):
        raise NotAnEvent(
            f"field {short(name)} is {value}, expected the event's time as a number or text"
        )
    if isinstance(value, int) and value.bit_length() > 63:
        return float(value)
    return value  # type: ignore[no-any-return]


def _why_not_json(raw: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as bad:
        return f"byte {bad.start + 1} is {raw[bad.start]:#04x}, expected UTF-8"
    if "surrogate" in error.msg:
        return f"half a surrogate pair at character {error.pos + 1}, expected both halves"
    here = text[error.pos :].lstrip("-")
    if "infinity when parsed" in error.msg:
        return (
            f"the number at character {error.pos + 1} is too big for a double; expected at "
            "most 1.8e308"
        )
    if "depth limit" in error.msg:
        return f"nested more than 1,024 deep, expected at most {MAX_DEPTH}"
    if here.startswith(("NaN", "Infinity")):
        found = "NaN" if here.startswith("NaN") else "Infinity"
        return f"{found} at character {error.pos + 1}, expected a finite number or null"
    if not text.strip():
        return "not JSON: it is empty"
    if not here:
        return "not JSON: it ends too early"
    return f"not JSON: found {short(text[error.pos :])} at character {error.pos + 1}"
