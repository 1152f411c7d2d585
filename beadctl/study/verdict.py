"""The result of a comparison in one or two sentences."""

from collections.abc import Iterable, Sequence

from beadctl.study.outcome import Outcome
from beadctl.study.statistics import LEAST_SEEDS, Difference, Groups, differences, grouped

# Smaller leads of a best single run do not show in four digits.
LEAST_LEAD = 5e-5
# Pairs that a sentence names; the table lists all.
MOST_NAMED = 3


def verdict(outcomes: Sequence[Outcome]) -> str:
    """Return what all runs together show about the losses, in one to three sentences."""
    groups = grouped(outcomes, "jaccard")
    names = list(groups)
    if not names:
        return "Nothing to compare: no run finished with a Jaccard."
    if len(names) == 1:
        return f"Nothing to compare: {names[0]} is the only loss with a finished run."
    text = _main_sentence(names, differences(outcomes), measured_on(outcomes)) + _best_run(groups)
    settings = len({cell[1:] for cells in groups.values() for cell in cells})
    if settings > 1:
        text += f" Each loss is averaged over {settings} settings of learning rate, batch size and dropout."
    return text


def measured_on(outcomes: Sequence[Outcome]) -> str:
    """Return ``test`` or ``validation``, or both where finished runs were measured on different splits."""
    splits = sorted({run.split for run in outcomes if run.finished})
    return " and ".join({"val": "validation"}.get(split, split) for split in splits)


def _main_sentence(names: Sequence[str], pairs: Sequence[Difference], split: str) -> str:
    leader = names[0]
    own = [pair for pair in pairs if leader in (pair.first, pair.second)]
    tested = [pair for pair in own if pair.n >= LEAST_SEEDS]
    if not tested:
        nearest = own[0]
        if not nearest.n:
            return f"{leader} has the best mean {split} Jaccard, but shares no finished run with {names[1]}."
        return (
            f"{nearest.first} leads {nearest.second} by {abs(nearest.mean):.4f} in mean {split} Jaccard, "
            f"but fewer than {LEAST_SEEDS} seeds prove nothing."
        )
    better = [pair for pair in tested if pair.shown and pair.first == leader]
    worse = [pair for pair in tested if pair.shown and pair.second == leader]
    rest = [pair for pair in tested if not pair.shown]
    untested = _listed(_other(pair, leader) for pair in own if pair not in tested)
    unknown = f" Too few seeds are shared with {untested} to tell." if untested else ""
    if worse or not better:
        return _no_difference(tested[0], pairs, split) + unknown
    wins = _listed(f"{pair.second} (by {pair.mean:.4f}, p {p_text(pair.p_corrected)})" for pair in better)
    text = f"{leader} is better than {wins} in mean {split} Jaccard over {_seeds(better)} seeds"
    if rest:
        text += f", but no difference is shown to {_listed(_lead_over(pair, leader) for pair in rest)}"
    return f"{text}.{unknown}"


def _no_difference(nearest: Difference, pairs: Sequence[Difference], split: str) -> str:
    shown = sorted((pair for pair in pairs if pair.shown), key=lambda pair: pair.p_corrected)
    text = (
        f"{'No best loss shown' if shown else 'No difference shown'}: {nearest.first} leads {nearest.second} "
        f"by {abs(nearest.mean):.4f} in mean {split} Jaccard over {nearest.n} seeds, "
        f"95 % interval {nearest.low:.4f} to {nearest.high:.4f}"
    )
    if shown:
        wins = [f"{pair.first} over {pair.second} (p {p_text(pair.p_corrected)})" for pair in shown]
        if len(wins) > MOST_NAMED:
            wins[MOST_NAMED:] = [f"{len(shown) - MOST_NAMED} more of {len(pairs)} pairs"]
        return f"{text}; differences are shown of {_listed(wins)}."
    if len(pairs) > 1:
        text += f", and none of the {len(pairs)} pairs of losses is shown to differ"
    return f"{text}."


def _best_run(groups: Groups) -> str:
    # Users tend to rank by the best run, which favours the loss with the widest spread or the most runs.
    best = {name: max(values.values()) for name, values in groups.items()}
    leader, highest = next(iter(best)), max(best, key=lambda name: best[name])
    if best[highest] - best[leader] < LEAST_LEAD:
        return ""
    return (
        f" By its best single run {highest} would lead ({best[highest]:.4f} against {best[leader]:.4f} "
        f"of {leader}), but losses are ranked by their means."
    )


def _lead_over(pair: Difference, leader: str) -> str:
    lead, low, high = pair.mean, pair.low, pair.high
    if pair.first != leader:
        lead, low, high = -lead, -high, -low
    return f"{_other(pair, leader)} (by {lead:.4f}, 95 % interval {low:.4f} to {high:.4f})"


def _other(pair: Difference, name: str) -> str:
    return pair.second if pair.first == name else pair.first


def _seeds(pairs: Sequence[Difference]) -> str:
    least, most = min(pair.n for pair in pairs), max(pair.n for pair in pairs)
    return str(least) if least == most else f"{least} to {most}"


def _listed(words: Iterable[str]) -> str:
    *most, last = [*words] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def p_text(p: float) -> str:
    """Return a p value with three digits."""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"
