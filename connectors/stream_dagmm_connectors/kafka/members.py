"""Who is in a group at this moment."""

from __future__ import annotations

from kafka import KafkaAdminClient
from kafka.errors import GroupIdNotFoundError

from stream_dagmm_connectors.kafka.connection import Connection


def refuse_members(connection: Connection, group: str) -> None:
    """`ValueError` naming the members of a group, if it has any."""
    admin = KafkaAdminClient(**connection.options())
    try:
        described = admin.describe_groups([group])[group]
    except GroupIdNotFoundError:
        return
    finally:
        admin.close()
    there = [f"{one['client_id']}{one['client_host']}" for one in described["members"]]
    if there:
        raise ValueError(
            f"group {group} has {len(there)} members ({', '.join(there)}); stop them first"
        )
