"""A scorer process of its own, for tests that kill, stop and wake it.

    python -m tests.connectors.kafka.member OPTIONS_AS_JSON [PHASE_FILE]

The phase file is a `Pulse`: it outlives a SIGKILL, so that a test can say what it hit.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from stream_dagmm import GaussianMixture
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.kafka.options import RunOptions
from stream_dagmm_connectors.kafka.phases import Phase, unwatched
from stream_dagmm_connectors.kafka.run import Fatal, Stopped, run
from stream_dagmm_connectors.scoring import Judgement
from tests.connectors.kafka.pulse import Pulse

STOPPED = 3


def score(options: dict[str, Any], enter: Callable[[Phase], None] = unwatched) -> int:
    """Run as `stream-dagmm run` would, with the small mixture of the tests; the exit code."""
    try:
        run(
            RunOptions(**options),
            lambda: GaussianMixture(batch_size=32, seed=7),
            Judgement(alarm_rate=0.01, explain_below=0.05),
            Decoder,
            enter=enter,
        )
    except (Stopped, Fatal, ValueError) as error:
        print(error, file=sys.stderr, flush=True)
        return STOPPED
    return 0


class Member:
    """A scorer process; killed at the end whatever happens."""

    def __init__(self, options: dict[str, Any], log: Path) -> None:
        self._log = log
        file = log.with_suffix(".pulse")
        self.pulse = Pulse(file)
        self.pulse.clear()
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", __name__, orjson.dumps(options).decode(), str(file)],
                stdout=output,
                stderr=output,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                cwd=Path(__file__).parents[3],
            )

    def __enter__(self) -> Member:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 180.0) -> int:
        return self.process.wait(timeout=timeout_s)

    def said(self) -> str:
        return self._log.read_text(errors="replace")


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)  # says where a process hangs
    logging.basicConfig(
        level=os.environ.get("MEMBER_LOG", "CRITICAL"), format="%(asctime)s %(name)s %(message)s"
    )
    watched = Pulse(Path(sys.argv[2])).enter if len(sys.argv) > 2 else unwatched
    sys.exit(score(orjson.loads(sys.argv[1]), watched))
