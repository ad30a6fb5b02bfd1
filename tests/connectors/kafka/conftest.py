"""One broker for all tests of this folder, and topics that no two tests share."""

import itertools
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.broker.broker import Broker
from tests.broker.topics import make_topic

NUMBERS = itertools.count()


def _running(nodes: int = 1, secure: bool = False) -> Iterator[Broker]:
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}, which is not installed; .ci/run installs it")
    with Broker(nodes, secure=secure) as broker:
        yield broker


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """One node, shared by the session."""
    yield from _running()


@pytest.fixture
def three_brokers() -> Iterator[Broker]:
    """Three nodes of a test's own, since it kills them."""
    yield from _running(3)


@pytest.fixture(scope="session")
def secure_broker() -> Iterator[Broker]:
    """One node that asks for TLS and SCRAM and checks ACLs."""
    yield from _running(secure=True)


@pytest.fixture
def topic(broker: Broker) -> Callable[..., str]:
    """Makes a topic of a name that no test had before."""

    def make(partitions: int = 1, **configs: str) -> str:
        return make_topic(broker, f"topic-{next(NUMBERS)}", partitions, **configs)

    return make
