"""Schedulers that are joined, and jobs that beadctl starts itself, gone with the run."""

import csv
import json
import logging
import os
import signal
import sys
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs
from helpers.moments import before_a_result

from beadctl.cluster.certificates import Certificates, temporary

distributed = pytest.importorskip("distributed", reason="needs the extra cluster")

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
