"""Stops a stream whose producer has changed: too many bad records of late, counted in records."""

from __future__ import annotations

from dataclasses import dataclass

HALF_LIFE = 128.0
"""Records after which a bad one counts half."""

FEWEST = 256
"""A stream's first bad records are no change of anything."""


@dataclass(slots=True)
class Breaker:
    """The recent share of bad records of one partition; a function of the records alone.

    >>> breaker = Breaker(largest_share=0.5)
    >>> for number in range(1000):
    ...     breaker.see(bad=number >= 900)
    >>> breaker.open
    False
    >>> for _ in range(100):
    ...     breaker.see(bad=True)
    >>> breaker.open
    True
    """

    largest_share: float
    records: int = 0
    share: float = 0.0

    @property
    def open(self) -> bool:
        """Whether the next bad record must stop the process."""
        return self.records >= FEWEST and self.share > self.largest_share

    def see(self, *, bad: bool) -> None:
        """Count a record."""
        kept = 0.5 ** (1.0 / HALF_LIFE)
        self.share = kept * self.share + (1.0 - kept) * bad
        self.records += 1
