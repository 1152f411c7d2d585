"""Numbers and names of things in messages: 1 image, 2 images; a.tif, b.tif, c.tif and 4 more."""

from collections.abc import Sequence


def form(number: int, one: str, many: str = "") -> str:
    """Return the word for so many things.

    Parameters
    ----------
    number : int
        How many there are.
    one, many : str
        The word for one of them, and for any other number; by default `one` with an s.

    Examples
    --------
    >>> form(1, "image"), form(0, "image"), form(2, "has", "have")
    ('image', 'images', 'have')
    """
    return one if number == 1 else many or f"{one}s"


def number_of(number: int, one: str, many: str = "") -> str:
    """Return how many things there are, as words; parameters are those of `form`.

    Examples
    --------
    >>> number_of(1, "image"), number_of(1200, "image"), number_of(2, "series", "series")
    ('1 image', '1200 images', '2 series')
    """
    return f"{number} {form(number, one, many)}"


def first_names(names: Sequence[str], most: int = 3) -> str:
    """Return the first of several names, and how many more there are.

    Examples
    --------
    >>> first_names(["a", "b", "c", "d"]), first_names(["a"])
    ('a, b, c and 1 more', 'a')
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
