"""What a run does around its loop."""

import signal
import subprocess
import sys
from pathlib import Path

from stream_dagmm_connectors.kafka.run import AT_ONCE

HANGS = """
import time
from stream_dagmm_connectors.kafka.run import stopped_by_signals

class Hanging:
    def stop(self):
        print("stopping", flush=True)

with stopped_by_signals(Hanging()):
    print("running", flush=True)
    while True:
        time.sleep(60)
"""


def test_the_first_signal_ends_a_run_in_order_and_the_second_at_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HANGS],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline() == "stopping\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(180) == AT_ONCE
        finally:
            process.kill()
