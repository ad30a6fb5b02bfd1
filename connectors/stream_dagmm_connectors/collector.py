"""Python's garbage collector, told what a process that scores looks like."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 50_000
"""New containers before a collection looks at them. A transaction of 10,000 records holds about
80,000 until it is committed, none of them garbage: with Python's 700 they are walked through again
and again, a tenth of the time of an event. What cycles there are wait no longer than that many."""


@contextmanager
def imports_set_aside() -> Iterator[None]:
    """Whatever exists when the block begins is left alone by the garbage collector until its end,
    and what comes is looked at seldom.

    Every record makes a few containers, which soon makes Python look through all that torch and
    the others brought: half of the time of an event, and nothing of it is ever garbage.
    """
    young, *older = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, *older)
    try:
        yield
    finally:
        gc.set_threshold(young, *older)
        gc.unfreeze()
