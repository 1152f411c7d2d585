"""Configuration files of dask-jobqueue: the job scripts that they give, and what is refused."""

import copy

import pytest

from beadctl.cluster import queue
from beadctl.cluster.certificates import temporary
from beadctl.errors import SettingsError

pytest.importorskip("dask_jobqueue", reason="needs the extra cluster")
dask = pytest.importorskip("dask")

COMMON = "cores: 4, memory: 8GB, processes: 2, walltime: '02:00', scheduler-options: {host: 127.0.0.1}"
# Settings of each batch system, and what its job script has of them.
SYSTEMS = {
    "slurm": ("queue: short, account: beads", ("#SBATCH -p short", "#SBATCH -A beads", "#SBATCH -n 1")),
    "pbs": ("queue: short, account: beads", ("#PBS -q short", "#PBS -A beads", "#PBS -l select=1:ncpus=4")),
    "sge": ("queue: short, project: beads", ("#$ -q short", "#$ -P beads", "#$ -l h_rt=02:00")),
    "lsf": ("queue: short, project: beads", ("#BSUB -q short", "#BSUB -P beads", "#BSUB -W 02:00")),
}


@pytest.fixture(autouse=True)
def _config():
    """Leave the configuration of Dask as it was, which is one for the process."""
    before = copy.deepcopy(dask.config.config)
    yield
    dask.config.config.clear()
    dask.config.config.update(before)


@pytest.fixture(scope="module")
def security():
    return temporary()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_file_gives_the_jobs_of_its_batch_system(system, security, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own, wanted = SYSTEMS[system]
    file = tmp_path / "jobs.yaml"
    file.write_text(f"jobqueue:\n  {system}: {{{COMMON}, {own}, job-script-prologue: ['module load gcc']}}\n")
    with queue.opened(file, security) as cluster:
        try:
            script = cluster.job_script()
            assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
            assert len(list(tmp_path.glob(".dask-jobqueue.worker.*"))) == 3
        finally:
            cluster.close()
    assert not list(tmp_path.glob(".dask-jobqueue.worker.*"))
    lines = [line.replace('"', "") for line in script.splitlines()]
    for wanted_line in (*wanted, "module load gcc"):
        assert any(line.startswith(wanted_line) for line in lines), script
    (command,) = [line for line in lines if "dask_worker" in line]
    # Two processes a job share its cores and memory; their connections are encrypted.
    assert "--nthreads 2 --memory-limit 3.73GiB --nworkers 2 --nanny" in command
    assert "tls://127.0.0.1:" in command
    assert f"--tls-key {tmp_path}" in command


REFUSED = {
    "missing": (None, "cannot be read (No such file or directory)"),
    "no YAML": ("a: [", "is no YAML"),
    "no key": ("slurm: {cores: 1}", "needs one batch system, such as jobqueue: {slurm:"),
    "two": ("jobqueue: {slurm: {cores: 1}, pbs: {cores: 1}}", "needs one batch system"),
    "unknown system": ("jobqueue: {kubernetes: {cores: 1}}", "jobqueue.kubernetes is none of htcondor, lsf"),
    "no settings": ("jobqueue: {slurm: 3}", "jobqueue.slurm is none of"),
    "unknown setting": ("jobqueue: {slurm: {core: 1}}", "unknown setting jobqueue.slurm.core; valid: name"),
    "no network": ("jobqueue: {slurm: {cores: 1, memory: 1GB}}", "add interface: below slurm"),
    "no cores": ("jobqueue: {slurm: {interface: lo}}", "You must specify how much cores and memory"),
    "no such network": (
        "jobqueue: {slurm: {cores: 1, memory: 1GB, interface: none0}}",
        "none0",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_wrong_with_a_file_is_one_line(kind, security, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, words = REFUSED[kind]
    file = tmp_path / "jobs.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError) as caught, queue.opened(file, security):
        pass
    assert words in str(caught.value)
    assert "jobs.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
