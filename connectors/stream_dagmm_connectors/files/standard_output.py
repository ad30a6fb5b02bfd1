"""Rows to standard output, as JSON Lines."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stream_dagmm_connectors.durable import naming
from stream_dagmm_connectors.events import encode_lines
from stream_dagmm_connectors.files.columns import Row
from stream_dagmm_connectors.ports import Extent


class StandardOutput:
    """A sink whose rows are gone once written, so it cannot be cut back.

    Raises ``BrokenPipeError`` once nobody reads any more.
    """

    def __init__(self) -> None:
        self._rows = 0

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        with naming("standard output"), _given_up():
            sys.stdout.buffer.write(encode_lines(rows))
        self._rows += len(rows)

    def flush(self) -> Extent:
        """Hand on what was written; durable it is not."""
        with naming("standard output"), _given_up():
            sys.stdout.buffer.flush()
        return {"rows": self._rows}

    def cut_back(self, extent: Extent) -> None:
        """Refused."""
        raise ValueError("standard output cannot be cut back; give a file with --resume")

    def refuse_if_taken(self) -> None:
        """Nothing: standard output always begins empty."""

    def close(self) -> None:
        """Nothing; the stream is not ours."""


@contextmanager
def _given_up() -> Iterator[None]:
    """What cannot be written is forgotten; Python would try once more at exit, and complain."""
    try:
        yield
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
