"""Advice on names of settings and flags that do not exist: the new name of a renamed one, or the nearest."""

import difflib
from collections.abc import Sequence

from beadctl.errors import SettingsError

# A name with the first word had the second word in its place before version 0.2.
FORMER_WORDS = {"marker": "seed", "save": "overlays"}


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
