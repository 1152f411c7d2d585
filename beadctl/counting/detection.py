"""What a model's own errors add to a count: by precision and recall of fields of one density."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from beadctl.counting.interval import CONFIDENCE, Interval, jeffreys_interval

TAIL = (1 - CONFIDENCE) / 2
# Of Jeffreys' prior, added to numbers of hits and misses.
HALF = 0.5
# Added to a count of which the root is taken: then roots of Poisson counts scatter alike (Anscombe 1948).
ROOT_OFFSET = 3 / 8
# Above, shares of beads are continuous to four digits.
MOST_DISCRETE = 10**4
# Of a number of beads that is solved for.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Band:
    """Validation figures of a model on fields of one density.

    Attributes
    ----------
    flagged : bool
        Whether these are the fields whose count has a quality flag, of any density, or those without.
    covered_below : float
        Upper limit of the share of a field that its beads cover; the band begins where another one ends.
    fields, true, found, matched : int
        Number of fields, true beads, beads that the model found, and of these those that are true.
    widening : float
        Factor on the detection error and the range over thresholds in `combined_interval`, 0 or more.
    doubt_below : float
        Of a band without a flag, the upper limit of the doubt about a count; it begins where another ends.
    """

    flagged: bool
    covered_below: float
    fields: int
    true: int
    found: int
    matched: int
    widening: float
    doubt_below: float = 1.0

    @property
    def is_possible(self) -> bool:
        """Whether figures that were read from a file are of the right kinds and do not contradict."""
        counts = (self.fields, self.true, self.found, self.matched)
        shares = (self.covered_below, self.widening, self.doubt_below)
        return (
            isinstance(self.flagged, bool)
            and all(isinstance(count, int) and count >= 0 for count in counts)
            and self.matched <= min(self.true, self.found)
            and all(isinstance(share, int | float) and 0 <= share < math.inf for share in shares)
        )

    def __str__(self) -> str:
        """Return of which fields the band is."""
        if self.flagged:
            return "flagged"
        return f"covered below {self.covered_below:g}, doubt below {self.doubt_below:g}"

    @property
    def precision(self) -> float:
        """Share of the found beads that are true; nan if none was found."""
        return self.matched / self.found if self.found else math.nan

    @property
    def recall(self) -> float:
        """Share of the true beads that were found; nan if there is none."""
        return self.matched / self.true if self.true else math.nan

    @property
    def precision_interval(self) -> Interval:
        """95 % interval of the precision."""
        return _share_interval(self.matched, self.found)

    @property
    def recall_interval(self) -> Interval:
        """95 % interval of the recall."""
        return _share_interval(self.matched, self.true)


def band_of(bands: Sequence[Band], *, flagged: bool, covered: float, doubt: float) -> Band | None:
    """Return the band of a field, or None if the model has none for it.

    Parameters
    ----------
    bands : sequence of Band
        Of a model, those without a flag in rising order of doubt, and then of density.
    flagged, covered, doubt : bool, float and float
        Whether its count has a quality flag, the share of it that beads cover, 0 to 1, and the doubt about
        its count; see `beadctl.segmentation.quality.doubt`.
    """
    for band in bands:
        is_of_doubt = flagged or doubt < band.doubt_below
        is_of_density = covered < band.covered_below or band.covered_below >= 1
        if band.flagged == flagged and is_of_doubt and is_of_density:
            return band
    return None


def detection_interval(count: int, band: Band) -> Interval:
    """Return between which numbers the true beads of a field lie, by the precision and recall of a model.

    At most so many W of the beads counted are wrong that as many or more are with probability 2.5 %, by a
    beta-binomial distribution with the figures of the band: ``BetaBinomial(count, wrong + 1/2, matched +
    1/2)``. The true beads are at most the number N of which a model finds no more than so many with that
    probability: ``BetaBinomial(N, matched + 1/2, missed + 1/2)``. Both are continued between whole numbers,
    the first by the logarithm of the probability, the second by the gamma function in its binomial
    coefficients. So neither end is the count: one bead may be wrong, and where none was found N solves
    ``B(matched + 1/2, missed + 1/2 + N) = 0.025 B(matched + 1/2, missed + 1/2)``, B the beta function. Both
    distributions have the binomial scatter of this field and the uncertainty of precision and recall, which
    are known from so many beads (Jeffreys' prior).

    Parameters
    ----------
    count : int
        Beads, 0 or more.
    band : Band
        Of the model, for a field of this density.

    Examples
    --------
    >>> band = Band(False, 1.0, 50, true=1000, found=980, matched=960, widening=1.5)
    >>> for count in (0, 100):
    ...     ends = detection_interval(count, band)
    ...     print(round(ends.low, 1), round(ends.high, 1))
    0.0 1.2
    94.0 109.7
    """
    wrong, missed = band.found - band.matched + HALF, band.true - band.matched + HALF
    matched = band.matched + HALF
    if count > MOST_DISCRETE:
        share = float(special.betaincinv(matched, missed, TAIL))
        return Interval(count * float(special.betaincinv(matched, wrong, TAIL)), count / share)
    return Interval(count - _most_wrong(count, wrong, matched), _most_true(count, matched, missed))


def _most_wrong(count: int, wrong: float, matched: float) -> float:
    """Return how many of `count` beads are wrong, or more, with the chance `TAIL`."""
    number = np.arange(count + 1)
    chances = np.exp(_log_chance(count, number, wrong, matched))
    as_many = np.maximum(np.cumsum(chances[::-1])[::-1], np.finfo(float).tiny)
    return float(np.interp(-math.log(TAIL), -np.log(as_many), number))


def _most_true(count: int, matched: float, missed: float) -> float:
    """Return the number of true beads of which a model finds `count` or fewer with the chance `TAIL`."""
    found = np.arange(count + 1)

    def excess(number: float) -> float:
        return float(np.exp(_log_chance(number, found, matched, missed)).sum()) - TAIL

    low, high = float(count), 2.0 * count + 1
    while excess(high) > 0:
        low, high = high, 2 * high
    return _zero(excess, low, high)


def _zero(falling: Callable[[float], float], low: float, high: float) -> float:
    """Return the zero of a function between two places of different signs, to `TOLERANCE`.

    By false position as improved in Illinois [1]_: `scipy.optimize` takes longer to import than a small image
    to count.

    References
    ----------
    .. [1] Dowell & Jarratt, "A modified regula falsi method for computing the root of an equation",
       BIT 11, 1971, pp. 168-174.
    """
    at_low, at_high, last = falling(low), falling(high), math.inf
    while True:
        place = high - at_high * (high - low) / (at_high - at_low)
        value = falling(place)
        if abs(place - last) < TOLERANCE or not value:
            return place
        if value * at_high > 0:
            at_low /= 2
        else:
            low, at_low = high, at_high
        high, at_high, last = place, value, place


def _log_chance(draws: float, hits: NDArray[np.intp], alpha: float, beta: float) -> NDArray[np.float64]:
    """Return the logarithm of the beta-binomial probability of so many hits; draws need not be whole."""
    ways = -math.log(draws + 1) - special.betaln(draws - hits + 1, hits + 1)
    return np.asarray(ways + special.betaln(hits + alpha, draws - hits + beta) - special.betaln(alpha, beta))


def field_interval(count: int, detection: Interval, thresholds: Interval, widening: float) -> Interval:
    """Return the 95 % interval of the true number of beads in a field.

    On the scale ``sqrt(n + 3/8)``, on which Poisson counts scatter alike, the distances of the count to the
    ends of its parts are added in quadrature and multiplied by `widening`: errors of a model are those of
    whole images, and scatter more than binomially.

    Parameters
    ----------
    count : int
        Beads.
    detection, thresholds : Interval
        `detection_interval`, and the least and largest count at other thresholds.
    widening : float
        Of the `Band`.

    Examples
    --------
    >>> ends = field_interval(100, Interval(94, 109), Interval(97, 102), 1.5)
    >>> round(ends.low, 1), round(ends.high, 1)
    (90.1, 114.0)
    """
    down, up = (
        widening * math.hypot(_apart(count, of_detection), _apart(count, of_thresholds))
        for of_detection, of_thresholds in (
            (detection.low, thresholds.low),
            (detection.high, thresholds.high),
        )
    )
    return _around(count, down, up)


def pooled_interval(counts: Sequence[int], fields: Sequence[Interval]) -> Interval:
    """Return the interval of the true number of beads in several fields of one sample.

    The ends are sums of those of the fields: images of one sample are alike, and so are a model's errors on
    them. Of fields in which no bead was found the widest stands for all: that a model finds none of N beads
    is as improbable in many fields as in one.

    Parameters
    ----------
    counts : sequence of int
        Beads of each field.
    fields : sequence of Interval
        `field_interval` of each.

    Examples
    --------
    >>> pooled_interval([0, 0, 9], [Interval(0, 1), Interval(0, 2), Interval(7, 12)])
    Interval(low=7, high=14)
    """
    pairs = list(zip(counts, fields, strict=True))
    empty = max((field.high for count, field in pairs if not count), default=0.0)
    return Interval(
        sum(field.low for field in fields), sum(field.high for count, field in pairs if count) + empty
    )


def combined_interval(count: int, field: Interval) -> Interval:
    """Return the 95 % interval of the mean count of such fields: by chance, and by the model's errors.

    It adds, in quadrature on the scale ``sqrt(n + 3/8)``, the distances of the count to the ends of
    `field_interval` and of `beadctl.counting.interval.jeffreys_interval`.

    Parameters
    ----------
    count, field : int and Interval
        Beads, and `field_interval`.

    Examples
    --------
    >>> ends = combined_interval(100, Interval(90.2, 114.2))
    >>> round(ends.low, 1), round(ends.high, 1)
    (79.6, 125.8)
    """
    return with_error(count, jeffreys_interval(count), field)


def with_error(mean: float, sampling: Interval, error: Interval, offset: float = ROOT_OFFSET) -> Interval:
    """Return the interval of a mean count from that by sampling and that by the model's errors.

    Parameters
    ----------
    mean : float
        Count of a field, or mean of several.
    sampling, error : Interval
        Of this mean.
    offset : float
        `ROOT_OFFSET` over the number of fields, which is added before roots are taken.
    """
    down, up = (
        math.hypot(_apart(mean, by_chance, offset), _apart(mean, by_error, offset))
        for by_chance, by_error in ((sampling.low, error.low), (sampling.high, error.high))
    )
    return _around(mean, down, up, offset)


def _apart(count: float, end: float, offset: float = ROOT_OFFSET) -> float:
    return abs(math.sqrt(end + offset) - math.sqrt(count + offset))


def _around(count: float, down: float, up: float, offset: float = ROOT_OFFSET) -> Interval:
    root = math.sqrt(count + offset)
    return Interval(max(0.0, max(0.0, root - down) ** 2 - offset), (root + up) ** 2 - offset)


def _share_interval(part: int, whole: int) -> Interval:
    """Return Jeffreys' interval of a binomial share."""
    rest = whole - part + HALF
    low, high = (float(special.betaincinv(part + HALF, rest, tail)) for tail in (TAIL, 1 - TAIL))
    return Interval(low if part else 0.0, high if part < whole else 1.0)
