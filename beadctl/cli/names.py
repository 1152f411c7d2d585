"""Names of settings and their flags, and advice on those that do not exist: the new name, or the nearest."""

import difflib
from collections.abc import Sequence

from beadctl.errors import SettingsError

# A name with the first word had the second word in its place before version 0.2.
FORMER_WORDS = {"marker": "seed", "save": "overlays"}
# Flags of settings whose flag is not the name of the field.
FLAGS = {
    "train.start": ("--from",),
    "train.augment": ("--augment/--no-augment",),
    "train.tensorboard": ("--tensorboard",),
    "loss.name": ("--loss",),
    "inference.model": ("--model", "-m"),
    "cluster.workers": ("--cluster",),
    "instances.exclude_border": ("--exclude-border/--keep-border",),
    "output.out_dir": ("--out-dir", "-o"),
    "data.recursive": ("--recursive/--no-recursive",),
}


def flags_of(key: str) -> tuple[str, ...]:
    """Return the flags of a setting.

    Examples
    --------
    >>> flags_of("tile.overlap"), flags_of("inference.model")
    (('--overlap',), ('--model', '-m'))
    """
    return FLAGS.get(key, (f"--{key.rpartition('.')[2].replace('_', '-')}",))


def require_known(name: str, names: Sequence[str], problem: str) -> None:
    """Refuse a name that does not exist.

    Parameters
    ----------
    name : str
        The given name.
    names : sequence of str
        The names that exist.
    problem : str
        Start of the message, with ``{}`` in place of the name.

    Raises
    ------
    SettingsError
        With the new name of a renamed setting, else the nearest name, else all of them.
    """
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    if new := renamed(name, names):
        advice = f"it is now {new}"
    else:
        advice = f"did you mean {near[0]}?" if near else f"valid: {', '.join(names)}"
    raise SettingsError(f"{problem.format(name)}; {advice}")


def renamed(name: str, names: Sequence[str]) -> str | None:
    """Return that of `names` which was called `name` before, in lower case, capitals or as a flag."""
    for new in names:
        for word, former in FORMER_WORDS.items():
            if name in (new.replace(word, former), new.replace(word.upper(), former.upper())) and name != new:
                return new
    return None
