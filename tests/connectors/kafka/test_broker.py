"""That there is a real broker, and that the bare client does on it what all else stands on."""

from collections.abc import Callable

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from tests.broker.broker import Broker
from tests.broker.topics import make_topic


def fill(broker: Broker, topic: str, count: int) -> list[bytes]:
    values = [f"event {number}".encode() for number in range(count)]
    producer = KafkaProducer(**broker.client())
    for value in values:
        producer.send(topic, value, partition=0)
    producer.flush()
    producer.close()
    return values


def test_consume_and_produce_in_a_transaction_moves_records_and_offset_together(
    broker: Broker, topic: Callable[..., str]
) -> None:
    source, target = topic(), topic()
    values = fill(broker, source, 100)
    reader = KafkaConsumer(
        source,
        **broker.client(),
        group_id=f"{source}-group",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    producer = KafkaProducer(**broker.client(), transactional_id=f"{source}-writer")
    producer.init_transactions()
    seen: list[bytes] = []
    while len(seen) < 100:
        for place, records in reader.poll(timeout_ms=500).items():
            producer.begin_transaction()
            futures = [producer.send(target, record.value, partition=0) for record in records]
            producer.flush()
            seen += [record.value for record in records if futures]
            offset = OffsetAndMetadata(records[-1].offset + 1, "so far", -1)
            producer.send_offsets_to_transaction({place: offset}, reader.group_metadata())
            producer.commit_transaction()
    committed = reader.committed(TopicPartition(source, 0), metadata=True)
    reader.close()
    producer.close()

    assert committed.offset == 100
    assert committed.metadata == "so far"
    assert read_committed(broker, target, 100) == values == seen


def read_committed(broker: Broker, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(**broker.client(), isolation_level="read_committed")
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.seek(place, 0)
    got: list[bytes] = []
    while len(got) < count:
        for records in consumer.poll(timeout_ms=500).values():
            got += [record.value for record in records]
    consumer.close()
    return got


def test_a_broker_that_asks_for_a_password_takes_the_right_one(secure_broker: Broker) -> None:
    admin = KafkaAdminClient(**secure_broker.client())
    assert len(admin.describe_cluster()["brokers"]) == 1
    admin.close()


def test_three_nodes_keep_what_was_acknowledged_when_one_is_killed(three_brokers: Broker) -> None:
    topic = make_topic(three_brokers, "replicated")
    first = fill(three_brokers, topic, 50)
    three_brokers.kill(1)
    second = fill(three_brokers, topic, 50)
    assert read_committed(three_brokers, topic, 100) == first + second
