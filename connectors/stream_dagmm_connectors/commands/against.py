"""`stream-dagmm replay kafka://... --against TOPIC`: can production's scores be reproduced?"""

from __future__ import annotations

from stream_dagmm_connectors.commands.looking import looking, recipe_of
from stream_dagmm_connectors.kafka.address import is_address, parse
from stream_dagmm_connectors.kafka.auditing import Verdict
from stream_dagmm_connectors.kafka.auditing_all import audit_all
from stream_dagmm_connectors.kafka.options import RunOptions, Security
from stream_dagmm_connectors.loading import flag_of
from stream_dagmm_connectors.settings import ReplaySettings

WRITES = ("out", "resume", "report", "save_model", "dead_letter", "model", "rate")


def compared(settings: ReplaySettings) -> Verdict:
    """The verdict; `ValueError` for wrong usage and for brokers that do not answer."""
    against = settings.against or ""
    if not is_address(settings.source):
        raise ValueError(f"--against compares a topic's range, got {settings.source}; expected "
                         "kafka://TOPIC?partition=N&from=OFFSET&to=OFFSET")  # fmt: skip
    unused = [flag_of(name) for name in WRITES if getattr(settings, name) is not None]
    if unused:
        raise ValueError(f"--against writes nothing and takes the run's own model, got "
                         f"{', '.join(unused)}; leave it out")  # fmt: skip
    asked = parse(settings.source)
    same = (*Security.model_fields, "group", "checkpoints", "checkpoint_store")
    options = RunOptions(
        bootstrap_servers=settings.connection().bootstrap_servers,
        input=(asked.topic,),
        output=against,
        **{name: getattr(settings, name) for name in same},
    )
    with looking(options) as outside:
        return audit_all(outside, asked, against, recipe_of(settings))
