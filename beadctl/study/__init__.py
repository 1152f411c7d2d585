"""Comparison of losses and training settings over several seeds: trials, statistics, tables, plots, report.

>>> from beadctl.study.outcome import Arm, Outcome
>>> from beadctl.study.verdict import verdict
>>> jaccard = {"dice": (0.90, 0.91, 0.90), "focal": (0.50, 0.51, 0.52)}
>>> runs = [
...     Outcome(Arm(loss, "fixed", 1e-3, 8, 0.1), seed, f"{loss}-{seed}", "test", value)
...     for loss, values in jaccard.items()
...     for seed, value in enumerate(values)
... ]
>>> verdict(runs)
'dice is better than focal (by 0.3933, p < 0.001) in mean test Jaccard over 3 seeds.'
"""
