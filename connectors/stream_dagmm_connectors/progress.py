"""What a person sees while events go by: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from stream_dagmm_connectors.events import DeadLetter
from stream_dagmm_connectors.metrics import Counters, Speed

if TYPE_CHECKING:
    from stream_dagmm.checkpoint import Tree
    from stream_dagmm_connectors.steps import Step

LOG = logging.getLogger("stream_dagmm")
LINE_EVERY_S = 5.0


def watching(speed: Speed, records: int | None, *, printing: bool) -> LogLines | TerminalBar:
    """The progress that fits standard error: a bar on a terminal, else lines of log.

    `records` is about how many there will be, None if nobody knows; `printing` says that rows go
    to standard output, which on a terminal would run through the bar.
    """
    free = sys.stderr.isatty() and not (printing and sys.stdout.isatty())
    return TerminalBar(speed, records) if free else LogLines(speed)


def about_how_many(path: Path) -> int | None:
    """The number of lines of a plain file, judged by its first mebibyte; None where it is not one.

    >>> about_how_many(Path("/nowhere"))
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(2**20)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return None
    lines = beginning.count(b"\n")
    # Compressed and binary files have no lines to speak of.
    binary = b"\0" in beginning or beginning[:1] in (b"\x1f", b"\x28")
    return None if binary or lines == 0 else round(lines * size / len(beginning))


def in_words(counters: Counters, speed: Speed) -> str:
    """How far a run has come, in one line.

    >>> in_words(Counters(events=1200, alarms=2, recent_alarm_rate=0.002), Speed(lambda: 0.0))
    '1,200 events, 0/s, alarm rate now 0.200%, 2 alarms'
    """
    words = (
        f"{counters.events:,} events, {speed.recent_per_s:,.0f}/s, alarm rate now "
        f"{counters.recent_alarm_rate:.3%}, {counters.alarms:,} alarms"
    )
    refused = sum(counters.dead_letters.values())
    return f"{words}, {refused:,} dead letters" if refused else words


class Watcher:
    """An observer of the loop that keeps nothing in a checkpoint."""

    def __init__(self, speed: Speed) -> None:
        self._speed = speed
        self.first_refused: DeadLetter | None = None

    def observe(self, step: Step) -> None:
        """See one turn of the loop."""
        if self.first_refused is None and step.dead:
            self.first_refused = step.dead[0]
        self._speed.count(len(step.scored))
        self.show(step.counters)

    def show(self, counters: Counters) -> None:
        """Tell how far the run has come."""

    def to_state(self) -> Tree:
        """Nothing: how a run was watched is no part of it."""
        return None

    def restore(self, state: Tree) -> None:
        """Nothing."""

    def close(self) -> None:
        """Stop showing."""


class LogLines(Watcher):
    """A line of log about every five seconds."""

    def __init__(self, speed: Speed, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(speed)
        self._clock = clock
        self._due_s = clock() + LINE_EVERY_S

    def show(self, counters: Counters) -> None:
        """Log, if it is time again."""
        now_s = self._clock()
        if now_s >= self._due_s:
            self._due_s = now_s + LINE_EVERY_S
            LOG.info(in_words(counters, self._speed))


class TerminalBar(Watcher):
    """A line on standard error that is drawn again and again, and gone at the end."""

    def __init__(
        self, speed: Speed, records: int | None = None, console: Console | None = None
    ) -> None:
        super().__init__(speed)
        bar = BarColumn(bar_width=None, table_column=Column(min_width=8, max_width=24, ratio=1))
        words = Column(no_wrap=True, overflow="ellipsis")
        self._bar = Progress(
            SpinnerColumn() if records is None else bar,
            TextColumn("{task.description}", markup=False, table_column=words),
            TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
            console=console or Console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("starting", total=records)
        self._bar.start()

    def show(self, counters: Counters) -> None:
        """Say the newest numbers; the bar draws itself ten times a second."""
        words = in_words(counters, self._speed)
        self._bar.update(self._task, description=words, completed=counters.records)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()
