"""A run into a bucket of S3."""

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs
from helpers.s3 import s3_bucket
from helpers.stored_results import content, holder, in_folder

from beadctl import lock
from beadctl.store import forget

pytestmark = pytest.mark.usefixtures("plate")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_run_into_s3_is_killed_and_goes_on(segment, run, model_path, monkeypatch):
    """Against moto's server, with a process of its own, of whose temporary folder nothing is needed."""
    for number in range(8):
        tifffile.imwrite(f"plate/i{number}.tif", discs(number % 4, 96, 96)[0])
    assert segment("plate", "-o", "here").code == 0
    words = [
        sys.executable,
        "-m",
        "beadctl",
        "segment",
        "plate",
        "-m",
        str(model_path),
        "-o",
        "s3://bucket/run",
    ]
    with s3_bucket(monkeypatch) as store:

        def done():
            return [name for name in store.find("bucket/run") if name.endswith("_masks.tif")]

        killed = subprocess.Popen(words, env=os.environ | {"TMPDIR": tempfile.gettempdir()})
        while len(done()) < 3:
            assert killed.poll() is None
            time.sleep(0.02)
        killed.kill()
        killed.wait()
        shutil.rmtree(tempfile.gettempdir())
        Path(tempfile.gettempdir()).mkdir()
        before = done()
        assert 3 <= len(before) < 11
        said = segment("plate", "-o", "s3://bucket/run")
        assert said.code == 0
        there = {name.removeprefix("bucket/run/"): store.cat_file(name) for name in store.find("bucket/run")}
        assert content(there) == content(in_folder("here"))
        rows = list(csv.DictReader(there["counts.csv"].decode().splitlines()))
        counts = [row["status"] for row in rows].count("skipped")
        # Of the last one the overlay or the mask may not have been sent.
        assert len(before) - 1 <= counts <= len(before)
        assert not [name for name, data in there.items() if b"of-test" in data]
        assert run("verify", "s3://bucket/run").code == 0
        for number in (1, 2):
            words = ("count", "plate", "-m", model_path, "-o", "s3://bucket/parts", "--shard", f"{number}/2")
            assert run(*words).code == 0
        assert run("merge", "s3://bucket/parts").code == 0
        assert store.cat_file("bucket/parts/beads.csv") == there["beads.csv"]
        store.pipe_file("bucket/run/.beadctl.lock", holder(machine=lock.machine(), pid=2**22 + 1))
        assert segment("plate", "-o", "s3://bucket/run").code == 0
        assert "no such object, folder or bucket" in segment("plate", "-o", "s3://none/run").error
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        type(store).clear_instance_cache()
        forget()
        assert "access denied" in segment("plate", "-o", "s3://bucket/run").error
