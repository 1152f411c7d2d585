"""Results go to standard output, words to standard error."""

import os
import re
import subprocess
import sys

import pytest
import tifffile
from helpers.commandline import rows_of
from helpers.images import COUNTS, discs

from beadctl.results.ledger import COLUMNS


def spoken(words):
    """Return the words without those of doubtful counts and of a model without figures."""
    return re.sub(r".* (is doubtful|ha(?:s|ve) a quality flag|has no validation figures).*\n", "", words)


def test_a_count_is_csv_in_a_pipe_and_writes_no_file(count, bead_folder, tmp_path):
    before = set(tmp_path.rglob("*"))
    said = count(bead_folder)
    assert said.code == 0
    rows = rows_of(said.out)
    assert tuple(rows[0]) == COLUMNS
    found = {(row["image"], int(row["plane"])): int(row["count"]) for row in rows}
    assert {key: count for key, count in found.items() if key[0] != "deep/sim.tif"} == COUNTS
    words = r"device cpu, \d+ CPU threads?\nsegmenting: 5 in all\nsegmenting: 5 of 5 done in 0:\d\d:\d\d\n"
    assert re.fullmatch(words, spoken(said.err))
    assert set(tmp_path.rglob("*")) == before


def test_quiet_prints_errors_only(run, model_path, bead_folder):
    said = run("segment", bead_folder, "-m", model_path, "-o", "out", "-q")
    assert (said.code, said.out, spoken(said.err)) == (0, "", "")
    (bead_folder / "bad.tif").write_text("no image")
    said = run("segment", bead_folder, "-m", model_path, "-o", "out", "-q")
    assert said.code == 1
    assert spoken(said.err).splitlines() == [said.error]


def test_verbose_prints_the_model(count, model_path, bead_folder):
    assert str(model_path) in count(bead_folder, "-v").err


def test_the_summary_goes_to_standard_error(run, model_path, bead_folder):
    said = run("segment", bead_folder, "-m", model_path, "-o", "out")
    assert said.out == ""
    assert "Beads in out" in said.err
    assert "7 planes" in said.err


def test_colour_follows_the_terminal_and_no_color(count, monkeypatch, tmp_path):
    plain = count(tmp_path / "absent")
    assert "\x1b" not in plain.err
    # rich reads these for each console: as if standard error were a terminal.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    red = re.compile(r"\x1b\[[0-9;]*31m")
    assert red.search(count(tmp_path / "absent").err)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not red.search(count(tmp_path / "absent").err)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_words_go_nowhere_where_standard_error_is_closed(bead_folder, model_path):
    command = f'"{sys.executable}" -m beadctl count "{bead_folder}" -m "{model_path}" --format csv 2>&-'
    process = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert process.returncode == 0
    assert process.stdout.splitlines()[0] == ",".join(COLUMNS)
    assert len(rows_of(process.stdout)) == len(process.stdout.splitlines()) - 1


def test_a_closed_pipe_has_no_traceback(tmp_path, model_path):
    """As with `beadctl count ... | head -1`."""
    for index in range(5):
        tifffile.imwrite(tmp_path / f"{index}.tif", discs(1)[0])
    process = subprocess.Popen(
        [sys.executable, "-m", "beadctl", "count", tmp_path, "-m", model_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(60) == 1
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
