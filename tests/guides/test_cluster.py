"""The job scripts of the cluster guide, with a `beadctl` that only notes its arguments."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
from helpers.commandline import parse

FOLDER = Path(__file__).parents[2] / "examples/cluster"
JOBS = ("train.slurm", "train.pbs", "segment.slurm", "segment.pbs")
MERGES = ("merge.slurm", "merge.pbs")
GPUS = "train-gpus.slurm"
SUBMIT_DIR = {"slurm": "SLURM_SUBMIT_DIR", "pbs": "PBS_O_WORKDIR"}
ARRAY = {"slurm": "SLURM_ARRAY_TASK_ID", "pbs": "PBS_ARRAY_INDEX"}

needs_bash = pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform == "win32", reason="bash is not installed"
)


@pytest.fixture
def job(tmp_path):
    """Return a function that runs a job script with a `beadctl` that only notes its arguments."""
    stub = tmp_path / "bin" / "beadctl"
    stub.parent.mkdir()
    stub.write_text(
        "#!/bin/bash\n"
        'printf "%s\\n" "$@" > arguments\n'
        'trap "echo ended in order; exit ${STUB_SIGNALLED:-143}" TERM USR1\n'
        "touch started\n"
        "for (( i = 0; i < ${STUB_WAIT:-0}; i++ )); do sleep 0.05; done\n"
        "exit ${STUB_CODE:-0}\n"
    )
    stub.chmod(0o755)
    for name, body in {
        "scontrol": 'echo "$@" > scontrol; [[ $1 != show ]] || echo "${3%%,*}"',
        "srun": 'shift; exec "$@"',
        # The arguments before those of beadctl are its own.
        "torchrun": 'printf "%s\\n" "$@" > torchrun; while [[ $1 != beadctl ]]; do shift; done; exec "$@"',
    }.items():
        stub.with_name(name).write_text(f"#!/bin/bash\n{body}\n")
        stub.with_name(name).chmod(0o755)
    work = tmp_path / "work dir"
    (work / "tiles").mkdir(parents=True)
    (work / "tiles" / "tiles.csv").touch()
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def start(name: str, **environment: str) -> tuple[subprocess.Popen[str], Path]:
        scheduler = name.rsplit(".", 1)[1]
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "PBS"))}
        clean |= {
            "PATH": f"{stub.parent}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(scratch),
            SUBMIT_DIR[scheduler]: str(work),
        }
        process = subprocess.Popen(
            ["bash", str(FOLDER / name)],
            env=clean | environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return process, work

    return start


def arguments(work: Path) -> list[str]:
    return (work / "arguments").read_text().splitlines()


@needs_bash
@pytest.mark.parametrize("name", [*JOBS, *MERGES, GPUS])
def test_job_is_valid_bash(name):
    subprocess.run(["bash", "-n", str(FOLDER / name)], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("name", [*JOBS, *MERGES, GPUS])
def test_job_has_no_findings_of_shellcheck(name):
    subprocess.run(["shellcheck", str(FOLDER / name)], check=True)


@needs_bash
@pytest.mark.parametrize("name", JOBS[:2])
def test_training_job(job, tmp_path, name):
    process, work = job(name)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    given = parse(arguments(work))
    assert given["device"] == "cuda"
    assert given["resume"] is False
    # The tiles are read from scratch, and nothing is left there.
    assert given["tiles"].is_relative_to(tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []


@needs_bash
@pytest.mark.parametrize("name", JOBS)
def test_job_runs_on_the_device_that_is_named(job, name):
    """Without a GPU a job is not lost: its head and the guide say how to run on the CPU."""
    for device in ("cpu", "cuda:1"):
        process, work = job(name, DEVICE=device)
        process.communicate(timeout=30)
        assert parse(arguments(work))["device"] == device
    head = (FOLDER / name).read_text(encoding="utf-8").partition("\nset -e")[0]
    is_training = PurePosixPath(name).stem.startswith("train")
    assert ("DEVICE=cpu" if is_training else "DEVICE=cuda") in head
    assert not is_training or "DEVICE=cpu" in (FOLDER / "README.md").read_text(encoding="utf-8")


@needs_bash
@pytest.mark.parametrize("name", JOBS[:2])
def test_training_job_goes_on_with_its_run(job, tmp_path, name):
    run = tmp_path / "work dir" / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "last.pt").touch()
    process, work = job(name, RUN="runs/mine")
    process.communicate(timeout=30)
    given = parse(arguments(work))
    assert given["resume"] is True
    assert given["out_dir"] == Path("runs/mine")


@needs_bash
def test_a_training_job_on_several_gpus_starts_a_process_for_each(job, tmp_path):
    nodes = {"SLURM_JOB_NODELIST": "n1,n2", "SLURM_JOB_NUM_NODES": "2", "SLURM_GPUS_ON_NODE": "4"}
    run = tmp_path / "work dir" / "runs" / "mine"
    for resume in (False, True):
        process, work = job(GPUS, RUN="runs/mine", **nodes)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
        given = parse(arguments(work))
        assert (given["tiles"], given["out_dir"]) == (Path("tiles"), Path("runs/mine"))
        assert (given["device"], given["resume"]) == ("cuda", resume)
        run.mkdir(parents=True, exist_ok=True)
        (run / "last.pt").touch()
    launched = " ".join((work / "torchrun").read_text().split())
    assert "--nnodes 2 --nproc-per-node 4" in launched
    assert "--rdzv-endpoint n1:29500" in launched


@needs_bash
@pytest.mark.parametrize("name", [*JOBS, *MERGES, GPUS])
def test_job_ends_with_the_exit_code_of_beadctl(job, name):
    process, _ = job(name, STUB_CODE="3")
    process.communicate(timeout=30)
    assert process.returncode == 3


@needs_bash
@pytest.mark.parametrize("number", ["SIGUSR1", "SIGTERM"])
@pytest.mark.parametrize("name", [*JOBS[:2], *JOBS[3:], GPUS])
def test_job_passes_a_signal_on(job, tmp_path, name, number):
    process, work = job(name, STUB_WAIT="400")
    while not (work / "started").exists():
        assert process.poll() is None
    process.send_signal(getattr(signal, number))
    output, _ = process.communicate(timeout=15)
    assert "ended in order" in output
    assert process.returncode == 143
    assert list((tmp_path / "scratch").iterdir()) == []


@needs_bash
@pytest.mark.parametrize("name", JOBS[:3])
def test_a_signal_between_the_start_and_the_waiting_is_passed_on(job, tmp_path, name):
    sender = tmp_path / "sender"
    sender.write_text("trap '[[ $BASH_COMMAND != *=\\$! ]] || kill -USR1 $$' DEBUG\n")
    process, _ = job(name, STUB_WAIT="400", BASH_ENV=str(sender), SLURM_RESTART_COUNT="20")
    output, _ = process.communicate(timeout=15)
    assert process.returncode == 143, output
    assert list((tmp_path / "scratch").iterdir()) == []


@needs_bash
@pytest.mark.parametrize("name", JOBS[2:])
def test_segmentation_job(job, name):
    process, work = job(name, OUT="results")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    given = parse(arguments(work))
    assert (given["inputs"], given["out_dir"], given["device"]) == ([Path("images")], Path("results"), "cpu")


@needs_bash
@pytest.mark.parametrize("name", JOBS[2:])
def test_a_task_of_an_array_does_a_shard_of_all_images(job, name):
    task = ARRAY[name.rsplit(".", 1)[1]]
    process, work = job(name, **{task: "2", "SHARDS": "9"})
    process.communicate(timeout=30)
    given = parse(arguments(work))
    assert given["inputs"] == [Path("images")]
    assert given["out_dir"] == Path("segmented")
    assert given["shard"] == "auto/9"


@needs_bash
def test_slurm_tells_the_number_of_tasks_and_pbs_does_not(job):
    process, work = job("segment.slurm", SLURM_ARRAY_TASK_ID="2")
    process.communicate(timeout=30)
    assert parse(arguments(work))["shard"] == "auto"
    process, _ = job("segment.pbs", PBS_ARRAY_INDEX="2")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "-v SHARDS=24" in output


@needs_bash
@pytest.mark.parametrize("name", MERGES)
def test_merge_job(job, name):
    process, work = job(name, OUT="results")
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert parse(arguments(work))["out"] == Path("results")


@needs_bash
@pytest.mark.parametrize(
    ("number", "restarts", "code", "requeued"),
    [
        ("SIGUSR1", "", "143", True),
        ("SIGUSR1", "19", "143", True),
        ("SIGUSR1", "20", "143", False),
        ("SIGUSR1", "", "1", False),
        ("SIGTERM", "", "143", False),
    ],
)
def test_segmentation_job_is_queued_again_when_its_time_is_up(job, number, restarts, code, requeued):
    """After USR1, unless all was done before; a pre-empted job, which gets TERM, is queued again by SLURM."""
    process, work = job(
        "segment.slurm",
        STUB_WAIT="400",
        STUB_SIGNALLED=code,
        SLURM_JOB_ID="77",
        SLURM_ARRAY_TASK_ID="2",
        **({"SLURM_RESTART_COUNT": restarts} if restarts else {}),
    )
    while not (work / "started").exists():
        assert process.poll() is None
    process.send_signal(getattr(signal, number))
    process.communicate(timeout=15)
    assert process.returncode == int(code)
    assert (work / "scontrol").exists() == requeued
    assert not requeued or (work / "scontrol").read_text() == "requeue 77\n"


@pytest.mark.parametrize("name", JOBS)
def test_job_asks_for_its_device(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    asks = re.search(r"^#(SBATCH --gres=gpu:1|PBS -l select=\S*:ngpus=1)\b", text, flags=re.MULTILINE)
    assert bool(asks) == PurePosixPath(name).stem.startswith("train")
