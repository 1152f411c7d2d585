"""A run by the command line, and the signals that end it."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers.training import write_tiles


@pytest.mark.skipif(sys.platform == "win32", reason="no process groups")
def test_a_signal_to_all_processes_ends_a_run_in_good_order(tmp_path):
    """Schedulers signal the whole process group: the workers are gone before the run can end them."""
    tiles = write_tiles(tmp_path / "tiles")
    words = ["train", "--tiles", tiles, "-o", tmp_path / "run", "--size", 32, "--width", 4, "--depth", 2]
    words += ["--epochs", 10_000, "--patience", 10_000, "--device", "cpu", "--threads", 1]
    environment = os.environ | {"BEADCTL_TRAIN__WORKERS": "2"}
    with subprocess.Popen(
        [sys.executable, "-m", "beadctl", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "run/last.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGTERM)
        try:
            _, said = process.communicate(timeout=300)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 143
    assert "Traceback" not in said
    assert "--resume" in said
