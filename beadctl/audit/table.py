"""The audit as a table: one row a pair, always as many rows as pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from beadctl.audit.faults import Verdict
from beadctl.audit.run import AuditedSample
from beadctl.files import write_csv
from beadctl.words import number_of

COLUMNS = (
    "image", "mask", "split", "verdict", "faults", "beads", "diameter_px", "fit", "shift_y_px", "shift_x_px",
    "polarity", "findings",
)  # fmt: skip


def _row(audited: AuditedSample) -> dict[str, object]:
    result, fit = audited.result, audited.result.fit
    compared = fit.score > 0
    return {
        "image": audited.sample.name,
        "mask": str(audited.sample.truth),
        "split": audited.sample.split,
        "verdict": result.verdict.value,
        "faults": "; ".join(finding.fault.value for finding in result.findings),
        "beads": result.beads,
        "diameter_px": round(result.diameter_px, 2),
        "fit": round(min(fit.score, 1e6), 1) if compared else None,
        "shift_y_px": round(fit.dy, 2) if compared else None,
        "shift_x_px": round(fit.dx, 2) if compared else None,
        "polarity": ("bright" if fit.bright else "dark") if compared else None,
        "findings": "; ".join(finding.message for finding in result.findings),
    }


def write(path: Path, audited: Iterable[AuditedSample]) -> None:
    """Write ``audit.csv``; errors are those of `beadctl.files.write_csv`."""
    write_csv(path, COLUMNS, map(_row, audited), rounded=True)


def doubtful(audited: Iterable[AuditedSample]) -> list[AuditedSample]:
    """Return the pairs that are not ok, the worst first."""
    pairs = [pair for pair in audited if pair.result.verdict is not Verdict.OK]
    return sorted(pairs, key=lambda pair: (-pair.result.verdict.rank, pair.result.fit.score))


def console_rows(audited: Iterable[AuditedSample]) -> list[tuple[str, str, str]]:
    """Return name, verdict and worst finding of each doubtful pair, the worst first."""
    worst = [(pair.sample.name, pair.result) for pair in doubtful(audited)]
    return [(name, result.verdict.value, result.findings[0].message) for name, result in worst]


def summary(audited: Sequence[AuditedSample]) -> str:
    """Return how many pairs have each verdict, as a sentence."""
    tally = Counter(pair.result.verdict for pair in audited)
    each = ", ".join(f"{tally[verdict]} {verdict.value}" for verdict in Verdict)
    return f"{number_of(len(audited), 'pair')}: {each}"


def any_bad(audited: Iterable[AuditedSample]) -> bool:
    """Return whether any mask is bad."""
    return any(pair.result.verdict is Verdict.BAD for pair in audited)
