"""`make broker` and `make broker-stop`: one node for people, on 127.0.0.1:9092 unless PORT says."""

import os
import shutil
import signal
import sys
from contextlib import suppress

from tests.broker.broker import Broker
from tests.broker.jars import BUILD

FOLDER = BUILD / "running"
PIDS = FOLDER / "pids"


def start() -> None:
    """Start a broker that outlives this process."""
    if PIDS.exists():
        sys.exit("a broker is running already; stop it with: make broker-stop")
    broker = Broker(folder=FOLDER, port=int(os.environ.get("PORT", "9092")))
    broker.__enter__()
    PIDS.write_text(" ".join(map(str, broker.pids())))
    print(f"Kafka 4.3.1 listens on {broker.bootstrap}; stop it with: make broker-stop")


def stop() -> None:
    """Stop it and remove all it had."""
    if not PIDS.exists():
        sys.exit("no broker is running")
    for pid in PIDS.read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    {"start": start, "stop": stop}[sys.argv[1]]()
