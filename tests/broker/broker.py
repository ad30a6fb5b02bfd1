"""A real Apache Kafka for tests and demos: KRaft, one node or three, on loopback, gone afterwards.

    with Broker() as broker:                 # one node
        KafkaProducer(bootstrap_servers=broker.bootstrap)

`Broker(nodes=3)` replicates; `Broker(secure=True)` asks for TLS and SCRAM and checks ACLs.
`kill(node)` is SIGKILL, `pause(node)` SIGSTOP. Each node may use 512 MB of heap and lives in a
folder of its own, which `close` removes.
"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from types import TracebackType

from tests.broker import jars, properties
from tests.broker.properties import ADMIN, ADMIN_PASSWORD, Ports
from tests.broker.proxy import Proxy

HEAP_MB = 512
START_TIMEOUT_S = 90
STARTED = re.compile(rb"Kafka Server started")
TRIES = 3
"""A port that was free a moment ago may be taken when the broker comes to it."""


class Broker:
    """Brokers that live as long as this object, or as this process at the latest."""

    def __init__(
        self, nodes: int = 1, *, secure: bool = False, folder: Path | None = None, port: int = 0
    ) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="stream-dagmm-broker-"))
        self.secure = secure
        self.certificate: Path | None = None
        self._detached = folder is not None
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._jars = jars.installed()
        self._ports = _free_ports(nodes, port)

    @property
    def bootstrap(self) -> str:
        """What a client is told: host:port of every node."""
        return ",".join(f"127.0.0.1:{ports.clients}" for ports in self._ports)

    def proxy(self) -> Proxy:
        """A proxy before the first node; clients that begin there never go around it."""
        return Proxy(self._ports[0].proxy, self._ports[0].behind)

    def client(self, user: str = ADMIN, password: str = ADMIN_PASSWORD) -> dict[str, object]:
        """The options of kafka-python that reach this broker."""
        plain: dict[str, object] = {"bootstrap_servers": self.bootstrap.split(",")}
        if not self.secure:
            return plain
        return plain | {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": str(self.certificate),
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        }

    def __enter__(self) -> "Broker":
        for left in reversed(range(TRIES)):
            try:
                self._format()
                for node in range(len(self._ports)):
                    self.start(node, wait=False)
                self._wait_for_all()
                return self
            except RuntimeError:
                self._stop_all(signal.SIGKILL)
                if not left:
                    self.close()
                    raise
                self._ports = _free_ports(len(self._ports), 0)
        raise AssertionError("unreachable")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, node: int, *, wait: bool = True) -> None:
        """Start a node, for the first time or again on what it had written."""
        log = self._log(node)
        log.write_bytes(b"")
        command = self._java("kafka.Kafka", str(self._node_folder(node) / "server.properties"))
        with log.open("ab") as output:
            self._processes[node] = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=None if self._detached else die_with_parent,
            )
        if wait:
            self._wait(node, time.monotonic() + START_TIMEOUT_S)

    def started(self, node: int) -> bool:
        """Whether a node has said so since it was last started."""
        return STARTED.search(self._log(node).read_bytes()) is not None

    def kill(self, node: int) -> None:
        """SIGKILL: nothing is flushed, nothing is handed over."""
        self._processes[node].kill()
        self._processes[node].wait()

    def pause(self, node: int) -> None:
        """SIGSTOP: the connections stay and nothing answers."""
        self._processes[node].send_signal(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """SIGCONT."""
        self._processes[node].send_signal(signal.SIGCONT)

    def pids(self) -> list[int]:
        """The process ids of the nodes that were started."""
        return [process.pid for process in self._processes.values()]

    def close(self) -> None:
        """Stop every node and remove the folder; may be called twice."""
        self._stop_all(signal.SIGKILL)  # nothing of it will be read again
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop_all(self, how: signal.Signals) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(how)
        for process in self._processes.values():
            process.wait(timeout=30)
        self._processes.clear()

    def _format(self) -> None:
        cluster, directories = _kafka_uuid(), [_kafka_uuid() for _ in self._ports]
        for node in range(len(self._ports)):
            home = self._node_folder(node)
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            if self.secure:
                self.certificate = properties.make_certificate(home)
            config = home / "server.properties"
            config.write_text(properties.text(node, self._ports, home, self.secure))
            voters = ",".join(
                f"{place + 1}@127.0.0.1:{ports.controller}:{directory}"
                for place, (ports, directory) in enumerate(
                    zip(self._ports, directories, strict=True)
                )
            )
            arguments = ["format", "-t", cluster, "-c", str(config)]
            arguments += ["--initial-controllers", voters]
            if self.secure:
                arguments += ["--add-scram"]
                arguments += [f"SCRAM-SHA-256=[name={ADMIN},password={ADMIN_PASSWORD}]"]
            self._run(self._java("kafka.tools.StorageTool", *arguments))

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S)
        if done.returncode:
            raise RuntimeError(f"{command[-1]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _java(self, *arguments: str) -> list[str]:
        options = [f"-Xmx{HEAP_MB}m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        options += ["-Dorg.slf4j.simpleLogger.showDateTime=true"]
        return ["java", *options, "-cp", f"{self._jars}/*", *arguments]

    def _wait_for_all(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        for node in range(len(self._ports)):
            self._wait(node, deadline)

    def _wait(self, node: int, deadline: float) -> None:
        process = self._processes[node]
        while not self.started(node):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
            if process.returncode is not None or time.monotonic() > deadline:
                tail = self._log(node).read_text(errors="replace")[-3000:]
                raise RuntimeError(f"node {node + 1} did not start in {START_TIMEOUT_S} s: {tail}")

    def _node_folder(self, node: int) -> Path:
        return self.folder / f"node-{node + 1}"

    def _log(self, node: int) -> Path:
        return self._node_folder(node) / "broker.log"


def _free_ports(nodes: int, first: int) -> list[Ports]:
    """The ports of each node; the clients' one is `first` where that is given."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(len(Ports._fields) * nodes)]
        for place, one in enumerate(sockets):
            one.bind(("127.0.0.1", first if place == 0 else 0))
        numbers = [one.getsockname()[1] for one in sockets]
    count = len(Ports._fields)
    return [Ports(*numbers[place : place + count]) for place in range(0, len(numbers), count)]


def _kafka_uuid() -> str:
    while True:
        name = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not name.startswith("-"):  # which StorageTool would take for an option
            return name


def die_with_parent() -> None:
    """So that a killed test run leaves no broker behind."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(1)
