"""Which of the finished beads of a plane are counted, and in which part of it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.region import CountedRegion
from beadctl.errors import SettingsError
from beadctl.segmentation.bead_table import BeadTable
from beadctl.segmentation.filters import Filters
from beadctl.segmentation.frame import SETTING, CountingFrame

NARROW_GUARD = "narrow-guard"


@dataclass(frozen=True)
class Counted:
    """The beads of a plane that are counted.

    Attributes
    ----------
    in_field, kept : ndarray of bool, shape (N,)
        Which of its N beads lie where beads are counted, and which of these the filters keep.
    inside : ndarray of bool, shape (H, W), or None
        Where beads are counted; None for the whole plane.
    quality : tuple of str
        Flags: ``narrow-guard`` where the image's border, or a gap, cuts a bead of the counting
        frame.
    """

    in_field: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    inside: NDArray[np.bool_] | None = None
    quality: tuple[str, ...] = ()

    @property
    def filtered(self) -> int:
        """Beads that only the filters left out."""
        return int((self.in_field & ~self.kept).sum())


@dataclass(frozen=True)
class CountRule:
    """Which of the finished beads are counted; the same for every image of a run.

    Attributes
    ----------
    filters : Filters
        Limits on size and shape.
    exclude_border : bool
        Leave out beads that touch the border of the plane or a gap in it.
    region : CountedRegion or None
        Count beads with their centroid in a pixel of it.
    frame : CountingFrame or None
        Count beads by a counting frame; it takes no region.
    link_z : bool
        Count beads that appear in several planes of a Z stack once.
    """

    filters: Filters = field(default_factory=Filters)
    exclude_border: bool = False
    region: CountedRegion | None = None
    frame: CountingFrame | None = None
    link_z: bool = False

    @classmethod
    def of(
        cls,
        asked: Mapping[str, Any],
        region: CountedRegion | None = None,
        counting_frame: str | None = None,
        *,
        link_z: bool = False,
    ) -> "CountRule":
        """Read a rule among settings.

        Parameters
        ----------
        asked : mapping
            ``exclude_border``, and those of `Filters`.
        region, counting_frame : CountedRegion and str, or None
            The region; width of the counting frame's guard.
        link_z : bool
            As the attribute.

        Raises
        ------
        SettingsError
            If a filter or the frame is not one, or two of these exclude each other.
        """
        frame = CountingFrame.parse(counting_frame) if counting_frame else None
        exclude_border = bool(asked.get("exclude_border"))
        if frame and (region or exclude_border):
            other = "--region and --region-exclude" if region else "--exclude-border"
            raise SettingsError(f"{SETTING}: counts by a rule of its own; leave out {other}, or the frame")
        return cls(Filters.of(asked), exclude_border, region, frame, link_z)

    def in_px(self, pixel_size_um: float | None) -> "CountRule":
        """Return the rule with all sizes in px; an ImageError where one is in um and these are unknown."""
        frame = self.frame.in_px(pixel_size_um) if self.frame else None
        return dataclasses.replace(self, filters=self.filters.in_px(pixel_size_um), frame=frame)

    def counted(self, labels: NDArray[np.uint32], table: BeadTable) -> Counted:
        """Return which beads are counted; sizes have to be in px.

        Parameters
        ----------
        labels, table : ndarray of int, shape (H, W), and BeadTable
            Label image of a plane, and the measurements of all its beads.

        Raises
        ------
        ImageError, AnnotationError
            If the frame or the region does not fit the plane.
        """
        shape = labels.shape[0], labels.shape[1]
        inside, quality = None, tuple[str, ...]()
        in_field = np.ones(len(table), bool)
        if self.region:
            inside = self.region.mask(shape).inside
            in_field = _centred_in(table, inside)
        if self.frame:
            window = self.frame.window(shape)
            inside = np.zeros(shape, bool)
            inside[window.slices] = True
            in_field = self.frame.counted(labels, window)[table.label]
            quality = (NARROW_GUARD,) if (in_field & table.border).any() else ()
        if self.exclude_border:
            in_field &= ~table.border
        return Counted(in_field, in_field & self.filters.kept(table), inside, quality)


def _centred_in(table: BeadTable, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which beads have their centroid in a pixel of `inside`; a pixel includes its lower edges."""
    row, column = (np.floor(centre + 0.5).astype(np.intp) for centre in (table.y_px, table.x_px))
    return np.asarray(inside[row, column], bool)
