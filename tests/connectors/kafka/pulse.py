"""What another process is at, readable at any moment and after its death: three shared bytes."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import get_args

from stream_dagmm_connectors.kafka.phases import Phase

PHASES: tuple[Phase, ...] = get_args(Phase)
IN_FLIGHT = PHASES.index("commit in flight")


class Pulse:
    """A scorer writes with `enter`; whoever has the same file reads.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pulse = Pulse(Path(folder) / "pulse")
    >>> pulse.phase is None
    True
    >>> for phase in ("poll", "commit in flight", "poll"):
    ...     pulse.enter(phase)
    >>> pulse.phase, pulse.committed
    ('poll', True)
    """

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(bytes(3))
        with file.open("r+b") as opened:
            self._held = mmap.mmap(opened.fileno(), 3)

    def clear(self) -> None:
        """A new life."""
        self._held[:3] = bytes(3)

    def enter(self, phase: Phase) -> None:
        """Note what begins now."""
        number = PHASES.index(phase)
        if self._held[0] == IN_FLIGHT and number != IN_FLIGHT:
            self._held[1] = 1  # it came back from a commit
        self._held[0] = number
        self._held[2] = 1

    @property
    def phase(self) -> Phase | None:
        """The phase of now; None before the first."""
        return PHASES[self._held[0]] if self._held[2] else None

    @property
    def committed(self) -> bool:
        """Whether this life has committed anything."""
        return bool(self._held[1])
