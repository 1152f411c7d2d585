"""What `beadctl simulate` writes."""

from helpers.results_folder import files

from beadctl import lock


def test_simulate_writes_as_many_images_as_asked(run, tmp_path):
    said = run("simulate", "sim", "-n", "3", "--size", "64", "--seed", "5")
    assert (said.code, said.out) == (0, "")
    assert "3 images" in said.err
    assert files(tmp_path / "sim/images") == {f"sim_0000{index}.tif" for index in range(3)}
    again = run("simulate", "sim", "-n", "3", "--size", "64")
    assert again.code == 3
    assert "--overwrite" in again.error


def test_one_simulation_at_a_time_writes_into_a_folder(run, tmp_path):
    with lock.held(tmp_path / "sim", print):
        said = run("simulate", "sim", "-n", "1", "--size", "64")
    assert said.code == 3
    assert "in use by another job" in said.error
