"""What a run is told: flags beat the environment (`STREAM_DAGMM_*`), which beats the file.

Each field of a settings class is one option of its command, one environment variable and one key of
a configuration file; all of them are checked here, by the same rules.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from stream_dagmm_connectors.kafka.connection import Connection
from stream_dagmm_connectors.kafka.options import SERVERS, Security

PREFIX = "STREAM_DAGMM_"

DetectorName = Literal["dagmm", "gaussian-mixture", "gmvae", "glgae", "vae", "autoencoder", "pca"]
Format = Literal["jsonl", "csv", "parquet"]
OnError = Literal["dead-letter", "skip", "fail"]


class ScoringSettings(BaseSettings):
    """What decides an event's score and what is said of it; the same for files and topics."""

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
    time: str | None = Field(None, description="field that holds the event's own time")
    value: str | None = Field(None, description="field of the envelope that holds the event")
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
    checkpoint_directory: Path | None = Field(
        None, description="or the directory that it kept them in"
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


Kind = TypeVar("Kind", bound=ScoringSettings)


def load(flags: Mapping[str, Any], config: Path | None = None) -> ReplaySettings:
    """The settings of replay that flags, environment and file give together; see `load_as`."""
    return load_as(ReplaySettings, flags, config)


def load_as(kind: type[Kind], flags: Mapping[str, Any], config: Path | None = None) -> Kind:
    """The settings of a kind that flags, environment and file give together.

    Raises `ValueError`, one line for each thing that is wrong: key and where it was said, the
    value, what is allowed.
    """
    held = {} if config is None else read_file(config)

    class Layered(kind):  # type: ignore[valid-type,misc]
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=held)

    try:
        return Layered(**flags)
    except ValidationError as error:
        lines = [_in_words(kind, one, flags, config) for one in error.errors()]
        raise ValueError("\n".join(lines)) from None
    except SettingsError as error:
        named = re.search(r'field "(\w+)"', str(error))
        variable = f"{PREFIX}{named[1].upper()}" if named else "environment"
        got = os.environ.get(variable)
        raise ValueError(f'{variable} is {got!r}, expected JSON, as in \'["a", "b"]\'') from None


def read_file(path: Path) -> dict[str, Any]:
    """The keys of a TOML or YAML file; dashes in them are underscores.

    Raises `ValueError` for a file that is neither, or holds something else than keys.
    """
    if path.suffix not in (".toml", ".yaml", ".yml"):
        raise ValueError(f"{path}: got the ending {path.suffix!r}, expected .toml, .yaml or .yml")
    try:
        text = path.read_text(encoding="utf-8")
        held = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read: {error.strerror}; name an existing file"
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        kind = "TOML" if path.suffix == ".toml" else "YAML"
        said = " ".join(str(error).split())
        raise ValueError(f"{path} is not {kind}: {said}; correct it there") from None
    if held is None:
        return {}
    if not isinstance(held, dict):
        raise ValueError(f"{path} holds a {type(held).__name__}, expected keys with values")
    return {str(key).replace("-", "_"): value for key, value in held.items()}


def flag_of(name: str) -> str:
    """How a field is called on the command line.

    >>> flag_of("alarm_rate")
    '--alarm-rate'
    """
    return "--" + name.replace("_", "-")


def _in_words(
    kind: type[ScoringSettings], error: Any, flags: Mapping[str, Any], config: Path | None
) -> str:
    key = str(error["loc"][0]) if error["loc"] else "settings"
    if error["type"] == "missing":
        return (
            f"{key} is missing; name it on the command line, in {PREFIX}{key.upper()} or in a file"
        )
    where = _said_where(key, flags, config)
    if error["type"] == "extra_forbidden":
        meant = difflib.get_close_matches(key, kind.model_fields, 1)
        perhaps = f"perhaps {meant[0]}, else " if meant else ""
        known = ", ".join(sorted(kind.model_fields))
        return f"{where}: unknown key; expected {perhaps}one of {known}"
    expected = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{where} is {error['input']!r}, expected {expected}"


def _said_where(key: str, flags: Mapping[str, Any], config: Path | None) -> str:
    if key in flags:
        return "SOURCE" if key == "source" else flag_of(key)
    variable = f"{PREFIX}{key.upper()}"
    if variable in {name.upper() for name in os.environ}:
        return variable
    return f"{config}: {key}"
