"""The command line in processes of its own, and waiting for what they write."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

CLI = [sys.executable, "-m", "stream_dagmm_connectors.cli"]
PLAIN = ["--detector", "gaussian-mixture"]
Process: TypeAlias = "subprocess.Popen[bytes]"


def process_of(directory: Path, *words: str, given: int = subprocess.DEVNULL) -> Process:
    """A process of its own, whose standard error is kept in the file `said`."""
    with (directory / "said").open("wb") as said:
        return subprocess.Popen(
            [*CLI, *words],
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )


def wait_until(there: Callable[[], bool], process: Process) -> None:
    """Return when something is there or the process has ended; the clock is not asked."""
    while not there() and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)


def wait_for(path: Path, size: int, process: Process) -> None:
    """Return when a file has grown so large."""
    wait_until(lambda: path.exists() and path.stat().st_size >= size, process)
