"""Fields of known mean as a model with errors counts them, drawn without images."""

from dataclasses import dataclass

import numpy as np

from beadctl.counting.interval import Interval
from beadctl.evaluation.bands import Observed
from beadctl.segmentation.quality import LIMITS as QUALITY


@dataclass(frozen=True)
class ModelOfError:
    """How a model errs: shares that vary between images, and how well the range over thresholds shows it.

    Images differ in how hard they are, by a log-normal factor of standard deviation `spread`; of the beads of
    a typical one a share `missed` is not found, and so many wrong ones are `wrong`.
    """

    missed: float = 0.03
    wrong: float = 0.02
    spread: float = 1.0

    def hardness(self, rng: np.random.Generator) -> float:
        """Draw how hard an image is."""
        return float(np.exp(self.spread * rng.standard_normal()))

    def observed(self, rng: np.random.Generator, mean: float, hard: float | None = None) -> Observed:
        """Draw a field of this mean count, of an image as hard as any if None."""
        hard = self.hardness(rng) if hard is None else hard
        true = int(rng.poisson(mean))
        matched = int(rng.binomial(true, max(0.0, 1 - self.missed * hard)))
        count = matched + int(rng.poisson(self.wrong * hard * mean))
        reach = 0.03 * hard * np.exp(0.5 * rng.standard_normal(2)) * count
        thresholds = Interval(np.floor(count - min(reach[0], count)), np.ceil(count + reach[1]))
        doubt = (thresholds.high - thresholds.low) / (2 * max(count, 3))
        covered, flagged = min(0.5, mean / 1000), bool(doubt >= QUALITY.doubt)
        return Observed(true, count, matched, thresholds, covered, flagged, float(doubt))
