"""The audit as a table: one row a pair, always as many rows as pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from beadctl.audit.faults import Verdict
from beadctl.audit.run import Audited
from beadctl.files import write_csv

COLUMNS = (
    "image",
    "mask",
    "split",
    "verdict",
    "faults",
    "beads",
    "diameter_px",
    "fit",
    "shift_y_px",
    "shift_x_px",
    "polarity",
    "findings",
)


def cells(one: Audited) -> dict[str, object]:
    """Return the row of a pair, by column."""
    checked = one.checked
    judged = checked.fit.standing > 0
    return {
        "image": one.sample.name,
        "mask": str(one.sample.truth),
        "split": one.sample.split,
        "verdict": one.verdict.value,
        "faults": "; ".join(finding.fault.value for finding in checked.findings),
        "beads": checked.beads,
        "diameter_px": round(checked.diameter_px, 2),
        "fit": round(min(checked.fit.standing, 1e6), 1) if judged else None,
        "shift_y_px": round(checked.fit.dy, 2) if judged else None,
        "shift_x_px": round(checked.fit.dx, 2) if judged else None,
        "polarity": ("bright" if checked.fit.bright else "dark") if judged else None,
        "findings": "; ".join(finding.words for finding in checked.findings),
    }


def write(path: Path, audited: Iterable[Audited]) -> None:
    """Write ``audit.csv``, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    write_csv(path, COLUMNS, (cells(one) for one in audited), rounded=True)


def doubtful(audited: Sequence[Audited]) -> list[Audited]:
    """Return the pairs that are not ok, the worst first."""
    return sorted(
        (one for one in audited if one.verdict is not Verdict.OK),
        key=lambda one: (-one.verdict.rank, one.checked.fit.standing),
    )


def shown(audited: Sequence[Audited]) -> list[tuple[str, str, str]]:
    """Return the rows of the table for people: each doubtful pair with its worst fault."""
    return [(one.sample.name, one.verdict.value, one.checked.findings[0].words) for one in doubtful(audited)]


def counted(audited: Sequence[Audited]) -> str:
    """Return how many pairs got each verdict, in words."""
    tally = Counter(one.verdict for one in audited)
    return f"{len(audited)} pairs: " + ", ".join(f"{tally[verdict]} {verdict.value}" for verdict in Verdict)


def any_bad(audited: Iterable[Audited]) -> bool:
    """Whether any mask is bad."""
    return any(one.verdict is Verdict.BAD for one in audited)
