"""Typer options made of the settings' fields, so that flags, help, choices and defaults are written once.

The parameter of a flag that is left out is None, so that `settings.load` sees only the flags that were given.
"""

import copy
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Annotated, Any, get_args, get_origin

import typer

from beadctl.cli.names import flags_of
from beadctl.cli.settings import load, require_folder, section_of
from beadctl.console import SILENT, Messages, logged
from beadctl.devices import DEVICE_KINDS
from beadctl.launch import Launch
from beadctl.results.formats import Output
from beadctl.text import cell

# Panels of the help in their order. A field that `PANELS` does not name has the panel of its section.
PANEL_ORDER = (
    (INPUT := "Input"),
    (TILES := "Tiles"),
    (MODEL := "Model file"),
    (NETWORK := "Network"),
    (OPTIMISER := "Optimiser"),
    (LOSS := "Loss"),
    (INSTANCES := "Instances"),
    (STATISTICS := "Statistics"),
    (RUN := "Run"),
    (OUTPUT := "Output"),
)
PANELS = {
    "data": INPUT,
    "tile": TILES,
    "train": OPTIMISER,
    "loss": LOSS,
    "export": MODEL,
    "inference": RUN,
    "instances": INSTANCES,
    "counting": STATISTICS,
    "cluster": RUN,
    "output": OUTPUT,
    **dict.fromkeys(("data.tiles", "data.size", "train.simulate", "train.augment"), TILES),
    **dict.fromkeys(("train.start", "train.arch", "train.width", "train.depth"), NETWORK),
    **dict.fromkeys(("train.max_channels", "train.dropout", "train.dilation"), NETWORK),
    **dict.fromkeys(("train.epochs", "train.steps_per_epoch", "train.max_minutes", "train.patience"), RUN),
    "train.select": RUN,
    **dict.fromkeys(("train.precision", "train.workers", "train.tensorboard", "data.seed"), RUN),
    "inference.diameter": INSTANCES,
    "inference.model": MODEL,
}
# A longer list of choices is part of the help, since Typer shows it as the type, beside the help.
LONGEST_TYPE = 10
# Help of flags that mean something of their own where a command trains.
TRAINING_WORDS = MappingProxyType(
    {
        "data.size": "Edge of a sample or of a simulated scene, px [that of the tiles; 512 of scenes]",
        "inference.device": "Device that trains: auto (cuda where it works, else cpu), cpu, cuda; or one of "
        "several, as cuda:1 [auto]",
        "cluster.workers": "Workers: local:N processes here, a Dask cluster by its scheduler at "
        "tcp://HOST:PORT, or N jobs by jobqueue.yaml:N [this process alone]",
    }
)


def command(
    out_dir: str | None = None,
    flags: Mapping[str, Sequence[str]] = MappingProxyType({}),
    *,
    defaults: Mapping[str, object] = MappingProxyType({}),
    words: Mapping[str, str] = MappingProxyType({}),
    log: bool = False,
    several: bool = False,
    stores: bool = False,
    **sections: str,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of settings.

    The first parameters of the decorated function are ``loaded``, the `Loaded` settings, and ``messages``,
    the `Messages`; the others are its own options.

    Parameters
    ----------
    out_dir : str, optional
        Folder of the results in the help, where the setting has none.
    flags : mapping, optional
        ``section.field`` to flags that differ from those of other commands.
    defaults : mapping, optional
        ``section.field`` to the command's own default of a setting.
    words : mapping, optional
        ``section.field`` to the help of a flag that means something of its own here.
    log : bool
        Whether it has ``--log-json``.
    several : bool
        Whether torchrun may start it as several processes, of which one tells and logs.
    stores : bool
        Whether the folder of its results may be an address of a store.
    sections : str
        Names of fields of a section, separated by spaces, or ``*`` for all.
    """
    keys = [
        f"{section}.{field}"
        for section, names in sections.items()
        for field in (section_of(section).model_fields if names == "*" else names.split())
    ]
    own_defaults = {"output.out_dir": out_dir, **defaults}
    from_settings = [
        _option(key, flags.get(key, flags_of(key)), own_defaults.get(key), words.get(key)) for key in keys
    ]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = list(inspect.signature(function).parameters.values())[2:]
        of_all = [*from_settings, *map(_shown_alike, own), *[_LOG] * log, *_COMMON]
        parameters = sorted(of_all, key=_panel_number)

        @functools.wraps(function)
        def run(
            *, config: Path | None, quiet: bool, verbose: bool, log_json: Path | None = None, **values: Any
        ) -> Any:
            given = {name.replace("__", "."): values.pop(name) for name in list(values) if "__" in name}
            loaded, messages = load(config, given, defaults), Messages.of(quiet=quiet, verbose=verbose)
            if not stores and "output.out_dir" in keys:
                require_folder(loaded.settings.output.out_dir)
            if several and not Launch.of().leads:
                messages, log_json = SILENT, None
            work = functools.partial(function, loaded, messages, **values)
            return logged(log_json, function.__name__, work, messages.warn)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        # Typer keeps the line breaks of all paragraphs but the first.
        run.__doc__ = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.getdoc(function) or "")
        return run

    return decorate


def _shown_alike(parameter: inspect.Parameter) -> inspect.Parameter:
    """Return an option or argument of a command with a help like those of settings.

    A sentence has no full stop, and a flag no type, as it takes no value.
    """
    kind, info = get_args(parameter.annotation)
    info = copy.copy(info)
    info.help = info.help.rstrip(".")
    if kind is bool:
        info.metavar = ""
    return parameter.replace(annotation=Annotated[kind, info])


def _panel_number(parameter: inspect.Parameter) -> int:
    panel = parameter.annotation.__metadata__[0].rich_help_panel
    return PANEL_ORDER.index(panel) if panel in PANEL_ORDER else -1


def with_default(words: str, default: object) -> str:
    """Return a help text with its default in the same paragraph; Typer would set it as a column."""
    # The backslash keeps rich from reading the bracket as markup.
    return f"{words} [dim]\\[default: {default}][/dim]"


def list_of(family: type[StrEnum]) -> Callable[[str], list[str]]:
    """Return a completion for a list of members of an enum, separated by commas."""

    def complete(incomplete: str) -> list[str]:
        given = incomplete.split(",")[:-1]
        return [",".join([*given, member]) for member in family if member not in given]

    return complete


def _completion(key: str, words: str) -> Callable[[str], list[str]] | None:
    """Return the completion of a setting; of a device, those that its help names."""
    if key == "output.save":
        return list_of(Output)
    if key != "inference.device":
        return None
    named = [name for name in DEVICE_KINDS if re.search(rf"\b{name}\b", words)]
    return lambda incomplete: [name for name in named if name.startswith(incomplete)]


def _parameter(name: str, kind: Any, option: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=Annotated[kind, option]
    )


_CONFIG = typer.Option(
    help=with_default("Settings file", "beadctl.toml, if there is one"), show_default=False
)
_QUIET = typer.Option("--quiet", "-q", help="Print only errors and warnings", metavar="")
_VERBOSE = typer.Option("--verbose", "-v", help="Print details too, such as the model file", metavar="")
_COMMON = (
    _parameter("config", Path | None, _CONFIG),
    _parameter("quiet", bool, _QUIET, False),
    _parameter("verbose", bool, _VERBOSE, False),
)
_LOG = _parameter(
    "log_json",
    Path | None,
    typer.Option(
        "--log-json",
        help="Add a JSON line for each image, epoch and warning to this file",
        rich_help_panel=OUTPUT,
    ),
)


def _option(key: str, flags: Sequence[str], own_default: object, own_words: str | None) -> inspect.Parameter:
    """Return the parameter of a setting, named ``section__field``; None for the default of the section."""
    section, field = key.split(".")
    info = section_of(section).model_fields[field]
    # A bracket at the end of a description names what None stands for.
    words, _, bracket = (own_words or info.description or "").rstrip(".]").partition(" [")
    default = cell(own_default) or bracket or _default(info.default, flags[0])
    kind = _kind(info.annotation)
    choices = list(kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else []
    is_long = len("|".join(choices)) > LONGEST_TYPE
    if is_long:
        words += f"; one of {', '.join(choices)}"
    option = typer.Option(
        *flags,
        help=with_default(words, default) if default else words,
        show_default=False,
        metavar="" if kind is bool else "<name>" if is_long else "<list>" if kind == list[str] else None,
        rich_help_panel=PANELS.get(key, PANELS[section]),
        autocompletion=_completion(key, words),
    )
    return _parameter(key.replace(".", "__"), kind | None, option)


def _kind(annotation: Any) -> Any:
    """Return the type of a flag: that of its field without None and bounds, texts for a list."""
    if get_origin(annotation) is not None:
        inner = next(part for part in get_args(annotation) if part is not NoneType)
        return list[str] if get_origin(annotation) is tuple else _kind(inner)
    assert isinstance(annotation, type)
    return annotation


def _default(value: object, names: str) -> str:
    """Return the default of a field for the help; empty for None and for a flag that is off."""
    if isinstance(value, bool):
        on, _, off = names.partition("/")
        return (on if value else off).lstrip("-")
    return ",".join(value) if isinstance(value, tuple) else cell(value)


GradientAudit = Annotated[
    bool,
    typer.Option(
        "--gradient-audit",
        help="Measure in each epoch which pixels each loss's gradient acts on.",
        rich_help_panel=RUN,
    ),
]

_INPUTS = typer.Argument(
    help="Images, folders of images, addresses such as s3://bucket/plate, or lists: @FILE, or - for stdin."
)
Inputs = Annotated[list[Path], _INPUTS]
OptionalInputs = Annotated[list[Path] | None, _INPUTS]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print tiles, memory and time that the run would take, and write nothing.",
        rich_help_panel=OUTPUT,
    ),
]
ShardText = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="Do one of N parts of the work: I/N, I from 1; in a job array also auto or auto/N.",
        rich_help_panel=RUN,
    ),
]
Watch = Annotated[
    bool,
    typer.Option(
        "--watch",
        help="Segment the images of one folder as they are written into it, until Ctrl-C.",
        rich_help_panel=RUN,
    ),
]
Labels = Annotated[
    list[Path] | None,
    typer.Option(
        "--labels",
        help="Count the beads of label images that another program made, in a folder or a file, without a "
        "network.",
        rich_help_panel=INPUT,
    ),
]
