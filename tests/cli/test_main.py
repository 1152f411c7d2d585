"""The command line: streams, forms of the table, exit codes, help."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tifffile
import typer.main
from helpers.commandline import commands, parse
from helpers.images import COUNTS, discs

from beadctl import __version__, console, lock
from beadctl.cli import main, settings
from beadctl.cli.commands import tune
from beadctl.model.session import DEFAULT_MODEL
from beadctl.results.ledger import COLUMNS

COMMANDS = (
    "tile",
    "train",
    "tune",
    "eval",
    "compare-losses",
    "export",
    "segment",
    "count",
    "merge",
    "report",
    "show",
    "verify",
    "simulate",
    "info",
    "audit",
    "completions",
)


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def count(run, model_path):
    return lambda *arguments: run("count", *arguments, "-m", model_path)


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def spoken(words):
    """Return the words without those of doubtful counts and of a model without figures."""
    return re.sub(r".* (is doubtful|ha(?:s|ve) a quality flag|has no validation figures).*\n", "", words)


def key(row):
    return row["image"], int(row["plane"])


def test_a_count_is_csv_in_a_pipe_and_writes_no_file(count, bead_folder, tmp_path):
    before = files(tmp_path)
    said = count(bead_folder)
    assert said.code == 0
    rows = rows_of(said.out)
    assert tuple(rows[0]) == COLUMNS
    assert {key(row): int(row["count"]) for row in rows if row["image"] != "deep/sim.tif"} == COUNTS
    words = r"device cpu, \d+ CPU threads?\nsegmenting: 5 in all\nsegmenting: 5 of 5 done in 0:\d\d:\d\d\n"
    assert re.fullmatch(words, spoken(said.err))
    assert files(tmp_path) == before


def test_the_csv_of_count_is_counts_csv(count, run, model_path, bead_folder, tmp_path):
    printed = count(bead_folder, "--format", "csv", "-o", tmp_path / "out")
    assert printed.out == (tmp_path / "out/counts.csv").read_text()
    assert not (tmp_path / "out/masks").exists()
    assert count(bead_folder).out == printed.out
    run("segment", bead_folder, "-m", model_path, "-o", tmp_path / "segmented")
    assert (tmp_path / "segmented/counts.csv").read_text() == printed.out


def test_every_form_has_the_same_rows(count, bead_folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    wanted = [(key(row), int(row["count"])) for row in rows_of(count(bead_folder, "--format", "csv").out)]
    whole = json.loads(count(bead_folder, "--format", "json").out)
    lines = [json.loads(line) for line in count(bead_folder, "--format", "jsonl").out.splitlines()]
    assert whole == lines
    assert [(key(row), row["count"]) for row in whole] == wanted
    assert tuple(whole[0]) == COLUMNS
    table = count(bead_folder, "--format", "table").out
    cells = [line.split() for line in table.splitlines() if " ok " in line]
    assert [((line[0], int(line[1])), int(line[3])) for line in cells] == wanted


def test_an_unknown_form_is_refused_with_the_choices(count, bead_folder):
    said = count(bead_folder, "--format", "xml")
    assert said.code == 2
    assert all(f"'{form}'" in said.error for form in ("xml", *console.Form))
    assert "see beadctl count --help" in said.error
    assert "Value error" not in said.error


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


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example_that_is_valid(run, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    said = run(command, "--help")
    assert said.code == 0
    assert "Usage: " in said.out
    assert said.err == ""
    example = next(line for line in said.out.splitlines() if line.startswith(" Example: "))
    ((name, *words),) = commands(example.removeprefix(" Example: "))
    assert name == command
    parse([name, *words])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [80, 120])
def test_help_has_panels_as_wide_as_the_terminal_and_cuts_nothing(run, command, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = run(command, "--help").out.splitlines()
    assert {len(line) for line in lines if line.startswith("╭")} == {width}
    assert max(map(len, lines)) == width
    assert not any("…" in line for line in lines)
    # A type is whole, and a flag, which takes no value, has none.
    assert not [line for line in lines if re.search(r"<(?![^\s<>]*>)", line)]
    assert not any("<bool>" in line for line in lines)
    # Only the last line of a paragraph is short.
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).partition("╭")[0].strip()):
        *full, _ = paragraph.splitlines()
        assert all(len(line.rstrip()) > width - 20 for line in full), paragraph


def test_words_of_options_have_no_full_stop():
    group = typer.main.get_command(main.application())
    for name, command in group.commands.items():
        for parameter in command.params:
            assert not parameter.help.removesuffix("[/dim]").endswith("."), (name, parameter.name)


def test_options_of_a_panel_have_the_commands_own_last(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = run("segment", "--help").out
    found = re.findall(r"^│ (--[\w-]+)", out, re.MULTILINE)
    assert found.index("--device") < found.index("--max-memory") < found.index("--watch")
    assert found.index("--out-dir") < found.index("--save") < found.index("--log-json")


def test_each_default_is_in_the_help():
    group = typer.main.get_command(main.application())
    for name, command in group.commands.items():
        for parameter in command.params:
            section, _, field = parameter.name.partition("__")
            if not field:
                continue
            default = settings.section_of(section).model_fields[field].default
            if name == "tune":
                default = tune.DEFAULTS.get(f"{section}.{field}", default)
            if default not in (None, ()) and not isinstance(default, bool):
                shown = ",".join(default) if isinstance(default, tuple) else f"{default}".removesuffix(".0")
                assert f"[default: {shown}]" in parameter.help, (name, parameter.name)


def test_help_lists_the_commands_and_the_version(run):
    said = run("--help")
    assert all(re.search(rf"^  {command} ", said.out, re.MULTILINE) for command in COMMANDS)
    # Each has a line of its own on a terminal of 80 columns.
    listed = said.out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == list(main.COMMANDS)
    assert max(map(len, said.out.splitlines())) <= 80
    assert run("--version").out == f"beadctl {__version__}\n"
    assert run("-h").out == said.out


def test_root_help_is_plain_and_loads_no_settings():
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "beadctl", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rsplit("|", 1)[1].strip().partition(".")[0] for line in shown.stderr.splitlines()}
    assert not loaded & {"numpy", "pydantic_settings"}
    assert "╭" not in shown.stdout


def test_the_program_has_one_name(run, monkeypatch):
    monkeypatch.setattr("sys.argv", ["-c"])
    assert "see beadctl count --help" in run("count").error
    assert "Usage: beadctl count" in run("count", "--help").out


def test_no_arguments_print_the_help_and_are_a_usage_error(run):
    said = run()
    assert said.code == 2
    assert "Usage: " in said.err + said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("segmnt", "x"), "segmnt"),
        (("segment",), "inputs"),
        (("segment", "x", "--tile-sise", "4"), "--tile-size"),
        (("segment", "x", "--threads", "many"), "--threads"),
        (("segment", "x", "--threads", "0"), "--threads 0 (inference.threads)"),
        (("segment", "x", "--threshold", "1"), "--threshold 1.0 (instances.threshold)"),
        (("segment", "x", "--device", "tpu"), "--device tpu (inference.device)"),
        (("train", "--loss", "hinge"), "hinge"),
        (("train", "--width", "1000"), "--width 1000 (train.width)"),
        (("simulate", "x", "-n", "0"), "--count"),
        (("compare-losses", "--losses", "dice,hinge"), "hinge"),
        (("compare-losses", "--losses", "dice,dice"), "once"),
        (("eval", "images-only"), "masks"),
        (("tile", "a", "b", "--val-fraction", "1.5"), "--val-fraction 1.5 (tile.val_fraction)"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(run, tmp_path, arguments, words):
    said = run(*arguments)
    assert said.code == 2
    assert words in said.error
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert files(tmp_path) == []


def test_each_flag_is_a_setting_or_the_commands_own():
    """A flag that is mapped to no setting would be accepted and then ignored."""
    fields = set(settings.fields())
    own = {
        "segment": {"inputs", "log_json", "dry_run", "shard", "watch"},
        "count": {"inputs", "labels", "log_json", "shard"},
        "eval": {"images", "masks", "split", "calibrate", "bands"},
        "tile": {"images", "masks", "dry_run"},
        "train": {"resume", "gradient_audit", "log_json"},
        "tune": {"images", "masks", "folds", "log_json"},
        "merge": {"out", "log_json"},
        "report": {"out"},
        "show": {"path", "names", "is_opened"},
        "verify": {"out"},
        "compare-losses": {"losses", "seeds", "shard", "retry", "gradient_audit"}
        | {"weightings", "lrs", "batch_sizes", "dropouts", "pictures"},
        "export": {"run", "out", "int8", "fp16", "calibration", "bioimageio"},
        "audit": {"images", "masks", "fix", "find", "shard"},
        "simulate": {"out", "count", "suspensions"},
        "info": {"file", "show_settings", "show_devices"},
        "completions": {"shell"},
    }
    group = typer.main.get_command(main.application())
    assert set(group.commands) == set(COMMANDS)
    for name, command in group.commands.items():
        parameters = {parameter.name: parameter for parameter in command.params}
        rest = set(parameters) - {"help", "config", "quiet", "verbose"} - own[name]
        assert own[name] <= set(parameters)
        for parameter in rest:
            assert tuple(parameter.split("__")) in fields, name
            assert parameters[parameter].default is None, (name, parameter)


def test_every_table_has_every_form(run, model_path, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    image, labels = discs(4)
    for folder, plane in (("images", image), ("masks", labels[::-1])):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", plane)
    calls = {
        ("audit", "images", "masks", "--no-find"): "image",
        ("tile", "images", "masks", "--size", "64", "--overlap", "8", "--dry-run"): "image",
        ("eval", "images", "masks", "-m", model_path): "figure",
        ("info",): "fact",
        ("info", "--settings"): "setting",
    }
    for call, column in calls.items():
        out = {form: run(*call, "--format", form).out for form in ("csv", "json", "jsonl", "table")}
        rows = rows_of(out["csv"])
        assert next(iter(rows[0])) == column
        whole, lines = json.loads(out["json"]), [json.loads(line) for line in out["jsonl"].splitlines()]
        assert all(row[column] in out["table"] for row in rows), call
        if isinstance(whole, list):
            assert [row[column] for row in whole] == [row[column] for row in lines]
            assert [row[column] for row in whole] == [row[column] for row in rows]
        else:
            assert [whole] == lines, call


def test_info_describes_images_models_and_the_installation(run, model_path, bead_folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    image = run("info", bead_folder / "deep/sixteen.tif")
    assert image.code == 0
    for words in ("96 x 128", "uint16", "0.5 um", "1 plane"):
        assert words in image.out
    assert "3 planes of 64 x 128 px" in run("info", bead_folder / "stack.tif").out
    assert "1 plane" in run("info", bead_folder / "stack.tif", "--plane", "1").out
    model = run("info", model_path)
    assert model.code == 0
    for words in ("CC0-1.0", "blobs", "halo"):
        assert words in model.out
    assert "none: marker_threshold and marker_rise part touching beads" in model.out
    assert "touching regions from a probability of 0.3 on" in run("info", DEFAULT_MODEL).out
    said = run("info")
    assert said.code == 0
    assert __version__ in said.out
    assert "CPUExecutionProvider" in said.out


def test_info_compares_devices_and_the_cpu_is_the_first(run, model_path):
    said = run("info", model_path, "--devices", "--format", "csv")
    assert said.code == 0
    first = rows_of(said.out)[0]
    assert (first["device"], float(first["largest_difference"]), first["failure"]) == ("cpu", 0.0, "")
    assert float(first["ms_per_mpx"]) > 0
    absent = run("info", "absent.onnx", "--devices")
    assert (absent.code, absent.out) == (3, "")


def test_simulate_writes_as_many_images_as_asked(run, tmp_path):
    said = run("simulate", "sim", "-n", "3", "--size", "64", "--seed", "5")
    assert (said.code, said.out) == (0, "")
    assert "3 images" in said.err
    assert files(tmp_path / "sim/images") == [f"sim_0000{index}.tif" for index in range(3)]
    again = run("simulate", "sim", "-n", "3", "--size", "64")
    assert again.code == 3
    assert "--overwrite" in again.error


def test_one_simulation_at_a_time_writes_into_a_folder(run, tmp_path):
    with lock.held(tmp_path / "sim", print):
        said = run("simulate", "sim", "-n", "1", "--size", "64")
    assert said.code == 3
    assert "in use by another job" in said.error


@pytest.mark.parametrize(
    "words", [["count", ""], ["segment", "images", "-o", ""], ["count", "images", "-m", ""]]
)
def test_an_empty_argument_is_no_folder(run, words):
    said = run(*words)
    assert (said.code, said.error) == (2, "error: an argument is empty; is a variable of the shell unset?")


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


def test_an_unexpected_exception_keeps_its_traceback(run, monkeypatch, model_path, bead_folder):
    from beadctl.results import process

    def broken(*_, **__):
        raise RuntimeError("ours")

    monkeypatch.setattr(process, "check_outputs", broken)
    with pytest.raises(RuntimeError, match="ours"):
        run("count", bead_folder, "-m", model_path)


def test_a_count_of_an_empty_plane_is_zero_in_every_form(count, tmp_path):
    tifffile.imwrite(tmp_path / "none.tif", np.zeros((30, 30), np.uint8))
    (row,) = json.loads(count("none.tif", "--format", "json").out)
    assert (row["count"], row["mean_diameter_px"], row["status"]) == (0, None, "ok")
