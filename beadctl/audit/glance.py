"""A quick look at some masks before `tile` and `train` use them."""

from collections.abc import Sequence

from beadctl.annotations.sample import Sample
from beadctl.audit.faults import Verdict
from beadctl.audit.run import audit
from beadctl.console import Messages
from beadctl.images import ReadOptions

# Pairs that are looked at: under a second, and one fault in ten is seldom overlooked.
QUICK = 24


def glance(samples: Sequence[Sample], reading: ReadOptions, messages: Messages, advice: str) -> None:
    """Audit some of the samples, without a model, and warn where a mask is bad.

    Parameters
    ----------
    samples : sequence of Sample
        Annotated images; up to 24 of them, spread evenly, are looked at.
    reading : ReadOptions
        How image files are read.
    messages : Messages
        Takes the warning.
    advice : str
        The command that audits all of them.
    """
    some = list(samples)[:: max(1, -(-len(samples) // QUICK))]
    audited = audit(some, reading=reading)
    bad = [one for one in audited if one.verdict is Verdict.BAD]
    if bad:
        first = bad[0]
        messages.warn(
            f"{len(bad)} of {len(audited)} masks looked at are bad, such as {first.sample.name}: "
            f"{first.checked.findings[0].words}; see all with: {advice}"
        )
