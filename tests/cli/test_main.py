"""The application: wrong calls, flags that are settings, and the one boundary of errors."""

import pytest
import typer.main
from helpers.commandline import COMMANDS

from beadctl.cli import main, settings


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
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    "words", [["count", ""], ["segment", "images", "-o", ""], ["count", "images", "-m", ""]]
)
def test_an_empty_argument_is_no_folder(run, words):
    said = run(*words)
    assert (said.code, said.error) == (2, "error: an argument is empty; is a variable of the shell unset?")


def test_an_unexpected_exception_keeps_its_traceback(run, monkeypatch, model_path, bead_folder):
    from beadctl.results import process

    def broken(*_, **__):
        raise RuntimeError("ours")

    monkeypatch.setattr(process, "check_outputs", broken)
    with pytest.raises(RuntimeError, match="ours"):
        run("count", bead_folder, "-m", model_path)
