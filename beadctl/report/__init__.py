"""A folder of results as one HTML page: what was counted, each image with its beads, and how it was done."""

from importlib.util import find_spec

from beadctl.errors import MissingExtraError


def require_packages() -> None:
    """Refuse a report where the package for its page is not installed.

    Raises
    ------
    MissingExtraError
        It names the ``pip install``.
    """
    if find_spec("jinja2") is None:
        raise MissingExtraError('jinja2 is not installed; pip install "beadctl[report]"')
