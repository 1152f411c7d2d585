"""Workers that beadctl starts itself: on this computer alone, and gone with the run."""

import csv
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs
from helpers.moments import before_a_result

from beadctl.cluster import start
from beadctl.cluster.certificates import Certificates, temporary
from beadctl.cluster.workers import Workers

distributed = pytest.importorskip("distributed", reason="needs the extra cluster")
psutil = pytest.importorskip("psutil")

# Kills the process that opens a poison image.
POISON = """
import os, signal
from beadctl.images import open_image
from beadctl.results import image_work
def opened(path, read, **named):
    if path.name.startswith("poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    return open_image(path, read, **named)
image_work.open_image = opened
"""

# A batch system of one node, which starts each job at once.
SBATCH = """#!/bin/bash
cp "$1" "$STUBS/job-$$.sh"
setsid bash "$STUBS/job-$$.sh" >> "$STUBS/log" 2>&1 < /dev/null &
echo "$!" >> "$STUBS/jobs"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
echo "$1" >> "$STUBS/cancelled"
kill -- "-$1"
"""


@pytest.fixture
def few(tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    for index in range(3):
        tifffile.imwrite(folder / f"{index}.tif", discs(index + 1, seed=index)[0])
    return folder


def children():
    """Processes of this one, without that in which Python itself counts what processes share."""
    found = psutil.Process().children(recursive=True)
    return {one.pid for one in found if "resource_tracker" not in " ".join(one.cmdline())}


def test_workers_of_this_computer(run, few, model_path, monkeypatch):
    """They share its CPUs, no other computer can reach them, and other users have no certificate."""
    listening, before = [], children()

    class Watched(Workers):
        def __init__(self, client, *arguments):
            super().__init__(client, *arguments)
            assert client.scheduler.address.startswith("tls://127.0.0.1:")
            for process in [psutil.Process(), *map(psutil.Process, children() - before)]:
                listening.extend(one.laddr.ip for one in process.net_connections() if one.status == "LISTEN")

    monkeypatch.setattr(start, "Workers", Watched)
    monkeypatch.setattr("beadctl.cpus.usable_cpus", lambda: 6)
    assert run("segment", few, "-o", "alone", "-m", model_path).code == 0
    said = run("segment", few, "-o", "out", "-m", model_path, "--cluster", "local:2")
    assert said.code == 0, said.err
    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}
    assert "cluster local:2: workers 2, images at a time 2" in said.err
    for name in ("counts.csv", "beads.csv", "masks/2_masks.tif", "overlays/0_overlay.png"):
        assert Path("out", name).read_bytes() == Path("alone", name).read_bytes()
    assert children() <= before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_poison_image_is_a_row_and_the_others_go_on(run, few, model_path, tmp_path, monkeypatch):
    import dask

    for name in ("poison1.tif", "poison2.tif"):
        tifffile.imwrite(few / name, discs(2)[0])
    poison = tmp_path / "poison.py"
    poison.write_text(POISON)
    with dask.config.set({"distributed.worker.preload": [str(poison)]}):
        said = run("segment", few, "-o", "out", "-m", model_path, "--cluster", "local:2")
    assert said.code == 1, said.err
    rows = {row["image"]: row for row in csv.DictReader(Path("out/counts.csv").open())}
    assert {name: row["status"] for name, row in rows.items()} == {
        **dict.fromkeys(("0.tif", "1.tif", "2.tif"), "ok"),
        **dict.fromkeys(("poison1.tif", "poison2.tif"), "failed"),
    }
    assert rows["poison1.tif"]["reason"].startswith("its worker died 3 times, at last with nothing else")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_workers_too(few, model_path, tmp_path, number, code):
    for index in range(40):
        tifffile.imwrite(few / f"more{index}.tif", discs(20, 700, 700, seed=index)[0])
    words = ["segment", few, "-m", model_path, "-o", tmp_path / "out", "--cluster", "local:2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "beadctl", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list((tmp_path / "out/masks").glob("[!.]*.tif")):
        assert process.poll() is None
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    # A terminal, or a batch system, sends it to all processes.
    os.killpg(process.pid, number)
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 20
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert "Dask" not in said
    assert "finished work is kept, run the same command again to go on" in said.splitlines()[-1]
    psutil.wait_procs(workers, timeout=10)
    assert not [one for one in workers if one.is_running()]
    assert json.loads((tmp_path / "out/run.json").read_text())["outcome"] == "stopped"
    assert not list((tmp_path / "out").rglob(".beadctl.lock"))
    done = subprocess.run([sys.executable, "-m", "beadctl", *map(str, words[:-2])], check=False)
    assert done.returncode == 0


def certificate(folder):
    """Write a certificate that is its own authority, and its key, as Dask takes them; return both."""
    made = temporary()
    paths = folder / "cert.pem", folder / "key.pem"
    for path, text in zip(paths, (made.tls_client_cert, made.tls_client_key), strict=True):
        path.write_text(text)
    return paths


@pytest.mark.slow
def test_a_scheduler_with_certificates(run, few, model_path, tmp_path, monkeypatch):
    """It is joined with them, and not without; once it is lost, the run ends and can go on."""
    for index in range(20):
        tifffile.imwrite(few / f"more{index}.tif", discs(2)[0])
    cert, key = certificate(tmp_path)
    ours = Certificates.of(cert, cert, key)
    words = ("segment", few, "-o", "out", "-m", model_path, "--cluster")
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        host="127.0.0.1",
        security=ours.security(),
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        address = cluster.scheduler_address
        assert address.startswith("tls://")
        monkeypatch.setenv("BEADCTL_CLUSTER__TIMEOUT_S", "3")
        said = run(*words, address)
        assert (said.code, len(said.errors)) == (2, 1)
        assert f"error: --cluster {address}: TLS needs certificates; set tls_ca" in said.error
        said = run(*words, address.replace("tls", "tcp"))
        assert (said.code, len(said.errors)) == (3, 1)
        assert "no answer within 3 s" in said.error
        for name, path in (("CA", cert), ("CERT", cert), ("KEY", key)):
            monkeypatch.setenv(f"BEADCTL_CLUSTER__TLS_{name}", str(path))

        def lose():
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGTERM)
            cluster.close()

        with before_a_result(monkeypatch, 1, lose):
            said = run(*words, address)
        assert (said.code, len(said.errors)) == (3, 1)
        assert f"error: --cluster {address}: the scheduler is lost; run again to go on" in said.error
    assert json.loads(Path("out/run.json").read_text())["outcome"] == "stopped"
    assert run(*words[:-1]).code == 0
    assert {row["status"] for row in csv.DictReader(Path("out/counts.csv").open())} <= {"ok", "skipped"}


@pytest.fixture
def batch_system(tmp_path, monkeypatch):
    """The folder of a stand-in for SLURM, and a configuration of its jobs in ``slurm.yaml``."""
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    monkeypatch.setenv("STUBS", str(stubs))
    monkeypatch.setenv("PATH", f"{stubs}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "slurm.yaml").write_text(
        "jobqueue: {slurm: {cores: 1, processes: 1, memory: 2GB, walltime: '00:10:00', interface: lo}}"
    )
    return stubs


needs_setsid = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in for SLURM needs setsid")


@pytest.mark.slow
@needs_setsid
def test_jobs_of_a_batch_system(run, few, model_path, tmp_path, batch_system):
    assert run("segment", few, "-o", "alone", "-m", model_path).code == 0
    said = run("segment", few, "-o", "out", "-m", model_path, "--cluster", "slurm.yaml:2")
    assert said.code == 0, said.err
    assert Path("out/counts.csv").read_bytes() == Path("alone/counts.csv").read_bytes()
    # Both jobs are cancelled in the end, and no key is left.
    jobs = (batch_system / "jobs").read_text().split()
    assert len(jobs) == 2
    assert sorted((batch_system / "cancelled").read_text().split()) == sorted(jobs)
    assert not list(tmp_path.glob(".dask-jobqueue*"))


@pytest.mark.slow
@needs_setsid
def test_a_job_whose_time_is_up_is_submitted_again(run, few, model_path, batch_system, monkeypatch):
    monkeypatch.setattr("beadctl.cluster.queue.ENDED_S", 1.0)

    def end():
        os.killpg(int((batch_system / "jobs").read_text().split()[0]), signal.SIGKILL)

    with before_a_result(monkeypatch, 1, end):
        said = run("segment", few, "-o", "out", "-m", model_path, "--cluster", "slurm.yaml")
    assert said.code == 0, said.err
    assert len((batch_system / "jobs").read_text().split()) == 2
    assert len(list(Path("out/masks").iterdir())) == 3


@pytest.mark.slow
def test_trials_of_a_comparison(run, tmp_path):
    words = ("compare-losses", "--losses", "dice,focal", "--seeds", "1", "--simulate", "4", "--size", "64")
    budget = ("--epochs", "1", "--width", "4", "--depth", "2", "--no-pictures")
    said = run(*words, *budget, "-o", "out", "--cluster", "local:2")
    assert said.code == 0, said.err
    assert "2 of 2 trials to run on a cluster into out" in said.err
    alone = run(*words, *budget, "-o", "alone", "--threads", "1")
    assert alone.code == 0
    for path in Path("out").glob("*/result.json"):
        here = json.loads(path.read_text())
        there = json.loads((Path("alone") / path.parent.name / "result.json").read_text())
        assert here["jaccard"] == there["jaccard"]
