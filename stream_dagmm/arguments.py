"""Constructor arguments that are checked once, with errors that say what was got and expected."""

import math
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

LEAST_POSITIVE = 1e-3
"""Smaller scales than this only overflow what is divided by them."""


def at_least(least: int, **named: int) -> int:
    """The one named integer, if it is at least `least`.

    >>> at_least(1, batch_size=0)
    Traceback (most recent call last):
    ValueError: batch_size must be an integer of at least 1, got 0
    """
    ((name, value),) = named.items()
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def between(least: int, most: int, **named: int) -> int:
    """The one named integer, if it is at least `least` and at most `most`."""
    ((name, value),) = named.items()
    if at_least(least, **named) > most:
        raise ValueError(f"{name} must be at most {most}, got {value!r}")
    return int(value)


def positive(**named: float) -> float:
    """The one named number, if it is greater than 0 (and not absurdly near); infinity is allowed.

    >>> positive(half_life=-3)
    Traceback (most recent call last):
    ValueError: half_life must be positive, got -3
    """
    ((name, value),) = named.items()
    if not _is_number(value) or not value > 0:
        raise ValueError(f"{name} must be positive, got {value!r}")
    if value < LEAST_POSITIVE:
        raise ValueError(f"{name} must be at least {LEAST_POSITIVE}, got {value!r}")
    return float(value)


def not_negative(**named: float) -> float:
    """The one named number, if it is finite and at least 0."""
    ((name, value),) = named.items()
    if not _is_number(value) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
    return float(value)


def share(**named: float) -> float:
    """The one named number, if it is greater than 0 and at most 1."""
    ((name, value),) = named.items()
    if not _is_number(value) or not 0 < value <= 1:
        raise ValueError(f"{name} must be a number above 0 and at most 1, got {value!r}")
    return float(value)


def flag(**named: bool | np.bool_) -> bool:
    """The one named boolean."""
    ((name, value),) = named.items()
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def one_of(choices: Sequence[str], **named: str) -> None:
    """Nothing, if the one named word is among the choices.

    >>> one_of(["left", "right"], side="up")
    Traceback (most recent call last):
    ValueError: side must be one of 'left', 'right', got 'up'
    """
    ((name, value),) = named.items()
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def widths(**named: Sequence[int]) -> tuple[int, ...]:
    """The one named sequence of layer widths, if there is at least one and each is at least 1."""
    ((name, value),) = named.items()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        raise ValueError(f"{name} must be a sequence of layer widths, got {value!r}")
    return tuple(at_least(1, **{f"{name}[{place}]": w}) for place, w in enumerate(value))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return not math.isnan(value)
    except OverflowError:  # an integer beyond every float
        return False
