"""The command ``beadctl``, and ``python -m beadctl``."""

import contextlib
import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line on the arguments of the process and exit with its code."""
    # While the command line is imported there is nothing to keep, and an exception would be a traceback.
    for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    _take_closed_streams()
    from beadctl.cli.main import main

    main()


def _take_closed_streams() -> None:
    """Let no file have the number of a closed standard stream, to which libraries write their words."""
    with contextlib.suppress(OSError):
        # The lowest free number comes first.
        while (taken := os.open(os.devnull, os.O_RDWR)) <= 2:
            # Processes that this one starts have the same libraries.
            os.set_inheritable(taken, True)
        os.close(taken)


def _leave(number: int, _: FrameType | None) -> None:
    os._exit(130 if number == signal.SIGINT else 143)


if __name__ == "__main__":
    main()
