"""What a run is told.

Each field of a settings class is one option of its command, one environment variable and one key of
a configuration file; all of them are checked here, by the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from stream_dagmm_connectors.capability import Capability
from stream_dagmm_connectors.kafka.connection import Connection
from stream_dagmm_connectors.kafka.options import SERVERS, Security
from stream_dagmm_connectors.loading import PREFIX, load_as

DetectorName = Literal["dagmm", "gaussian-mixture", "gmvae", "glgae", "vae", "autoencoder", "pca"]
HALF_SPACE_TREES = "hst"
CONTESTANTS = (
    *("dagmm", "gmvae", "glgae", "vae", "autoencoder", "pca", "gaussian-mixture"),
    HALF_SPACE_TREES,
)
"""What `compare` knows by name."""

Format = Literal["jsonl", "csv", "parquet"]
OnError = Literal["dead-letter", "skip", "fail"]


class ReadingSettings(BaseSettings):
    """What a record says: its event, and what of it is none of the detector's business."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, allow_inf_nan=True
    )

    label: str | None = Field(
        None,
        description="field that says what is anomalous; never seen by the detector (replay prints "
        "AUROC and average precision at the end)",
    )
    ignore: tuple[str, ...] = Field(
        (), description="field that the detector must not see; may be given several times"
    )
    rename: tuple[str, ...] = Field(
        (),
        description="feature, and the name that the detector knows it by: where a producer renames "
        "one, the model goes on; may be given several times",
    )
    time: str | None = Field(None, description="field that holds the event's own time")
    value: str | None = Field(None, description="field of the envelope that holds the event")
    cpu_capability: Capability | None = Field(
        None,
        description="instruction set of all arithmetic, so that machines of several kinds give the "
        "same bits (default: all that this processor has)",
    )

    @property
    def renames(self) -> dict[str, str]:
        """What `rename` says: features and the names that the detector knows them by."""
        return dict(pair.split("=", 1) for pair in self.rename)

    @field_validator("rename")
    @classmethod
    def _pairs(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for pair in given:
            if not all(pair.partition("=")):
                raise ValueError("pairs OLD=NEW")
        for side in (0, 1):
            names = [pair.split("=", 1)[side] for pair in given]
            if len(set(names)) < len(names):
                raise ValueError("each name once on its side")
        return given


class ScoringSettings(ReadingSettings):
    """What decides an event's score and what is said of it; the same for files and topics."""

    model_config = ReadingSettings.model_config

    alarm_rate: float = Field(
        0.001, gt=0, le=1, description="share of ordinary events that may raise an alarm"
    )
    explain_below: float = Field(
        0.01, gt=0, le=1, description="explain events with a p-value of at most this"
    )
    detector: DetectorName = Field("dagmm", description="which detector scores")
    seed: int | None = Field(None, ge=0, description="of the detector's random numbers")
    batch_size: int | None = Field(None, ge=1, description="events between two learning steps")
    half_life: float | None = Field(
        None, gt=0, description="events after which an event counts half; inf forgets nothing"
    )
    detector_options: dict[str, Any] = Field(
        default_factory=dict,
        description="further arguments of the detector, as a table of --config",
    )

    @field_validator("half_life", "alarm_rate", "explain_below")
    @classmethod
    def _is_number(cls, value: float | None) -> float | None:
        if value is not None and math.isnan(value):
            raise ValueError("Input should be a number")
        return value

    def detector_arguments(self) -> dict[str, Any]:
        """Everything that was said about the detector, by the names of its constructor."""
        flags = {name: getattr(self, name) for name in ("seed", "batch_size", "half_life")}
        return self.detector_options | {k: v for k, v in flags.items() if v is not None}


class ReplaySettings(Security, ScoringSettings):
    """The options of `stream-dagmm replay`."""

    model_config = ScoringSettings.model_config

    source: str = Field(
        description="a JSON Lines, CSV or Parquet file (gzip and zstd too), '-' for standard "
        "input, 'shuttle' for River's bundled stream, or a topic's "
        "kafka://TOPIC?partition=N&from=OFFSET|TIME&to=OFFSET|TIME"
    )
    format: Format | None = Field(
        None, description="format of SOURCE (default: what its name or its first bytes say)"
    )
    source_name: str | None = Field(
        None, description="name of the source in every event's id (default: the file's name)"
    )
    out: str | None = Field(
        None,
        description="scored events: a .jsonl or .csv file, a .parquet, .gz or .zst directory of "
        "parts, kafka://TOPIC, or '-' for standard output",
    )
    on_error: OnError = Field(
        "dead-letter", description="what becomes of a record that is no event"
    )
    dead_letter: str | None = Field(
        None,
        description="file for such records, by its ending or else JSON Lines (default: the name of "
        "--out with .dead-letters.jsonl after it)",
    )
    resume: Path | None = Field(
        None, description="keep state in this directory, and go on from what it holds"
    )
    checkpoint_every: int = Field(10_000, ge=1, description="records between two checkpoints")
    fresh: bool = Field(
        False, description="forget what --resume holds, and overwrite outputs that are there"
    )
    rate: float | Literal["real-time"] | None = Field(
        None, description="events per second, or 'real-time' to go by --time (default: no brake)"
    )
    learn: bool = Field(True, description="learn each event after its score, or only score")
    model: Path | None = Field(None, description="begin with this saved detector")
    save_model: Path | None = Field(None, description="save the detector here at the end")
    report: Path | None = Field(None, description="write a page of what was found, as HTML")
    bootstrap_servers: str | None = Field(None, description=f"{SERVERS}, for kafka://")
    against: str | None = Field(
        None,
        description="compare with what a run emitted into this topic, instead of writing anything: "
        "exit code 0 same, 1 different, 2 could not be compared",
    )
    group: str = Field("stream-dagmm", min_length=1, description="that run's group")
    checkpoints: str | None = Field(
        None, description="that run's checkpoints (default: AGAINST.checkpoints)"
    )
    checkpoint_store: str | None = Field(
        None, description="or the directory or object store that it kept them in"
    )

    @field_validator("rate")
    @classmethod
    def _positive_rate(cls, rate: float | str | None) -> float | str | None:
        if isinstance(rate, float) and not (rate > 0.0 and math.isfinite(rate)):
            raise ValueError("Input should be a number above 0, or 'real-time'")
        return rate

    def connection(self) -> Connection:
        """How to reach the topics; `ValueError` where that was not said."""
        if self.bootstrap_servers is None:
            raise ValueError("kafka:// needs --bootstrap-servers HOST:PORT, got none")
        return self.reach(self.bootstrap_servers)


class CompareSettings(ReadingSettings):
    """The options of `stream-dagmm compare`."""

    model_config = ReadingSettings.model_config

    source: str = Field(description="as of replay, topics apart")
    format: Format | None = Field(
        None, description="format of SOURCE (default: what its name or its first bytes say)"
    )
    detectors: str = Field(
        ",".join(CONTESTANTS),
        description="which, each once; hst is River's HalfSpaceTrees behind MinMaxScaler",
    )
    seed: int = Field(0, ge=0, description="of every detector's random numbers")
    detector_options: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="further arguments of detectors, as tables of --config by their names",
    )
    report: Path = Field(Path("comparison.html"), description="the page to write")
    fresh: bool = Field(False, description="overwrite a page that is there")

    @field_validator("detectors", mode="before")
    @classmethod
    def _each_once(cls, said: object) -> object:
        words = said if isinstance(said, list) else str(said).split(",")
        names = [str(word).strip().replace("_", "-") for word in words if str(word).strip()]
        if not names or len(set(names)) < len(names) or not set(names) <= set(CONTESTANTS):
            raise ValueError(f"some of {','.join(CONTESTANTS)}, each once")
        return ",".join(names)

    @field_validator("detector_options")
    @classmethod
    def _of_detectors(cls, said: dict[str, Any]) -> dict[str, Any]:
        if not {name.replace("_", "-") for name in said} <= {*CONTESTANTS} - {HALF_SPACE_TREES}:
            raise ValueError(f"tables out of {', '.join(CONTESTANTS[:-1])}")
        return {name.replace("_", "-"): table for name, table in said.items()}

    @property
    def names(self) -> list[str]:
        """The detectors, in the order in which they were named."""
        return self.detectors.split(",")


def load(flags: Mapping[str, Any], config: Path | None = None) -> ReplaySettings:
    """The settings of replay that flags, environment and file give together; see `load_as`."""
    return load_as(ReplaySettings, flags, config)
