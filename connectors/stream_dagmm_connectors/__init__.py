"""Connectors: event streams in files and topics, run through a detector of stream_dagmm.

>>> from stream_dagmm_connectors import JsonLinesSource, Pipeline
>>> Pipeline.__name__
'Pipeline'
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream_dagmm_connectors.decoding import Decoder as Decoder
    from stream_dagmm_connectors.evaluation import LabelledScores as LabelledScores
    from stream_dagmm_connectors.events import DeadLetter as DeadLetter
    from stream_dagmm_connectors.events import ScoredEvent as ScoredEvent
    from stream_dagmm_connectors.files import CsvSource as CsvSource
    from stream_dagmm_connectors.files import JsonLinesSource as JsonLinesSource
    from stream_dagmm_connectors.files import ParquetSource as ParquetSource
    from stream_dagmm_connectors.files import PartSink as PartSink
    from stream_dagmm_connectors.files import PlainSink
    from stream_dagmm_connectors.files import open_sink as open_sink
    from stream_dagmm_connectors.files import open_source as open_source
    from stream_dagmm_connectors.kafka.ends import KafkaSink as KafkaSink
    from stream_dagmm_connectors.kafka.ends import KafkaSource as KafkaSource
    from stream_dagmm_connectors.report import Report as Report
    from stream_dagmm_connectors.scoring import Judgement as Judgement
    from stream_dagmm_connectors.stores import DirectoryStore as DirectoryStore
    from stream_dagmm_connectors.surface import Pipeline as Pipeline

    JsonLinesSink = PlainSink

_HOME = {
    "DeadLetter": "events",
    "Decoder": "decoding",
    "DirectoryStore": "stores",
    "JsonLinesSink": "files",
    "JsonLinesSource": "files",
    "CsvSource": "files",
    "Judgement": "scoring",
    "KafkaSink": "kafka.ends",
    "KafkaSource": "kafka.ends",
    "LabelledScores": "evaluation",
    "ParquetSource": "files",
    "PartSink": "files",
    "Pipeline": "surface",
    "Report": "report",
    "ScoredEvent": "events",
    "open_sink": "files",
    "open_source": "files",
}
_SAID_DIFFERENTLY = {"JsonLinesSink": "PlainSink"}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: `stream-dagmm --help` needs no torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOME[name]}")
    return getattr(home, _SAID_DIFFERENTLY.get(name, name))
