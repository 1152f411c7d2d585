"""The network's maps of a plane: turned, normalised, and shown at the scale that the scale rule chooses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ImageError
from beadctl.images import (
    STORED,
    Levels,
    Mirrored,
    NetworkInput,
    Normalisation,
    Orientation,
    Pixels,
    Window,
    oriented,
)
from beadctl.images.resample import Shrunk
from beadctl.model.session import Maps, Model
from beadctl.segmentation import instances, scale
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.gaps import blanked, gaps_of
from beadctl.segmentation.instances import Found
from beadctl.segmentation.measure import measure
from beadctl.segmentation.misfit import LIMITS as MISFIT
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.size_prior import SizePrior

# Rows of a plane that are compared at once.
BLANK_ROWS = 256


@dataclass(frozen=True)
class PredictedPlane:
    """The network's maps of a plane, and the work on them that the scale rule has already done.

    Attributes
    ----------
    maps : Maps
        Of the plane's own size, in its orientation.
    orientation : Orientation
        In which the plane was shown to the network.
    shrink : int
        Factor by which the plane was shrunk for the network.
    has_larger : bool
        Whether the scale rule saw larger objects that it could not be sure of.
    found, table : Found and BeadTable, or None
        The beads by these maps, and their measurements without those of intensities and outlines.
    normalisation : Normalisation or None
        By which the network was shown the plane.
    unshrunk : Found or None
        Number and area of the specks of the plane as it is, as in `beadctl.segmentation.misfit.misfits`.
    """

    maps: Maps
    orientation: Orientation = STORED
    shrink: int = 1
    has_larger: bool = False
    found: Found | None = None
    table: BeadTable | None = None
    normalisation: Normalisation | None = None
    unshrunk: Found | None = None

    @property
    def unlabelled(self) -> "PredictedPlane":
        """The maps alone, to be labelled with other numbers."""
        return replace(self, found=None, table=None)


def predict_plane(
    pixels: Pixels,
    model: Model,
    options: SegmentOptions,
    *,
    pixel_size_um: float | None = None,
    levels: Levels | None = None,
    maps_of: Callable[["ScaledPlane"], Maps] | None = None,
) -> PredictedPlane:
    """Run the network over a plane, at the scale that the scale rule chooses.

    Parameters and errors are those of `beadctl.segmentation.plane.segment_plane`, and:

    Parameters
    ----------
    maps_of : callable, optional
        Returns the maps of a plane that was judged by parts of it; by default the network runs over it here.
    """
    scaled = scaled_plane(pixels, model, options, pixel_size_um=pixel_size_um, levels=levels)
    if isinstance(scaled, PredictedPlane):
        return scaled
    if maps_of and scaled.is_large:
        return scaled.predicted(maps_of(scaled))
    tile_size = options.tile_size
    return scaled.predicted(
        model.maps(scaled.pixels, shown=scaled.shown, tile_size=tile_size, known=scaled.known)
    )


def scaled_plane(
    pixels: Pixels,
    model: Model,
    options: SegmentOptions,
    *,
    pixel_size_um: float | None = None,
    levels: Levels | None = None,
) -> "ScaledPlane | PredictedPlane":
    """Return a plane at the scale that the scale rule chooses; one without contrast needs no network.

    Parameters and errors are those of `beadctl.segmentation.plane.segment_plane`.
    """
    options = options.in_px(pixel_size_um)
    orientation, pixels = oriented(pixels)
    first = pixels.read(Window(0, 0, 1, 1))[0, 0]
    if levels is None and _is_everywhere(first, pixels):
        if not np.isfinite(first):
            raise ImageError("all of its pixels are NaN or infinite; export it again")
        return PredictedPlane(Maps(np.zeros((pixels.height, pixels.width), np.uint8)), orientation)
    trials: dict[int, _Trial] = {}

    def evidence(factor: int) -> scale.Evidence:
        """Run the network over windows of the plane shrunk by a factor, and sum up what it finds."""
        shrunk = Shrunk(pixels, factor) if factor > 1 else pixels
        # The windows are shown as parts of the whole plane.
        shown = NetworkInput.of(shrunk, model.facts.normalisation, levels)
        filled = Mirrored(shrunk)
        maps = {
            window: model.maps(filled, window, shown=shown, tile_size=options.tile_size)
            for window in scale.sample_windows(shrunk.height, shrunk.width)
        }
        found, measured = list[Found](), list[BeadTable]()
        for window, one in maps.items():
            gaps = gaps_of(shrunk.read(window)) if first.dtype.kind == "f" else None
            seen = one if gaps is None else outside_gaps(one, gaps)
            found.append(find_beads(seen, options.shrunk(factor), gaps=gaps))
            measured.append(measured_by_maps(found[-1].labels, seen, gaps))
        trials[factor] = _Trial(filled, shown, maps, found, measured)
        return scale.Evidence.of(found, measured)

    factors = scale.factors_for(options.diameter.value if options.diameter else None)
    choice = scale.chosen(pixels.height, pixels.width, evidence, factors, stated=options.diameter is not None)
    trial, unshrunk = trials[choice.factor], None
    if options.diameter and choice.factor > 1 and sum(map(len, trial.tables)) < MISFIT.fewest:
        evidence(1)
        unshrunk = _specks(trials[1].found, pixels)
    return ScaledPlane((pixels.height, pixels.width), orientation, choice, trial, unshrunk)


def _specks(windows: Sequence[Found], pixels: Pixels) -> Found:
    """Return the specks of windows of a plane, their area as that of the whole plane."""
    whole = pixels.height * pixels.width / sum(one.labels.size for one in windows)
    area_px = sum(one.specks_px for one in windows)
    return Found(
        np.zeros((0, 0), np.uint32), specks=sum(one.specks for one in windows), specks_px=int(area_px * whole)
    )


def _is_everywhere(value: np.generic, pixels: Pixels) -> bool:
    """Return whether all pixels equal a value, or all are not finite like it; the first rows mostly tell."""
    strips = (
        Window(top, 0, min(BLANK_ROWS, pixels.height - top), pixels.width)
        for top in range(0, pixels.height, BLANK_ROWS)
    )
    is_known = np.isfinite(value)
    alike = (part == value if is_known else ~np.isfinite(part) for part in map(pixels.read, strips))
    return all(bool(part.all()) for part in alike)


@dataclass(frozen=True)
class _Trial:
    """What the scale rule computed at one scale."""

    pixels: Pixels
    shown: NetworkInput
    maps: Mapping[Window, Maps]
    found: list[Found]
    tables: list[BeadTable]


@dataclass(frozen=True)
class ScaledPlane:
    """A plane at the scale at which the network is to see all of it.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the plane itself, px.
    orientation, choice : Orientation and Choice
        In which the plane is shown, and the scale that was chosen.
    unshrunk : Found or None
        As in `PredictedPlane`.
    """

    shape: tuple[int, int]
    orientation: Orientation
    choice: scale.Choice
    _trial: _Trial
    unshrunk: Found | None = None

    @property
    def pixels(self) -> Pixels:
        """The plane, turned and shrunk."""
        return self._trial.pixels

    @property
    def shown(self) -> NetworkInput:
        """How its pixels become channels of the network's input."""
        return self._trial.shown

    @property
    def known(self) -> Mapping[Window, Maps]:
        """Maps of the windows by which the scale was chosen."""
        return self._trial.maps

    @property
    def is_large(self) -> bool:
        """Whether it was judged by parts of it."""
        return len(self.known) > 1

    def predicted(self, maps: Maps) -> PredictedPlane:
        """Return what the network says of the plane, by the maps of `pixels`."""
        factor, larger = self.choice.factor, self.choice.has_larger
        by = self.shown.normalisation
        if factor > 1 or self.is_large:
            enlarged = maps.enlarged(factor, *self.shape)
            return PredictedPlane(
                enlarged, self.orientation, factor, larger, normalisation=by, unshrunk=self.unshrunk
            )
        found, table = self._trial.found[0], self._trial.tables[0]
        return PredictedPlane(maps, self.orientation, 1, larger, found, table, by)


def outside_gaps(maps: Maps, gaps: NDArray[np.bool_]) -> Maps:
    """Return maps that are 0 in the gaps, bool (H, W), where the network was shown a mirror image."""
    return Maps(*(blanked(plane, gaps) for plane in maps.planes))


def find_beads(
    maps: Maps, options: SegmentOptions, shrink: int = 1, gaps: NDArray[np.bool_] | None = None
) -> Found:
    """Find the beads of maps by the maps alone.

    Parameters
    ----------
    maps : Maps
        Of a plane or a window of it.
    options : SegmentOptions
        Thresholds and sizes, these in px; beads on the border and the filters come later.
    shrink : int
        Factor by which the plane was shrunk for these maps.
    gaps : ndarray of bool, shape (H, W), optional
        Where the plane, in the orientation of the maps, has no values.
    """
    least_px = max(options.min_area_px, options.min_area_network_px * shrink**2)
    asked_px = options.filters.min_area.in_px(None) if options.filters.min_area else None
    stated = SizePrior.stated(options.diameter.value, asked_px) if options.diameter else True
    return instances.find_beads(
        maps.probability,
        maps.marker,
        threshold=options.threshold,
        marker_threshold=options.marker_threshold,
        min_area_px=min(least_px, int(asked_px)) if asked_px else least_px,
        join_by=options.joiner or options.marker_rise,
        min_confidence=options.min_confidence,
        use_size_prior=stated,
        gaps=gaps,
    )


def measured_by_maps(
    labels: NDArray[np.uint32], maps: Maps, gaps: NDArray[np.bool_] | None = None
) -> BeadTable:
    """Return the measurements of beads, uint32 (H, W), without those of intensities and outlines."""
    return measure(labels, None, maps.probability, maps.marker, gaps=gaps, outlines=False)
