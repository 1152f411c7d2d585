"""Processes that do the work of this one."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Protocol


class Workers(Protocol):
    """Processes that do the work of this one, as those of `beadctl.cluster` do."""

    @property
    def places(self) -> int:
        """Tasks that they do at a time."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What ``run.json`` says of them, in place of what it says of this process."""

    def submit(self, *item: Any) -> Future[Any]:
        """Have a task done, such as an image finished; what fails of it alone is an `ImageError`."""

    def check(self) -> None:
        """Raise an error if they cannot be reached any more."""

    def give_up(self) -> None:
        """Have nothing further done."""
