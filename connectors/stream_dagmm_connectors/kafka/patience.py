"""Asking again, where brokers do not answer yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from stream_dagmm_connectors.kafka.client import NotYet

Answer = TypeVar("Answer")

BETWEEN_S = 0.2


def patiently(
    ask: Callable[[], Answer],
    for_s: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Answer:
    """What `ask` gives, asked again after each `NotYet` for so many seconds; then that is raised.

    >>> answers = iter([NotYet("a broker is away"), "here"])
    >>> def ask():
    ...     answer = next(answers)
    ...     if isinstance(answer, NotYet):
    ...         raise answer
    ...     return answer
    >>> patiently(ask, 1.0)
    'here'
    """
    deadline_s = clock() + for_s
    while True:
        try:
            return ask()
        except NotYet:
            if clock() >= deadline_s:
                raise
        wait(BETWEEN_S)
