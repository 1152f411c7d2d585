"""A log for programs: one JSON line for each event of a command, added to a file as it happens."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from beadctl.errors import BeadctlError, ExitCode, Interrupted, OutputError
from beadctl.text import json_text

# One command runs in a process; events come from its threads too.
_files: list[TextIO] = []
_faults: list[str] = []


def event(name: str, **facts: Any) -> None:
    """Write an event with its time, where a log is asked for; a full disk ends the log and not the work."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    for file in _files:
        try:
            file.write(json_text({"time": time, "event": name, **facts}, indent=None) + "\n")
        except OSError as error:
            _faults.append(str(error.strerror))


def logged(
    path: Path | None, command: str, call: Callable[[], ExitCode | None], warn: Callable[[str], None]
) -> ExitCode:
    """Call a command and log its events, from ``start`` to ``end``.

    Parameters
    ----------
    path : Path or None
        The log, to which lines are added; None for no log.
    command, call : str and callable
        Name of the command, and what it does; its errors are raised again.
    warn : callable
        Takes the text of a warning where the disk had no room for all events.

    Raises
    ------
    OutputError
        If the log cannot be written.
    """
    if path is None:
        return call() or ExitCode.DONE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
    except OSError as error:
        raise OutputError(f"--log-json {path}: cannot be written ({error.strerror})") from None
    _files.append(file)
    code, reason = ExitCode.SOME_FAILED, ""
    event("start", command=command)
    try:
        code = call() or ExitCode.DONE
    except (BeadctlError, Interrupted) as error:
        code, reason = error.exit_code, str(error) if isinstance(error, BeadctlError) else "interrupted"
        raise
    except BaseException as error:
        reason = type(error).__name__
        raise
    finally:
        event("end", exit_code=int(code), reason=reason)
        _files.remove(file)
        try:
            file.close()
        except OSError as error:
            _faults.append(str(error.strerror))
        if _faults:
            warn(f"--log-json {path}: could not be written ({_faults[0]}); events are missing in it")
            _faults.clear()
    return code
