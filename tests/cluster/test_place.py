"""Where the workers of a cluster are, as the user says it."""

from pathlib import Path

import pytest

from beadctl.cluster.place import JobQueue, Local, Scheduler, parse
from beadctl.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("local:1", Local(1)),
        ("local:16", Local(16)),
        ("tcp://node1:8786", Scheduler("tcp://node1:8786")),
        ("tls://10.0.0.1:8786", Scheduler("tls://10.0.0.1:8786")),
        ("tcp://[::1]:8786", Scheduler("tcp://[::1]:8786")),
        ("slurm.yaml", JobQueue(Path("slurm.yaml"), 1)),
        ("my jobs/pbs.yml:20", JobQueue(Path("my jobs/pbs.yml"), 20)),
    ],
)
def test_a_place_is_one_of_three(text, place):
    assert parse(text) == place
    assert parse(str(place)) == place


@pytest.mark.parametrize(
    "text",
    [
        *("", "local", "local:", "local:0", "local:-1", "local:two", "node1:8786", "tcp://node1"),
        *("tcp://:8786", "http://node1:8786", "tcp://a b:1", "jobs.yaml:0", "jobs.yaml:x", "jobs.toml"),
    ],
)
def test_what_is_no_place_is_one_line(text):
    with pytest.raises(SettingsError, match=r"^--cluster .*: give local:N, tcp://HOST:PORT") as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_a_wrong_place_names_the_setting(run, bead_folder, monkeypatch):
    assert run("count", bead_folder, "--cluster", "local").code == 2
    monkeypatch.setenv("BEADCTL_CLUSTER__WORKERS", "node1:8786")
    said = run("count", bead_folder)
    assert said.code == 2
    assert "cluster.workers = 'node1:8786' (from BEADCTL_CLUSTER__WORKERS): give local:N" in said.error
