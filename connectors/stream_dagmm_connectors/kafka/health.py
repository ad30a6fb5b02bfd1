"""/healthz, /readyz and /metrics of a running loop, over HTTP, on a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from stream_dagmm_connectors.kafka.figures import Figures, ready
from stream_dagmm_connectors.kafka.loop import Scoring


@contextmanager
def served(
    scoring: Scoring, host: str, port: int | None, stuck_after_s: float = 300.0
) -> Iterator[int | None]:
    """Serve while the block runs; gives the port, which 0 lets the system choose.

    /healthz answers 503 when brokers were silent for too long, or the loop has not come to poll
    for `stuck_after_s`; /readyz while a partition of ours waits for its model, or brokers are
    silent.
    """
    if port is None:
        yield None
        return
    app = _Answers(scoring, stuck_after_s)
    with make_server(host, port, app, ThreadingWSGIServer, _Quiet) as server:
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class _Answers:
    def __init__(self, scoring: Scoring, stuck_after_s: float) -> None:
        self._scoring = scoring
        self._stuck_after_s = stuck_after_s
        registry = CollectorRegistry()
        registry.register(Figures(scoring))
        ProcessCollector(registry=registry)
        self._metrics = make_wsgi_app(registry)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start)
            return answer
        status, words = self._probe(path)
        start(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [words.encode()]

    def _probe(self, path: str) -> tuple[str, str]:
        if path == "/healthz":
            why = self._why_unhealthy()
            return ("503 Service Unavailable", why) if why else ("200 OK", "alive\n")
        if path == "/readyz":
            fine = ready(self._scoring)
            return ("200 OK", "ready\n") if fine else ("503 Service Unavailable", "not ready\n")
        return "404 Not Found", "/healthz, /readyz or /metrics\n"

    def _why_unhealthy(self) -> str | None:
        if self._scoring.watchdog.given_up:
            return "no broker answers\n"
        stuck_s = self._scoring.meter.stuck_s
        return f"no poll for {stuck_s:.0f} s\n" if stuck_s > self._stuck_after_s else None


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a probe every few seconds is no news."""
