"""A folder of results as one HTML page: what was counted, each image with its beads, and how it was done."""

from beadctl.errors import require_extra


def require_packages() -> None:
    """Refuse a report where the package for its page is not installed.

    Raises
    ------
    MissingExtraError
        It names the ``pip install``.
    """
    require_extra("report", "jinja2")
