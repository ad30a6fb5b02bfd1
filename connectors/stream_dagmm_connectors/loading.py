"""Settings from three places: flags beat the environment (`STREAM_DAGMM_*`), which beats the file.

What is wrong is said with where it was said: the flag, the variable or the key of the file.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
)

PREFIX = "STREAM_DAGMM_"

Kind = TypeVar("Kind", bound=BaseSettings)


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
    kind: type[BaseSettings], error: Any, flags: Mapping[str, Any], config: Path | None
) -> str:
    expected = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if not error["loc"]:  # of several that do not go together, which the message names
        return str(expected)
    key = str(error["loc"][0])
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
    return f"{where} is {error['input']!r}, expected {expected}"


def _said_where(key: str, flags: Mapping[str, Any], config: Path | None) -> str:
    if key in flags:
        return "SOURCE" if key == "source" else flag_of(key)
    variable = f"{PREFIX}{key.upper()}"
    if variable in {name.upper() for name in os.environ}:
        return variable
    return f"{config}: {key}"
