"""The settings: flags > environment > ``beadctl.toml`` > defaults, read by pydantic-settings.

A value comes from the first source that has it: a flag; ``BEADCTL_<SECTION>__<FIELD>`` in the environment;
``beadctl.toml`` in the working folder (or ``--config FILE``, or ``BEADCTL_CONFIG``); the default of the
command, else that in `beadctl.cli.sections`. `Settings` is frozen: they are the same for all images of a run.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from beadctl.cli import sections
from beadctl.cli.names import flags_of, require_known
from beadctl.errors import SettingsError
from beadctl.text import json_text
from beadctl.url import Url

PREFIX = "BEADCTL_"
CONFIG_NAME = "beadctl.toml"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
# Names with the prefix that are not settings: the settings file, and the folder of the tests' images.
OTHER_VARIABLES = (CONFIG_VARIABLE, f"{PREFIX}DATA")

# Sources below the flags, highest first, while `load` builds the settings.
_below_flags: ContextVar[tuple[PydanticBaseSettingsSource, ...]] = ContextVar("_below_flags", default=())


class Settings(BaseSettings):
    """Every setting of beadctl, by section. `load` reads all sources; the constructor its arguments only."""

    # Without decoding, lists in the environment reach the fields as text, not as JSON.
    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,
    )

    data: sections.Data = Field(default_factory=sections.Data)
    images: sections.Images = Field(default_factory=sections.Images)
    tile: sections.Tile = Field(default_factory=sections.Tile)
    train: sections.Train = Field(default_factory=sections.Train)
    loss: sections.LossSection = Field(default_factory=sections.LossSection)
    export: sections.Export = Field(default_factory=sections.Export)
    inference: sections.Inference = Field(default_factory=sections.Inference)
    instances: sections.Instances = Field(default_factory=sections.Instances)
    counting: sections.Counting = Field(default_factory=sections.Counting)
    cluster: sections.Cluster = Field(default_factory=sections.Cluster)
    output: sections.OutputSection = Field(default_factory=sections.OutputSection)

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the flags, which are the constructor's arguments, and the checked sources of `load`."""
        return sources["init_settings"], *_below_flags.get()


@dataclass(frozen=True)
class Loaded:
    """The effective settings, and where each value came from.

    Attributes
    ----------
    settings : Settings
        The effective settings.
    origins : Mapping of str to str
        ``section.field`` to ``flag``, the environment's name, the file or ``default``.
    config, flags
        What `load` was called with.
    """

    settings: Settings
    origins: Mapping[str, str]
    config: Path | None
    flags: Mapping[str, object]

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield (``section.field``, value as TOML, origin) for every setting; unset values are empty."""
        for section, content in self.settings.model_dump(mode="json").items():
            for field, value in content.items():
                key = f"{section}.{field}"
                yield key, "" if value is None else toml_value(value), self.origins[key]


def toml_value(value: object) -> str:
    """Return a plain value as TOML in one line, which is also JSON."""
    return json_text(value, indent=None)


def require_folder(out: Path | None, flag: str = "-o") -> None:
    """Refuse a folder of results that is an address of a store.

    Parameters
    ----------
    out, flag : Path or None, and str
        The folder, if one is given, and its flag; empty for an argument.

    Raises
    ------
    SettingsError
        Names what to do.
    """
    if out and (url := Url.of(out)):
        which = "segment, count and merge alone write to a store"
        raise SettingsError(f"{flag} {url.shown}: {which}; give a folder".lstrip())


def section_of(name: str) -> type[sections.Section]:
    """Return the class of the section `name`."""
    kind = Settings.model_fields[name].annotation
    assert isinstance(kind, type)
    assert issubclass(kind, sections.Section)
    return kind


def fields() -> Iterator[tuple[str, str]]:
    """Yield every (section, field) of the settings, in order."""
    for section in Settings.model_fields:
        for field in section_of(section).model_fields:
            yield section, field


def stated(flags: Mapping[str, object]) -> Loaded:
    """Check settings that are given one by one; neither environment nor file is read.

    Parameters and errors are those of `load`.
    """
    given = _by_section(flags)
    origins = {f"{section}.{field}": "default" for section, field in fields()}
    origins |= dict.fromkeys(_keys(given), "flag")
    try:
        return Loaded(Settings(**given), origins, None, flags)
    except ValidationError as error:
        # They are no flags.
        raise SettingsError(_explain(error, dict.fromkeys(origins, ""))) from None


def load(
    config: Path | None = None,
    flags: Mapping[str, object] | None = None,
    defaults: Mapping[str, object] = MappingProxyType({}),
) -> Loaded:
    """Read flags, environment and file, and check every name and value.

    Parameters
    ----------
    config : Path, optional
        The settings file; else ``BEADCTL_CONFIG``, else ``beadctl.toml`` where it exists.
    flags : mapping, optional
        ``section.field`` to value; None means that the flag was not given.
    defaults : mapping
        ``section.field`` to the defaults of a command that differ from those of the sections.

    Raises
    ------
    SettingsError
        For a name that does not exist (with its new name or the nearest one), a value out of its bounds, or
        a file that cannot be read.
    """
    file, environment, flags = _file(config), _environment(), flags or {}
    given = _by_section(flags)
    variables = {key: PREFIX + key.replace(".", "__").upper() for key in _keys(environment())}
    origins = {f"{section}.{field}": "default" for section, field in fields()}
    origins |= dict.fromkeys(_keys(file()), str(file.toml_file_path))
    origins |= variables | dict.fromkeys(_keys(given), "flag")
    token = _below_flags.set((environment, file, InitSettingsSource(Settings, _by_section(defaults))))
    try:
        return Loaded(Settings(**given), origins, config, flags)
    except ValidationError as error:
        raise SettingsError(_explain(error, origins)) from None
    finally:
        _below_flags.reset(token)


def _by_section(flags: Mapping[str, object]) -> dict[str, Any]:
    """Return the values of flags that were given, by section and field."""
    given: dict[str, Any] = {}
    for key, value in flags.items():
        if value is not None:
            section, field = key.split(".")
            given.setdefault(section, {})[field] = value
    return given


def _keys(content: Mapping[str, Any]) -> list[str]:
    return [f"{section}.{field}" for section, values in content.items() for field in values]


class _TomlFile(TomlConfigSettingsSource):
    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        # Editors of Windows begin a file with a byte order mark, which TOML has not.
        return tomllib.loads(file_path.read_text(encoding="utf-8-sig"))


def _file(config: Path | None) -> TomlConfigSettingsSource:
    """Read the settings file and check its names; no file is an empty one."""
    asked = config or (Path(text) if (text := os.environ.get(CONFIG_VARIABLE)) else None)
    path = asked or Path(CONFIG_NAME)
    if asked and not path.is_file():
        raise SettingsError(f"{path}: no such settings file; write one, or leave --config out")
    try:
        source = _TomlFile(Settings, path)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); check --config") from None
    for section, values in source.toml_data.items():
        require_known(section, list(Settings.model_fields), f"{path}: unknown section [{{}}]")
        if not isinstance(values, dict):
            problem = f"{section} is a section; write [{section}] and its settings below it"
            raise SettingsError(f"{path}: {problem}")
        for field, value in values.items():
            names = list(section_of(section).model_fields)
            require_known(field, names, f"{path}: unknown setting {section}.{{}}")
            if value == "":
                raise SettingsError(f"{path}: {section}.{field} is empty; give it a value, or leave it out")
    return source


def _environment() -> EnvSettingsSource:
    """Read the environment's settings and check their names, which are in capitals."""
    known = [f"{PREFIX}{section}__{field}".upper() for section, field in fields()]
    given = [name for name in sorted(os.environ) if name.startswith(PREFIX) and name not in OTHER_VARIABLES]
    for name in given:
        require_known(name, known, "environment: unknown setting {}")
        if not os.environ[name]:
            raise SettingsError(f"environment: {name} is empty; give it a value, or unset it")
    if small := [name for name in sorted(os.environ) if name not in known and name.upper() in known]:
        raise SettingsError(f"environment: {small[0]} is not read; write it in capitals, {small[0].upper()}")
    source = EnvSettingsSource(Settings)
    # The source ignores case and would take BEADCTL_DATA for the section [data].
    source.env_vars = {name.lower(): os.environ[name] for name in given}
    return source


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"][:2])
    message = first["msg"].removeprefix("Value error, ")
    if len(first["loc"]) == 1:
        return f"{key}.{message}"
    origin = origins.get(key, "default")
    if origin == "flag":
        named = f"{flags_of(key)[0]} {first['input']} ({key})"
    else:
        named = f"{key} = {first['input']!r}{f' (from {origin})' * bool(origin)}"
    return f"{named}: {message[0].lower()}{message[1:]}"
