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
