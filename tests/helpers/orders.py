"""Orders for processes and workers, which import them by name."""

import os
import signal
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from beadctl.console import stopping
from beadctl.errors import FileNote, ModelError


@dataclass(frozen=True)
class Played:
    """Opens a tool that does what its items say; opening it may fail or be deadly."""

    opens: str = ""

    def open(self, number):
        if self.opens == "fails":
            raise ModelError("bead.onnx: another model")
        if self.opens == "bug":
            raise ZeroDivisionError("by 0")
        if self.opens == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return Player(number)


class Player:
    def __init__(self, number):
        self.facts = {"threads": 3, "number": number}

    def work(self, what, *more):
        """Do an item, such as ``("sleep", 0.1)``."""
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "die once" and not Path(more[0]).exists():
            Path(more[0]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "sleep":
            time.sleep(more[0])
        if what == "note":
            warnings.warn(FileNote(Path(more[0]), "a note"), stacklevel=1)
        if what == "absent":
            Path(more[0]).stat()
        if what == "fail":
            raise ModelError("bead.onnx: broken")
        if what == "bug":
            raise ZeroDivisionError("by 0")
        if what == "lambda":
            return lambda: None
        if what == "copy":
            copy = Path(more[0])
            copy.mkdir()
            with stopping.before_leaving(copy.rmdir):
                time.sleep(60)
        return what, os.getpid(), time.monotonic()

    def give_up(self):
        pass
