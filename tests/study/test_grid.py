"""The trials of a comparison: what each one is trained with."""

from beadctl.losses import Loss
from beadctl.study.grid import FLAGS, trials
from beadctl.training.choices import SelectName
from beadctl.training.plan import TrainingPlan


def test_every_trial_is_selected_by_jaccard_whatever_the_plan_says():
    """Losses are compared by their overlap with the masks; a plan chooses by F1."""
    plan = TrainingPlan(size=32, width=4, depth=2)
    assert plan.select == SelectName.F1
    lists = dict.fromkeys(FLAGS) | {"loss": "dice,focal"}
    found = trials(lists, 2, plan, {"train": {"select": "f1", "epochs": 3}}, lambda name, text: text)
    assert [trial.plan.loss for trial in found] == [Loss.DICE, Loss.FOCAL] * 2
    assert {trial.plan.select for trial in found} == {SelectName.JACCARD}
    assert {trial.settings["train"]["select"] for trial in found} == {SelectName.JACCARD}


def test_learning_rates_that_differ_in_the_last_digits_have_folders_of_their_own():
    plan = TrainingPlan(size=32, width=4, depth=2)
    lists = dict.fromkeys(FLAGS) | {"lr": "0.001,0.00012345671,0.00012345672"}
    found = trials(lists, 1, plan, {}, lambda name, text: float(text))
    folders = [trial.folder for trial in found]
    assert len(set(folders)) == 3
    assert folders[0] == "combined-fixed-lr0.001-batch4-dropout0.1-seed0"
