"""One row of measurements a bead, as columns, and as the rows of beads.csv."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from beadctl.segmentation.runs import Column

FLAGS = ("clump", "border", "saturated", "low-confidence")

# At this confidence about two thirds of the beads are right.
LOW_CONFIDENCE = 0.75

# Beads of which rows are made at a time.
_ROWS = 4096


@dataclass(frozen=True)
class BeadTable:
    """Measurements of the beads of one plane, a column each, all of one length; nan is "unknown".

    Attributes
    ----------
    label : ndarray of int64, shape (N,)
        As in the label image, ascending; all columns have this shape, float64 unless stated.
    y_px, x_px
        Centroid; (0, 0) is the middle of the first pixel.
    area_px, diameter_px
        Pixels, int64, and diameter of the disc of equal area, ``sqrt(4 A / pi)``.
    perimeter_px
        Estimate of Benkrid & Crookes ("Design and FPGA implementation of a perimeter estimator"), equal to
        scikit-image's ``perimeter``.
    major_axis_px, minor_axis_px
        Axes of the ellipse of equal second moments.
    circularity
        ``4 pi A / P**2`` (Cox 1927), 1 for a disc and clipped at 1, because the perimeter of discs of a few
        pixels is underestimated; nan where the perimeter is 0 (one or two pixels), and where the value would
        be above 1 though no pixel lies inside the outline (a short line, or 2 x 2 pixels). Where most pixels
        lie on the outline, at most that of the ellipse of equal second moments.
    mean_intensity
        In the image's own units; nan without an image, or where a pixel of the bead is NaN or infinite.
    confidence
        Mean probability inside times the root of the marker height, 0..1: the higher, the more likely the
        bead is real.
        Without a marker map the mean probability; nan without either.
    area_um2, diameter_um
        As above; nan where the pixel size is unknown.
    border, clump : ndarray of bool
        Whether a pixel lies on the edge of the plane, or next to a gap in it, so the bead may be cut off; and
        whether it touches another bead, so the outline between them is estimated.
    saturated : ndarray of bool
        Whether a tenth of it or more has the camera's top grey level, so its intensity is a lower bound.
        See `beadctl.images.saturated_pixels`.
    min_intensity, max_intensity, median_intensity, integrated_intensity
        Of the bead's pixels, as `mean_intensity`; the integrated one is their sum, nothing subtracted.
    local_background
        Median of the pixels around the bead, as `mean_intensity`; see
        `beadctl.segmentation.intensity.BeadIntensities`.
    y_um, x_um
        Centroid from the middle of the first pixel; nan where the pixel size is unknown.
    mean_probability, marker_height
        Mean of the probability map inside and largest value of the marker map, 0..1, by which a classifier
        judges it; nan without these maps. They are not written.
    """

    label: NDArray[np.int64]
    y_px: Column
    x_px: Column
    area_px: NDArray[np.int64]
    diameter_px: Column
    perimeter_px: Column
    major_axis_px: Column
    minor_axis_px: Column
    circularity: Column
    mean_intensity: Column
    confidence: Column
    area_um2: Column
    diameter_um: Column
    border: NDArray[np.bool_]
    clump: NDArray[np.bool_]
    saturated: NDArray[np.bool_]
    min_intensity: Column
    max_intensity: Column
    median_intensity: Column
    integrated_intensity: Column
    local_background: Column
    y_um: Column
    x_um: Column
    mean_probability: Column
    marker_height: Column

    def __len__(self) -> int:
        """Return the number of beads."""
        return len(self.label)

    @property
    def roundness(self) -> Column:
        """Return ``4 pi A / P**2``, at most 1, by the perimeter alone, and 1 where this is unknown.

        Model files hold classifiers that were fitted to it.
        """
        with np.errstate(divide="ignore"):
            ratio = 4 * np.pi * self.area_px / np.square(self.perimeter_px)
        return np.nan_to_num(np.minimum(ratio, 1.0), nan=1.0)

    @property
    def flags(self) -> list[str]:
        """Return the `FLAGS` of each bead that apply, separated by spaces."""
        low_confidence = self.confidence < LOW_CONFIDENCE
        columns = zip(self.clump, self.border, self.saturated, low_confidence, strict=True)
        return [" ".join(itertools.compress(FLAGS, bead)) for bead in columns]

    def only(self, kept: NDArray[np.bool_]) -> "BeadTable":
        """Return the measurements of some of the beads, bool (N,), which get the labels 1..n."""
        return replace(self.some(kept), label=np.arange(1, int(kept.sum()) + 1))

    def some(self, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> "BeadTable":
        """Return the measurements of some of the beads, bool (N,) or places (n,), which keep their labels."""
        return BeadTable(**{field.name: getattr(self, field.name)[which] for field in fields(self)})

    def rows(self) -> Iterator[dict[str, int | float | str | None]]:
        """Yield each bead as plain Python values keyed by `COLUMNS`, in that order; unknown is None."""
        for start in range(0, len(self), _ROWS):
            some = self.some(slice(start, start + _ROWS))
            columns = [
                some.flags
                if name == "flags"
                else [None if value != value else value for value in getattr(some, name).tolist()]
                for name in COLUMNS
            ]
            for values in zip(*columns, strict=True):
                yield dict(zip(COLUMNS, values, strict=True))


_UNWRITTEN = (*FLAGS, "mean_probability", "marker_height")
_MEASURED = [field.name for field in fields(BeadTable) if field.name not in _UNWRITTEN]
# New columns come last, so that those of earlier versions keep their places.
_LATER = _MEASURED.index("min_intensity")
COLUMNS = (*_MEASURED[:_LATER], "flags", *_MEASURED[_LATER:])
