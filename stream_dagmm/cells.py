"""What one value of an event means: a column's name and a number, or nothing.

1, 1.0, True and a NumPy scalar of the same value are one number; null, NaN and infinity are missing
values; a text stands for a 1 in one of a bounded number of columns of its field.
"""

from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from typing import Any
from zlib import crc32

import numpy as np

BUCKETS = 32
"""Columns that the text values of one field are hashed into; each is made when first learned."""

SHORT = 128
"""Characters of field and text together whose bucket is remembered: 50 MB of them at worst. Among
long texts hardly one comes twice."""

LONGEST_NAME = 256
"""Characters of a feature's name; a longer one is known by its beginning and a hash, so that what
is kept of an event does not depend on its size."""

NUMBER = -1
Key = tuple[str, int]
"""A column's name: (feature, NUMBER), or (feature, bucket of its text)."""
Cell = tuple[Key, float]
NOT_NUMBERS = (bytes, bytearray, complex, np.datetime64, np.timedelta64, np.ndarray)
"""Types that `float` would take, or warn of, though they are no number."""

MISSING = frozenset({"NoneType", "NAType", "NaTType"})


def bucket_of(name: str, text: str) -> int:
    """The bucket of a field's text value: a hash that is the same on every machine."""
    short = len(name) + len(text) <= SHORT
    return _bucket_of_short(name, text) if short else _bucket(name, text)


def _bucket(name: str, text: str) -> int:
    return crc32(f"{name}\0{text}".encode(errors="surrogatepass")) % BUCKETS


_bucket_of_short = lru_cache(maxsize=65_536)(_bucket)


def cell_of(name: object, value: object) -> Cell | None:
    """The column and number that a feature's value means; None where it is missing."""
    field = str(name)
    if len(field) > LONGEST_NAME:
        field = _shortened(field)
    if type(value) is not float:
        if isinstance(value, str):
            return (field, bucket_of(field, value)), 1.0
        if _is_missing(value):
            return None
        value = _number(name, value)
    return ((field, NUMBER), value) if isfinite(value) else None


def _shortened(field: str) -> str:
    digest = blake2b(field.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return f"{field[: LONGEST_NAME - len(digest)]}{digest}"


def _number(name: object, value: Any) -> float:
    try:
        if isinstance(value, NOT_NUMBERS):
            raise TypeError
        return float(value)
    except OverflowError:
        return float("inf")  # an integer beyond every double: missing, as infinity is
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"feature {name!r} is of type {type(value).__name__}, expected a number, a boolean, "
            f"a text or None; convert or drop it before the detector"
        ) from error


def _is_missing(value: object) -> bool:
    return value is None or type(value).__name__ in MISSING
