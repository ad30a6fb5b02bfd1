"""A TCP proxy that reads enough of Kafka's protocol to fail at one very call.

    with broker.proxy() as proxy:
        proxy.fail(Api.END_TXN, "after", "down")   # the broker takes it; then nobody answers
        ...
        proxy.heal()

A frame is four bytes of length, then of a request: api key (16 bits), version (16), correlation id
(32); of an answer: the correlation id.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, NamedTuple


class Api(enum.IntEnum):
    """The calls that a run makes, by their number in the protocol."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


When = Literal["before", "after"]
"""The broker takes the request, or does so and its answer does not arrive."""

How = Literal["cut", "drop", "stall", "down"]
"""The connection is cut; the frame vanishes and the connection stays; everything is held up; all
connections are cut and no other is taken. The last two last until `heal`."""


class Rule(NamedTuple):
    """The next call of `api` fails."""

    api: Api
    when: When
    how: How


class _Asked:
    """Of one connection: the requests whose answer must not go on, or must go on late."""

    def __init__(self) -> None:
        self.spoiled: set[bytes] = set()
        self.late: dict[bytes, float] = {}


class Proxy:
    """Passes everything on, but for what `fail` says."""

    def __init__(self, port: int, target: int) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        self.failed = threading.Event()
        """Set once the rule has been applied."""
        self._target = target
        self._rule: Rule | None = None
        self._late: tuple[Api, float] | None = None
        self._flowing = threading.Event()
        self._flowing.set()
        self._down = False
        self._closed = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        self._flowing.set()
        # A thread that waits in accept() is woken by this alone.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut_all()

    def fail(self, api: Api, when: When, how: How) -> None:
        """The next call of `api` fails; those after it do not, unless it stalls or goes down."""
        self.failed.clear()
        self._rule = Rule(api, when, how)

    def hold(self, api: Api, late_s: float) -> None:
        """Every answer to `api` comes late, and what waits behind it, until `heal`."""
        self._late = (api, late_s)

    def heal(self) -> None:
        """Pass everything on again."""
        self._down, self._late = False, None
        self._flowing.set()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._down:
                client.close()
                continue
            broker = socket.create_connection(("127.0.0.1", self._target))
            for one in (client, broker):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, broker}
            asked = _Asked()
            self._start(client, broker, lambda frame, of=asked: self._request(frame, of))  # type: ignore[misc]
            self._start(broker, client, lambda frame, of=asked: self._answer(frame, of))  # type: ignore[misc]

    def _start(
        self, source: socket.socket, target: socket.socket, passes: Callable[[bytes], bool]
    ) -> None:
        pump = threading.Thread(target=self._pump, args=(source, target, passes), daemon=True)
        pump.start()

    def _pump(
        self, source: socket.socket, target: socket.socket, passes: Callable[[bytes], bool]
    ) -> None:
        with contextlib.suppress(OSError, ConnectionError):
            while frame := _frame(source):
                if passes(frame):
                    self._flowing.wait()
                    target.sendall(struct.pack(">i", len(frame)) + frame)
        self._cut(source, target)

    def _request(self, frame: bytes, asked: _Asked) -> bool:
        """Whether a request goes on to the broker."""
        api, correlation = struct.unpack(">h", frame[:2])[0], frame[4:8]
        with self._lock:
            if self._late is not None and self._late[0] == api:
                asked.late[correlation] = self._late[1]
            rule = self._rule
            if rule is None or rule.api != api:
                return True
            if rule.when == "after":
                asked.spoiled.add(correlation)
                return True
            self._rule = None
        return self._fail(rule)

    def _answer(self, frame: bytes, asked: _Asked) -> bool:
        correlation = frame[:4]
        time.sleep(asked.late.pop(correlation, 0.0))
        if correlation not in asked.spoiled:
            return True
        with self._lock:
            rule, self._rule = self._rule, None
        asked.spoiled.discard(correlation)
        return True if rule is None else self._fail(rule)

    def _fail(self, rule: Rule) -> bool:
        """Do it; whether the frame goes on all the same."""
        self.failed.set()
        if rule.how == "stall":
            self._flowing.clear()
            return True
        if rule.how == "down":
            self._down = True
            self._cut_all()
        if rule.how != "drop":
            raise ConnectionError(f"cut {rule.when} {rule.api.name}")
        return False

    def _cut_all(self) -> None:
        with self._lock:
            every, self._open = self._open, set()
        self._cut(*every)

    def _cut(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._open -= set(sockets)
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _frame(source: socket.socket) -> bytes:
    """The next frame without its length; nothing at the end."""
    head = _exactly(source, 4)
    return _exactly(source, struct.unpack(">i", head)[0]) if head else b""


def _exactly(source: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        part = source.recv(count - len(got))
        if not part:
            return b""
        got += part
    return bytes(got)
