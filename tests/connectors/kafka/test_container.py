"""The containers' own commands, as unprivileged as there, on a real Kafka, until SIGTERM."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ACL, ACLPermissionType, ResourcePattern, UserScramCredentialUpsertion
from kafka.admin import ScramMechanism as Scram

from tests import container
from tests.broker.broker import Broker
from tests.broker.topics import make_topic
from tests.connectors.kafka.streams import Topics, event, read
from tests.connectors.kafka.test_faults import LEAST
from tests.connectors.kafka.test_health import scrape
from tests.connectors.kafka.test_members import until
from tests.connectors.kafka.test_metrics import free_port, of, ready
from tests.container import Container

pytestmark = [
    pytest.mark.needs("unshare", "setpriv"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it up in a root of its own"),
]
CONFIG, SECRET = "/etc/stream-dagmm/config", "/etc/stream-dagmm/secret"
PASSWORD = "only-for-tests"
EVENTS = 300
TOPICS = Topics("events", "scored", "scored.dead-letters", "scored.checkpoints")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own, which nobody else may enter."""
    held = Path(tempfile.mkdtemp(prefix="stream-dagmm-container-"))
    held.chmod(0o755)
    yield held
    shutil.rmtree(held)


def scores_and_leaves(
    broker: Broker, one: Container, folder: Path, mounted: Mapping[str, Path], port: int
) -> None:
    """Start, wait for /readyz, send, see the scores, SIGTERM, exit code 0, all of it saved."""
    more = {"STREAM_DAGMM_BOOTSTRAP_SERVERS": broker.bootstrap}
    more["STREAM_DAGMM_METRICS_PORT"] = str(port)
    with container.start(one, folder / "root", mounted, more) as process:
        try:
            until(lambda: process.poll() is not None or ready(port))
            assert process.poll() is None, process.communicate()[1]
            send(broker)
            until(lambda: len(read(broker, TOPICS.scored)) == EVENTS)
            until(lambda: of(TOPICS, scrape(port), "lag") == 0)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=180)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert len(read(broker, TOPICS.checkpoints)) >= 2  # a chunk and its manifest
    assert PASSWORD not in said


def send(broker: Broker) -> None:
    producer = KafkaProducer(**broker.client(), linger_ms=5)
    for number in range(EVENTS):
        producer.send(TOPICS.events, event(number), partition=0)
    producer.close()


@pytest.fixture
def topics_of_the_manifests() -> Iterator[list[Broker]]:
    """Brokers named here get the topics, and lose them afterwards."""
    brokers: list[Broker] = []
    yield brokers
    for broker in brokers:
        admin = KafkaAdminClient(**broker.client())
        admin.delete_topics(list(TOPICS))
        admin.close()


def make(broker: Broker, brokers: list[Broker]) -> None:
    for topic in TOPICS:
        make_topic(broker, topic)
    brokers.append(broker)


def test_the_scorer_of_the_compose_file(
    broker: Broker, folder: Path, topics_of_the_manifests: list[Broker]
) -> None:
    make(broker, topics_of_the_manifests)
    scores_and_leaves(broker, container.of_compose(), folder, {}, free_port())


def test_a_pod_of_the_statefulset_with_its_config_and_secret(
    secure_broker: Broker, folder: Path, topics_of_the_manifests: list[Broker]
) -> None:
    make(secure_broker, topics_of_the_manifests)
    let_in(secure_broker, "stream-dagmm", "stream-dagmm-scorer-0")
    one = container.of_kubernetes("scorer-0")
    mounted = {CONFIG: folder / "config", SECRET: folder / "secret"}
    for place in mounted.values():
        place.mkdir()
    text = container.documents()["ConfigMap"]["data"]["config.toml"]
    (folder / "config" / "config.toml").write_text(text)
    certificate = secure_broker.certificate
    secret = {"sasl-password": PASSWORD, "ca.pem": certificate.read_text() if certificate else ""}
    assert secret.keys() == container.documents()["Secret"]["stringData"].keys()
    for name, held in secret.items():
        file = folder / "secret" / name
        file.write_text(held)
        os.chown(file, 0, one.user)
        file.chmod(0o440)  # as fsGroup and defaultMode have it
    scores_and_leaves(secure_broker, one, folder, mounted, free_port())


def let_in(broker: Broker, group: str, transactional_id: str) -> None:
    """The user of the ConfigMap, with the least rights."""
    names = dict(zip(("events", "scored", "dead", "checkpoints"), TOPICS, strict=True))
    admin = KafkaAdminClient(**broker.client())
    admin.alter_user_scram_credentials(
        [UserScramCredentialUpsertion("stream-dagmm", Scram.SCRAM_SHA_256, PASSWORD)]
    )
    rights = []
    for kind, name, operations in LEAST:
        special = {"GROUP": group, "TRANSACTIONAL_ID": transactional_id}
        pattern = ResourcePattern(kind, special.get(kind.name, names.get(name, name)))
        rights += [
            ACL("User:stream-dagmm", "*", operation, ACLPermissionType.ALLOW, pattern)
            for operation in operations
        ]
    admin.create_acls(rights)
    admin.close()


def test_what_runs_there_can_write_in_tmp_alone(folder: Path) -> None:
    tries = "; ".join(
        f"touch {place}/here 2>/dev/null && echo {place} >&2"
        for place in ("/", "/etc", "/tmp", "$HOME", "/usr", container.REPOSITORY)
    )
    inside = container.of_compose()._replace(command=["sh", "-c", f"{tries}; id -u >&2"])
    with container.start(inside, folder / "root", {}, {}) as process:
        _, said = process.communicate(timeout=180)
    assert said == f"/tmp\n{inside.user}\n"
