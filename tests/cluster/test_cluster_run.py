"""Runs on a cluster: the files of a run in one process, whatever becomes of the workers."""

import csv
import json
import logging
import os
import signal
import sys
from pathlib import Path

import pytest
import tifffile
from helpers.images import discs, write_bead_folder
from helpers.moments import before_a_result

from beadctl.cli import main
from beadctl.console import stopping
from beadctl.results.formats import Output

distributed = pytest.importorskip("distributed", reason="needs the extra cluster")

# Files that tell how a run was made, not what it found.
OF_THE_RUN = ("run.json", "settings.toml")


@pytest.fixture(scope="module")
def scheduler():
    """Two worker processes on this computer, and the address of their scheduler."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
        scheduler_kwargs={"allowed_failures": 0},
    ) as cluster:
        yield cluster


@pytest.fixture
def address(scheduler):
    return scheduler.scheduler_address


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images of several sizes, a stack, and two that are broken."""
    folder = write_bead_folder(tmp_path_factory.mktemp("run") / "images")
    for index in range(4):
        tifffile.imwrite(folder / f"i{index}.tif", discs(index + 1, 96, 128 + 40 * index, seed=index)[0])
    (folder / "words.tif").write_text("Dear microscope,")
    (folder / "empty.tif").touch()
    return folder


def content(out):
    """Every file of a folder of results, without those of its run."""
    names = sorted(path for path in Path(out).rglob("*") if path.is_file())
    return {
        path.relative_to(out).as_posix(): path.read_bytes() for path in names if path.name not in OF_THE_RUN
    }


def statuses(out):
    with Path(out, "counts.csv").open(newline="", encoding="utf-8") as file:
        return [row["status"] for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def files(images, model_path):
    """The files of a run of this process alone."""
    out = images.parent / "whole"
    words = ["segment", images, "-o", out, "-m", model_path, "-q"]
    assert main.run([str(word) for word in words]) == 1
    return content(out)


def test_a_cluster_writes_what_one_process_writes(run, images, model_path, address):
    words = ("--save", ",".join(Output), "--region", "0,0,120,90")
    alone = run("segment", images, "-o", "whole", "-m", model_path, *words)
    said = run("segment", images, "-o", "out", "-m", model_path, "--cluster", address, *words)
    assert (said.code, alone.code) == (1, 1)
    assert content("out") == content("whole")
    # The same words on images that failed, and on what is left out of them.
    assert sorted(said.errors) == sorted(alone.errors)
    assert said.errors
    assert sorted(line for line in said.err.splitlines() if line.startswith("warning")) == sorted(
        line for line in alone.err.splitlines() if line.startswith("warning")
    )
    assert f"cluster {address}: workers 2, images at a time 2" in said.err
    record = json.loads(Path("out/run.json").read_text())
    assert (record["outcome"], record["device_used"]) == ("finished", "cpu")
    assert run("verify", "out").code == 0
    again = run("segment", images, "-o", "out", "-m", model_path, "--cluster", address, *words)
    assert again.code == 1
    assert set(statuses("out")) == {"skipped", "failed"}


def test_counts_have_their_order(run, images, model_path, address):
    words = ("count", images, "-m", model_path, "--link-z", "--format", "csv")
    alone = run(*words)
    said = run(*words, "--cluster", address)
    assert (said.code, said.out) == (alone.code, alone.out)
    assert said.out


def test_label_images_are_counted_too(run, address, tmp_path):
    for index in range(3):
        tifffile.imwrite(tmp_path / f"l{index}.tif", discs(index + 2)[1])
    words = ("count", *(word for index in range(3) for word in ("--labels", f"l{index}.tif")))
    assert run(*words, "-o", "whole").code == 0
    assert run(*words, "-o", "out", "--cluster", address).code == 0
    assert content("out") == content("whole")


@pytest.mark.slow
def test_shards_on_a_cluster_are_merged(run, images, model_path, files, address):
    for number, more in ((1, ()), (2, ("--cluster", address))):
        run("segment", images, "-o", "out", "-m", model_path, "--shard", f"{number}/2", *more)
    assert run("merge", "out").code == 1
    merged = {name: data for name, data in content("out").items() if "/shards/" not in name}
    assert merged == files


def test_a_worker_that_is_killed_half_way_changes_nothing(
    run, images, model_path, files, scheduler, monkeypatch
):
    victim = next(iter(scheduler.workers.values())).pid

    def kill():
        os.kill(victim, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)

    words = ("segment", images, "-o", "out", "-m", model_path, "--cluster", scheduler.scheduler_address)
    with before_a_result(monkeypatch, 3, kill):
        said = run(*words)
    assert said.code == 1
    assert "Traceback" not in said.err
    assert content("out") == files


def test_a_signal_cancels_the_work_and_the_run_goes_on(run, images, model_path, files, address, monkeypatch):
    monkeypatch.setattr(stopping, "_leave_later", lambda _: None)
    words = ("segment", images, "-o", "out", "-m", model_path, "--cluster", address)

    def terminate():
        os.kill(os.getpid(), signal.SIGTERM)

    with stopping.listening(), before_a_result(monkeypatch, 3, terminate):
        said = run(*words)
    assert said.code == 143
    assert json.loads(Path("out/run.json").read_text())["outcome"] == "stopped"
    done = statuses("out").count("ok")
    masks = {path.name.removesuffix("_masks.tif") for path in Path("out/masks").rglob("*_masks.tif")}
    with Path("out/counts.csv").open(newline="", encoding="utf-8") as file:
        told = {Path(row["image"]).stem for row in csv.DictReader(file) if row["status"] == "ok"}
    assert told == masks
    assert 0 < done < len(statuses("out"))
    assert run(*words).code == 1
    assert {name: data for name, data in content("out").items() if name.startswith("masks/")} == {
        name: data for name, data in files.items() if name.startswith("masks/")
    }


def test_another_version_and_another_model_are_refused(run, images, model_path, address, monkeypatch):
    words = ("count", images, "-o", "out", "-m", model_path, "--cluster", address)
    with monkeypatch.context() as patch:
        patch.setattr("beadctl.cluster.workers.__version__", "9.9.9")
        said = run(*words)
    assert (said.code, said.out) == (3, "")
    assert f"error: worker {address.rpartition(':')[0]}" in said.error
    assert "; install 9.9.9 there" in said.error
    with monkeypatch.context() as patch:
        patch.setattr("beadctl.model.session.sha256", lambda _: "f" * 64)
        said = run(*words)
    assert said.code == 3
    assert "is another model file than here" in said.error
    assert "here ffffffffffff" in said.error
    assert not Path("out").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="paths of a process alone are those of Linux")
def test_a_file_that_workers_do_not_see_is_one_line(run, images, model_path, address):
    folder = os.open(images, os.O_RDONLY)
    try:
        said = run("count", f"/proc/self/fd/{folder}", "-m", model_path, "--cluster", address)
    finally:
        os.close(folder)
    assert said.code == 3
    assert "is not there; workers need the same folders, by a shared file system" in said.error
    assert len(said.errors) == 1


def test_audit_on_a_cluster(run, address, model_path, tmp_path):
    for index in range(4):
        image, labels = discs(index + 3, seed=index)
        for folder, array in (("images", image), ("masks", labels)):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{index}.tif", array)
    (tmp_path / "masks/3.tif").write_text("no mask")
    words = ("audit", "images", "masks", "-m", model_path)
    alone = run(*words, "-o", "whole")
    said = run(*words, "-o", "out", "--cluster", address)
    assert (said.code, said.out) == (alone.code, alone.out)
    assert Path("out/audit.csv").read_bytes() == Path("whole/audit.csv").read_bytes()


def test_no_scheduler_is_one_line(run, images, monkeypatch):
    monkeypatch.setenv("BEADCTL_CLUSTER__TIMEOUT_S", "0.3")
    said = run("count", images, "--cluster", "tcp://127.0.0.1:1")
    assert (said.code, said.out) == (3, "")
    assert "error: --cluster tcp://127.0.0.1:1: no answer within 0.3 s" in said.error


def test_certificates_are_checked_before_work(run, images, monkeypatch, tmp_path):
    key = tmp_path / "key.pem"
    key.touch()
    monkeypatch.setenv("BEADCTL_CLUSTER__TLS_KEY", str(key))
    said = run("count", images, "--cluster", "tls://127.0.0.1:1")
    assert (said.code, "cluster.tls_ca: is missing" in said.error) == (2, True)
    for name in ("CA", "CERT"):
        monkeypatch.setenv(f"BEADCTL_CLUSTER__TLS_{name}", str(tmp_path / "none.pem"))
    said = run("count", images, "--cluster", "tls://127.0.0.1:1")
    assert (said.code, "none.pem: no such file" in said.error) == (2, True)
    for name in ("CA", "CERT"):
        monkeypatch.setenv(f"BEADCTL_CLUSTER__TLS_{name}", str(key))
    said = run("count", images, "--cluster", "tcp://127.0.0.1:1")
    assert (said.code, "write tls://127.0.0.1:1" in said.error) == (2, True)


def test_without_dask_the_extra_is_named(run, images, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = run("count", images, "--cluster", "tcp://127.0.0.1:1")
    assert said.code == 3
    assert said.error == 'error: distributed is not installed; pip install "beadctl[cluster]"'
