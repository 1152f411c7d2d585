"""A fast audit of pairs, before `tile`, `train` and `eval` use them."""

from collections.abc import Sequence

from beadctl.annotations.sample import Sample
from beadctl.audit.detector import bead_detector
from beadctl.audit.faults import Fault, Verdict
from beadctl.audit.run import AuditedSample, audit
from beadctl.console import Messages
from beadctl.images import ReadOptions
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.words import form, number_of

# Pairs that are audited: under a second; if every tenth mask is bad, all of them are right in 8 % of cases.
MAX_PAIRS = 24


def _confirmed(bad: Sequence[AuditedSample], reading: ReadOptions, messages: Messages) -> list[AuditedSample]:
    """Return the pairs that the audit with the default model calls bad too, as `beadctl audit` does."""
    model = Model(DEFAULT_MODEL, "cpu")
    detector = bead_detector(model, SegmentOptions.of(model.facts, read=reading))
    with messages.progress(len(bad), "checking masks") as advance:
        again = audit([pair.sample for pair in bad], reading=reading, detector=detector, on_pair=advance)
    # A leak is seen only among all pairs.
    pairs = zip(bad, again, strict=True)
    return [
        old if old.result.has(Fault.LEAK) else new
        for old, new in pairs
        if old.result.has(Fault.LEAK) or new.result.verdict is Verdict.BAD
    ]


def spot_check(
    samples: Sequence[Sample],
    reading: ReadOptions,
    messages: Messages,
    command: str,
    most: int = MAX_PAIRS,
) -> None:
    """Audit some samples, evenly spread; warn if masks are bad.

    The default model looks only at pairs that are bad by their edges.

    Parameters
    ----------
    samples, reading : sequence of Sample, ReadOptions
        Annotated images, and how image files are read.
    messages, command : Messages, str
        Takes the warning, which names the command that audits all samples.
    most : int
        Samples that are audited.
    """
    audited = audit(samples[:: max(1, -(-len(samples) // most))], reading=reading)
    bad = [pair for pair in audited if pair.result.verdict is Verdict.BAD]
    bad = _confirmed(bad, reading, messages) if bad else []
    if bad:
        worst = bad[0].result.findings[0].message
        messages.warn(
            f"{len(bad)} of {number_of(len(audited), 'mask')} checked {form(len(bad), 'is', 'are')} bad, "
            f"for example {bad[0].sample.name}: {worst};"
            f" check all with: {command}"
        )
