"""`stream-dagmm run`: topics made, clients connected, signals heard, and the loop until it ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from stream_dagmm_connectors.collector import imports_set_aside
from stream_dagmm_connectors.decoding import Decoder
from stream_dagmm_connectors.kafka import topics
from stream_dagmm_connectors.kafka.checkpoint_blobs import BlobStore
from stream_dagmm_connectors.kafka.checkpoint_topic import TopicStore
from stream_dagmm_connectors.kafka.checkpoints import Store
from stream_dagmm_connectors.kafka.client import Clients, Fatal, NotYet
from stream_dagmm_connectors.kafka.health import served
from stream_dagmm_connectors.kafka.kafka_clients import KafkaClients
from stream_dagmm_connectors.kafka.loop import Scoring
from stream_dagmm_connectors.kafka.meter import Meter
from stream_dagmm_connectors.kafka.options import RunOptions
from stream_dagmm_connectors.kafka.partition import Recipe
from stream_dagmm_connectors.kafka.patience import Answer, patiently
from stream_dagmm_connectors.kafka.phases import Enter, unwatched
from stream_dagmm_connectors.kafka.sharing import shared_out
from stream_dagmm_connectors.kafka.surprises import Stopped
from stream_dagmm_connectors.scoring import Detector, Judgement

LOG = logging.getLogger("stream_dagmm")
AT_ONCE = 130
LOOK_EVERY_S, GONE_AFTER_S = 0.5, 2.0


def run(
    options: RunOptions,
    detector: Callable[[], Detector],
    judgement: Judgement,
    decoder: Callable[[], Decoder],
    *,
    keeps: bool = True,
    enter: Enter = unwatched,
    watch: Callable[[Scoring], None] | None = None,
) -> None:
    """Score until SIGTERM or SIGINT; a second signal ends the process at once, safely.

    Raises `Stopped` and `Fatal` with a message for people when it cannot go on, and `ValueError`
    for options that do not fit the brokers' topics. Without `keeps` there are no checkpoints, and a
    restore learns from where the lineage began. `watch` is handed the loop before it starts.
    """
    prepare(options, keeps=keeps)
    meter = Meter()
    recipe = Recipe(
        detector=detector,
        judgement=judgement,
        decoder=decoder,
        output=options.output,
        dead_letters=options.dead_letter_topic,
        on_error=options.on_error,
        include_event=options.include_event,
        largest_bad_share=options.largest_bad_share,
        skip_to=options.skips(),
        scored=meter.scored,
    )
    clients = clients_of(options)
    with ExitStack() as stack:
        store = stack.enter_context(stored(options, clients)) if keeps else None
        if isinstance(store, BlobStore) and store.local:
            alone(options)
        scoring = Scoring(
            clients,
            store,
            recipe,
            topics=options.input,
            group=options.group,
            transactional_id=transactional_id(options),
            pace=options.pace(),
            policies=options.policies(),
            enter=enter,
            meter=meter,
        )
        if watch is not None:
            watch(scoring)
        stack.enter_context(stopped_by_signals(scoring))
        stuck_after_s = 2 * options.max_poll_interval_ms / 1000
        host, port = options.metrics_host, options.metrics_port
        found = stack.enter_context(served(scoring, host, port, stuck_after_s=stuck_after_s))
        if found is not None:
            LOG.info("metrics, health and readiness on %s:%d", host, found)
        reach, name = options.connection(), options.group_instance_id
        stack.enter_context(shared_out(reach, options.group, name, options.input))
        stack.enter_context(imports_set_aside())
        scoring.run()


def clients_of(options: RunOptions) -> Clients:
    """The client that was asked for; `ValueError` where it is not installed."""
    said = options.connection(), options.timing()
    if options.client == "kafka-python":
        return KafkaClients(*said, group=options.group, instance=options.group_instance_id)
    try:
        from stream_dagmm_connectors.kafka.confluent_clients import ConfluentClients
    except ImportError as error:
        raise ValueError(
            "client is confluent, which is not installed; pip install "
            "'stream-dagmm[cli,kafka,confluent]'"
        ) from error
    return ConfluentClients(*said, group=options.group, instance=options.group_instance_id)


def prepare(options: RunOptions, *, keeps: bool = True) -> None:
    """Make the topics that are missing and check the others; warnings go to the log.

    Brokers that are away are asked again for `exit_after` seconds, then it is `Fatal`.
    """
    LOG.info("asking %s for topics", options.bootstrap_servers)
    for warning in _patient(lambda: _prepared(options, keeps), options.exit_after):
        LOG.warning(warning)


def _patient(ask: Callable[[], Answer], for_s: float) -> Answer:
    try:
        return patiently(ask, for_s)
    except NotYet as error:
        raise Fatal(f"no answer for {for_s:g} s: {error}") from error


def _prepared(options: RunOptions, keeps: bool) -> list[str]:
    looking = topics.Topics(options.connection(), options.exit_after)
    try:
        return topics.prepare(
            looking,
            options.input,
            options.output,
            options.dead_letter_topic,
            options.checkpoint_topic if keeps else None,
            create=options.create_topics,
        )
    finally:
        looking.close()


def alone(options: RunOptions) -> None:
    """`ValueError` where the group has another member: it would not see what this one saves.

    One that was killed is a member for a session yet, so that long is waited for it to go.
    """
    looking = topics.Topics(options.connection())
    until_s = time.monotonic() + options.session_timeout_ms / 1000 + GONE_AFTER_S

    def members() -> int:  # `NotYet` too where a new cluster has had no group so far
        return looking.members(options.group, besides=options.group_instance_id)

    try:
        while others := _patient(members, options.exit_after):
            if time.monotonic() > until_s:
                raise ValueError(
                    f"checkpoint store {options.checkpoint_store} is of this machine alone, and "
                    f"group {options.group} has {others} other members, which could not go on from "
                    "it; stop them, or give all of them an object store or a checkpoint topic"
                )
            time.sleep(LOOK_EVERY_S)
    finally:
        looking.close()


@contextmanager
def stored(options: RunOptions, clients: Clients) -> Iterator[Store]:
    """Where checkpoints go, open while the block runs."""
    keep = options.keep_checkpoints
    if options.checkpoint_store is not None:
        yield BlobStore(options.checkpoint_store, keep=keep)
        return
    log = clients.log_reader()
    try:
        yield TopicStore(options.checkpoint_topic or "", log, keep=keep)
    finally:
        log.close()


def transactional_id(options: RunOptions) -> str | None:
    """Stable for a member with a name, whose restart then ends its own open transaction at once;
    else of this process alone, and the brokers end what it leaves open by their time-out."""
    if options.delivery == "at-least-once":
        return None
    return f"{options.group}-{options.group_instance_id or uuid.uuid4()}"


@contextmanager
def stopped_by_signals(scoring: Scoring) -> Iterator[None]:
    """SIGTERM and SIGINT end the run in order; the second one ends the process. Where a run has a
    thread of its own, signals are its caller's to hear, and `Scoring.stop` to pass on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if heard:
            os._exit(AT_ONCE)  # an open transaction is never committed, so this loses nothing
        heard.append(number)
        scoring.stop()

    before = {one: signal.signal(one, stop) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


__all__ = ["Fatal", "RunOptions", "Stopped", "run"]
