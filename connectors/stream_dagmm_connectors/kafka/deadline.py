"""Calls that a client library may never return from, given up after a while."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Deadline:
    """Runs one call at a time, and stops waiting for one that takes too long."""

    def __init__(self) -> None:
        self._todo: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        # A daemon: one that waits for a dead broker must not keep the process alive.
        threading.Thread(target=self._serve, name="transactions", daemon=True).start()

    def run(self, call: Callable[[], object], timeout_s: float) -> None:
        """What `call` gives; `TimeoutError` leaves it running, and this thread must not be used
        again."""
        self._todo.put(call)
        try:
            raised = self._done.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError(f"no answer within {timeout_s:g} s") from None
        if raised is not None:
            raise raised

    def stop(self) -> None:
        """End the thread once it is idle."""
        self._todo.put(None)

    def _serve(self) -> None:
        while (call := self._todo.get()) is not None:
            try:
                call()
                self._done.put(None)
            except BaseException as error:
                self._done.put(error)
