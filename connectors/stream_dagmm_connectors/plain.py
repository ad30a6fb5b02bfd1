"""Values of rows made as plain as JSON's: what a table may hold that JSON cannot."""

import datetime
import decimal
import math
import numbers
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 32


class NotAnEvent(Exception):
    """A record is refused; the text is the reason. Never leaves the decoder."""


def short(value: object) -> str:
    """A value for a message: its representation, at most 60 characters of it.

    >>> short("n/a"), len(short("x" * 10**6))
    ("'n/a'", 60)
    """
    text = repr(value[:80]) if isinstance(value, (str, bytes, list)) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def depth_of(document: Any) -> int:
    """How deep a decoded JSON document is nested, the outermost being 1; needs no stack.

    Raises ``NotAnEvent`` beyond 32.

    >>> depth_of({"a": [1, {"b": 2}]})
    3
    """
    depth, level = 0, [document]
    while level:
        containers = [value for value in level if type(value) in (dict, list)]
        if not containers:
            return depth
        depth += 1
        if depth > MAX_DEPTH:
            raise NotAnEvent(f"nested more than {MAX_DEPTH} deep, expected at most {MAX_DEPTH}")
        level = [
            value
            for held in containers
            for value in (held.values() if type(held) is dict else held)
        ]
    return depth


def plain(row: Mapping[Any, Any], depth: int = 1) -> dict[str, Any]:
    """A row as JSON would have it: text, finite numbers, booleans, None, dicts and lists.

    Decimals become floats, dates and times ISO 8601 text, durations seconds, bytes text. Raises
    ``NotAnEvent`` naming the field for what JSON has no value for.

    >>> plain({"paid": decimal.Decimal("1.5"), "on": datetime.date(2024, 2, 29)})
    {'paid': 1.5, 'on': '2024-02-29'}
    """
    if depth > MAX_DEPTH:
        raise NotAnEvent(f"nested more than {MAX_DEPTH} deep, expected at most {MAX_DEPTH}")
    return {_name(key): _plain(key, value, depth) for key, value in row.items()}


def _name(key: Any) -> str:
    name = key if type(key) is str else str(key)
    return name if name.isascii() else _encodable(name, name)


def _plain(key: Any, value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is float:
        if math.isfinite(value):
            return value
        raise NotAnEvent(f"field {short(key)} is {value}, expected a finite number or nothing")
    if value is None or kind is bool:
        return value
    if kind is str:
        return value if value.isascii() else _encodable(key, value)
    if isinstance(value, Mapping):
        return plain(value, depth + 1)
    if isinstance(value, (list, tuple)):
        return list(plain(dict(enumerate(value)), depth + 1).values())
    return _rarer(key, value)


def _rarer(key: Any, value: Any) -> Any:
    if isinstance(value, (numbers.Real, decimal.Decimal)):
        return _number(key, value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return _encodable(key, str(value))
    if isinstance(value, bytes):
        return _utf8(key, value)
    if type(value).__name__ == "bool":  # NumPy's, which is no number by its base classes
        return bool(value)
    raise NotAnEvent(
        f"field {short(key)} is {short(value)}, expected a number, a boolean, text, a mapping or "
        "a list"
    )


def _number(key: Any, value: Any) -> float | int:
    try:
        number = float(value)
    except (OverflowError, ValueError):
        number = math.inf
    if not math.isfinite(number):
        raise NotAnEvent(f"field {short(key)} is no number that fits a double; expected one")
    return value if type(value) is int else number


def _encodable(key: Any, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotAnEvent(
            f"field {short(key)} holds {short(text)}, expected text that UTF-8 can write"
        ) from None
    return text


def _utf8(key: Any, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise NotAnEvent(f"field {short(key)} is {short(value)}, expected UTF-8") from None
