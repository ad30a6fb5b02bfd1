"""Every error of kafka-python, sorted into what can be done about it.

What the library itself says of them does not serve: `RebalanceInProgress` and `IllegalGeneration`
count as not retriable there, a fenced producer takes `begin`, `send` and `flush` without a word,
and commit then raises a bare `KafkaError`. What is named nowhere here is fatal: to end with a
reason and be started again is always safe, to go on for ever over an error nobody reads is not.
"""

from __future__ import annotations

from typing import Literal

from kafka import errors

Kind = Literal["retriable", "abortable", "fatal"]

RETRIABLE = (
    errors.RetriableError,
    errors.BrokerNotAvailableError,
    errors.KafkaProtocolError,  # an answer that makes no sense: the connection is made anew
    errors.UnknownBrokerIdError,
)
"""The client asks again, or the next turn of the loop does; what was sent is not lost."""

ABORTABLE = (
    errors.CommitFailedError,
    errors.DuplicateSequenceNumberError,
    errors.FencedMemberEpochError,
    errors.GroupIdNotFoundError,
    errors.IllegalGenerationError,
    errors.IllegalStateError,  # a call to a producer whose transaction went wrong meanwhile
    errors.InvalidProducerEpochError,
    errors.InvalidProducerIdMappingError,
    errors.InvalidTxnStateError,
    errors.MemberIdRequiredError,
    errors.OperationNotAttemptedError,
    errors.OutOfOrderSequenceNumberError,
    errors.ProducerFencedError,
    errors.RebalanceInProgressError,
    errors.StaleMemberEpochError,
    errors.TransactionAbortableError,
    errors.TransactionAbortedError,
    errors.TransactionCoordinatorFencedError,
    errors.TransactionalIdNotFoundError,
    errors.UnknownError,  # the broker's own word for what it did not expect
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
    >>> classify(errors.TopicAuthorizationFailedError({"events"})), classify(errors.KafkaError())
    ('fatal', 'abortable')
    """
    if isinstance(error, RETRIABLE):
        return "retriable"
    # A bare KafkaError is what a transaction in an error state gives; what lies behind it was
    # classified when it came, or comes again from the next producer.
    if isinstance(error, ABORTABLE) or type(error) is errors.KafkaError:
        return "abortable"
    return "fatal"


def told(error: BaseException) -> str:
    """An error in words, its kind first; many of the library's have no text of their own."""
    text = str(error)
    name = type(error).__name__
    return text if name in text else f"{name}: {text}" if text else name
