"""A node's server.properties: small, on loopback only, plain or with TLS, SCRAM and ACLs."""

import subprocess
from pathlib import Path
from typing import NamedTuple

STORE_PASSWORD = "only-for-tests"
ADMIN, ADMIN_PASSWORD = "admin", "only-for-tests"


class Ports(NamedTuple):
    """Where a node listens on 127.0.0.1: for clients, for brokers, for controllers.

    `behind` is for clients too, and tells them that it is `proxy`, where a test may put a proxy; a
    node that asks for passwords has none.
    """

    clients: int
    internal: int
    controller: int
    behind: int
    proxy: int


def text(node: int, ports: list[Ports], folder: Path, secure: bool) -> str:
    """The properties of node number `node` (from 0) of as many as there are ports."""
    here, replicas = ports[node], min(3, len(ports))
    clients = "SASL_SSL" if secure else "PLAINTEXT"
    values = {
        "process.roles": "broker,controller",
        "node.id": node + 1,
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": ",".join(f"127.0.0.1:{p.controller}" for p in ports),
        "inter.broker.listener.name": "INTERNAL",
        "listeners": f"CLIENTS://127.0.0.1:{here.clients},INTERNAL://127.0.0.1:{here.internal},"
        f"CONTROLLER://127.0.0.1:{here.controller}",
        "advertised.listeners": f"CLIENTS://127.0.0.1:{here.clients},"
        f"INTERNAL://127.0.0.1:{here.internal}",
        "listener.security.protocol.map": f"CLIENTS:{clients},INTERNAL:PLAINTEXT,"
        "CONTROLLER:PLAINTEXT",
        "log.dirs": folder / "data",
        "num.network.threads": 2,
        "num.io.threads": 4,
        "auto.create.topics.enable": "false",
        # Tests write records of any age.
        "log.retention.ms": -1,
        "default.replication.factor": replicas,
        "min.insync.replicas": 2 if replicas == 3 else 1,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": 2 if replicas == 3 else 1,
        "group.initial.rebalance.delay.ms": 0,
        # A dead broker is noticed in 3 s instead of 9, so that the tests of it stay short.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
    }
    if secure:
        values |= _secured(folder)
    else:
        proxied = {
            "listeners": f"PROXIED://127.0.0.1:{here.behind}",
            "advertised.listeners": f"PROXIED://127.0.0.1:{here.proxy}",
            "listener.security.protocol.map": "PROXIED:PLAINTEXT",
        }
        values |= {name: f"{values[name]},{added}" for name, added in proxied.items()}
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _secured(folder: Path) -> dict[str, object]:
    return {
        "ssl.keystore.location": folder / "server.p12",
        "ssl.keystore.password": STORE_PASSWORD,
        "ssl.keystore.type": "PKCS12",
        "sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "listener.name.clients.scram-sha-256.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        # The brokers themselves come over the internal listener, which knows no names.
        "super.users": f"User:{ADMIN};User:ANONYMOUS",
    }


def make_certificate(folder: Path) -> Path:
    """A key of 127.0.0.1 in server.p12, and its certificate for clients to trust."""
    store = ["-keystore", str(folder / "server.p12"), "-storetype", "PKCS12"]
    store += ["-storepass", STORE_PASSWORD, "-alias", "broker"]
    _keytool("-genkeypair", *store, "-keyalg", "EC", "-groupname", "secp256r1", "-dname",
             "CN=127.0.0.1", "-ext", "SAN=ip:127.0.0.1", "-validity", "2")  # fmt: skip
    certificate = folder / "ca.pem"
    _keytool("-exportcert", "-rfc", *store, "-file", str(certificate))
    return certificate


def _keytool(*arguments: str) -> None:
    subprocess.run(["keytool", *arguments], check=True, capture_output=True, timeout=60)
