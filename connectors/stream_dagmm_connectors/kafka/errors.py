"""Every error of kafka-python, sorted into what can be done about it.

What the library itself says of them does not serve: `RebalanceInProgress` and `IllegalGeneration`
count as not retriable there, a fenced producer takes `begin`, `send` and `flush` without a word,
and commit then raises a bare `KafkaError`.
"""

from __future__ import annotations

from typing import Literal

from kafka import errors

Kind = Literal["retriable", "abortable", "fatal"]

FATAL = (
    errors.AuthorizationError,
    errors.FencedInstanceIdError,
    errors.GroupAuthorizationFailedError,
    errors.InconsistentGroupProtocolError,
    errors.InvalidGroupIdError,
    errors.InvalidSessionTimeoutError,
    errors.InvalidTopicError,
    errors.InvalidTransactionTimeoutError,
    errors.KafkaConfigurationError,
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedVersionError,
)
"""Nothing here passes with time, and a new producer would meet it again."""

ABORTABLE = (
    errors.CommitFailedError,
    errors.IllegalGenerationError,
    errors.InvalidProducerEpochError,
    errors.InvalidTxnStateError,
    errors.OutOfOrderSequenceNumberError,
    errors.ProducerFencedError,
    errors.RebalanceInProgressError,
    errors.TransactionAbortedError,
    errors.UnknownMemberIdError,
    errors.UnknownProducerIdError,
)
"""The transaction is lost, and the next one, of a new producer, may succeed.

A fenced producer is among them: the coordinator fences whoever outlived the transaction time-out
too. Who was displaced by another process of the same instance id learns it as a member of the
group (`FencedInstanceIdError`), which is fatal."""


def classify(error: BaseException) -> Kind:
    """What can be done about an error of the client.

    >>> classify(errors.ProducerFencedError()), classify(errors.NotLeaderForPartitionError())
    ('abortable', 'retriable')
    >>> classify(errors.TopicAuthorizationFailedError({"events"}))
    'fatal'
    """
    if isinstance(error, FATAL):
        return "fatal"
    if isinstance(error, ABORTABLE):
        return "abortable"
    if isinstance(error, errors.RetriableError):
        return "retriable"
    # A bare KafkaError is what a transaction in an error state gives; what lies behind it was
    # classified when it came, or comes again from the next producer.
    return "abortable"


def told(error: BaseException) -> str:
    """An error in words, its kind first; many of the library's have no text of their own."""
    text = str(error)
    name = type(error).__name__
    return text if name in text else f"{name}: {text}" if text else name
