"""What a worker needs to check pairs as this one would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from beadctl.annotations.sample import Sample
from beadctl.audit.check import Detector
from beadctl.audit.detector import bead_detector
from beadctl.audit.run import Checked, check_pair
from beadctl.cluster.worker import as_given, name_notes
from beadctl.images import ReadOptions
from beadctl.results.orders import NetworkOrder, require_present


@dataclass(frozen=True)
class PairOrder:
    """How a worker checks pairs, which have absolute paths.

    Attributes
    ----------
    reading : ReadOptions
        How image files are read.
    network : NetworkOrder or None
        What detects beads, if anything does.
    """

    reading: ReadOptions
    network: NetworkOrder | None

    def open(self, number: int) -> PairTool:
        """Open what detects beads; see `NetworkOrder.open`."""
        if self.network is None:
            return PairTool(self, None)
        opened = self.network.open(number)
        return PairTool(self, bead_detector(opened.model, opened.options))


class PairTool:
    """Checks pairs in a worker.

    Parameters
    ----------
    order, detector : PairOrder, and callable or None
        What was ordered, and what detects beads.
    """

    facts: Mapping[str, Any] = {}

    def __init__(self, order: PairOrder, detector: Detector | None) -> None:
        self._order, self._detector = order, detector

    def work(self, sample: Sample, image: str, truth: str) -> Checked:
        """Check a pair, whose files findings name as the user gave them.

        Raises
        ------
        FileNotFoundError
            If one of its files is not there.
        """
        for path in (sample.image, sample.truth):
            require_present(path)
        result, fingerprint = check_pair(sample, self._order.reading, self._detector)
        given = {str(sample.image): image, str(sample.truth): truth}
        name_notes(given)
        findings = tuple(replace(one, message=as_given(one.message, given)) for one in result.findings)
        return replace(result, findings=findings), fingerprint

    def give_up(self) -> None:
        """Let the pair that is checked be finished: that takes little time."""
