"""Topics for tests."""

from kafka import KafkaAdminClient

from tests.broker.broker import Broker


def make_topic(broker: Broker, name: str, partitions: int = 1, **configs: str) -> str:
    """A topic with every replica that the broker can give."""
    admin = KafkaAdminClient(**broker.client())
    try:
        options = {key.replace("_", "."): value for key, value in configs.items()}
        admin.create_topics(
            {name: {"num_partitions": partitions, "configs": options}}, wait_for_metadata=True
        )
    finally:
        admin.close()
    return name
