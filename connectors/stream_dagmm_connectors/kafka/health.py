"""/healthz, /readyz and /metrics of a running loop, in Prometheus's text format.

Read from another thread, without a lock: every figure is one attribute, written by the loop alone,
and a scrape may see it a turn old.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from stream_dagmm_connectors.kafka.client import Place
from stream_dagmm_connectors.kafka.loop import Scoring
from stream_dagmm_connectors.kafka.partition import PartitionModel

TEXT = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[str, dict[str, str], float]


def samples(scoring: Scoring) -> Iterator[Sample]:
    """Every figure as (name, labels, value)."""
    ours, delivery = scoring.ours, scoring.delivery
    yield "ready", {}, float(ready(scoring))
    yield "broker_silence_seconds", {}, scoring.watchdog.silence_s
    yield "rebalances_total", {}, scoring.rebalances
    yield "transactions_committed_total", {}, delivery.commits
    yield "transactions_aborted_total", {}, delivery.aborts
    yield "records_in_open_transaction", {}, delivery.waiting
    yield "partitions_live", {}, len(ours.live)
    yield "partitions_restoring", {}, len(ours.coming) + len(ours.targets)
    for place, model in list(ours.models.items()):
        yield from _of(place, model, ours.saved.get(place, 0))


def _of(place: Place, model: PartitionModel, saved: int) -> Iterator[Sample]:
    where = {"topic": place.topic, "partition": str(place.partition)}
    counters = model.counters
    yield "events_total", where, counters.events
    yield "alarms_total", where, counters.alarms
    yield "tombstones_total", where, model.tombstones
    yield "next_offset", where, model.progress.next_offset
    yield "checkpoint_age_records", where, model.progress.records - saved
    for stage, count in sorted(counters.dead_letters.items()):
        yield "dead_letters_total", where | {"stage": stage}, count


def text(scoring: Scoring) -> str:
    """The figures in Prometheus's format; of each name the type comes first."""
    lines: dict[str, list[str]] = {}
    for name, labels, value in samples(scoring):
        full = f"stream_dagmm_{name}"
        kind = "counter" if name.endswith("_total") else "gauge"
        held = lines.setdefault(full, [f"# TYPE {full} {kind}"])
        told = ",".join(f'{key}="{_quoted(said)}"' for key, said in labels.items())
        held.append(f"{full}{{{told}}} {value:g}" if told else f"{full} {value:g}")
    return "".join(line + "\n" for group in lines.values() for line in group)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def ready(scoring: Scoring) -> bool:
    """Whether brokers answer and no partition of ours waits for its model."""
    return scoring.watchdog.ready and not scoring.ours.coming and not scoring.ours.targets


@contextmanager
def served(scoring: Scoring, host: str, port: int | None) -> Iterator[int | None]:
    """Serve while the block runs; gives the port, which 0 lets the system choose."""
    if port is None:
        yield None
        return
    server = ThreadingHTTPServer((host, port), _handler(scoring))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _handler(scoring: Scoring) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, text(scoring))
            elif self.path == "/healthz":
                alive = not scoring.watchdog.given_up
                self._answer(200 if alive else 503, "alive\n" if alive else "no broker\n")
            elif self.path == "/readyz":
                fine = ready(scoring)
                self._answer(200 if fine else 503, "ready\n" if fine else "not ready\n")
            else:
                self._answer(404, "/healthz, /readyz or /metrics\n")

        def _answer(self, code: int, words: str) -> None:
            body = words.encode()
            self.send_response(code)
            self.send_header("Content-Type", TEXT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a probe every few seconds is no news."""

    return Handler
