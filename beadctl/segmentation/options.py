"""How planes become beads: the numbers of the model file, as far as the settings give no others."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from beadctl.annotations.region import CountedRegion
from beadctl.errors import ImageError
from beadctl.files import fingerprint
from beadctl.images import ReadOptions
from beadctl.model.classifier import ObjectClassifier
from beadctl.model.joiner import Joiner
from beadctl.model.metadata import ModelFacts
from beadctl.model.reviewer import Reviewer
from beadctl.model.session import Model
from beadctl.segmentation.basins import MARKER_RISE
from beadctl.segmentation.count_rule import CountRule
from beadctl.segmentation.filters import Filters
from beadctl.segmentation.frame import CountingFrame
from beadctl.segmentation.sizes import Area, Diameter


@dataclass(frozen=True)
class SegmentOptions:
    """How a plane becomes beads; the same for every image of a run.

    Attributes
    ----------
    threshold, marker_threshold : float
        Foreground probability and marker height, 0 to 1.
    marker_rise, min_confidence : float
        How far a marker rises above the pass to the next, and the least confidence of a bead, 0 to 1.
    min_area_px, min_area_network_px : int
        Smallest object that is taken for a bead, in pixels of the file and in those of the network's input
        (multiplied by the square of the factor by which a plane is shrunk). A smaller least area among the
        filters lowers it.
    exclude_border : bool
        Leave out beads that touch the border of the plane or a gap in it.
    read : ReadOptions
        How image files are read.
    diameter : Diameter or None
        Of a typical bead, by which the scale of the network's input is chosen and beads are judged; None to
        find it for each plane.
    tile_size : int
        Edge of a block, px; it changes memory and time, never the result.
    filters : Filters
        Limits on the size and shape of the finished beads.
    region : CountedRegion or None
        Where beads are counted: those with their centroid in a pixel of it. The network gets the whole plane.
    frame : CountingFrame or None
        By which beads are counted without bias at the border.
    link_z : bool
        Count beads that appear in several planes of a Z stack once.
    classifier : ObjectClassifier or None
        By which objects that are no beads are left out.
    joiner : Joiner or None
        By which the parts of one bead are told from touching beads; None to tell them by `marker_rise`.
    reviewer : Reviewer or None
        By which counts are doubted; None to doubt those that change with the thresholds.
    """

    threshold: float
    marker_threshold: float
    min_area_px: int
    min_area_network_px: int = 0
    marker_rise: float = MARKER_RISE
    min_confidence: float = 0.0
    exclude_border: bool = False
    read: ReadOptions = field(default_factory=ReadOptions)
    diameter: Diameter | None = None
    tile_size: int = 1024
    filters: Filters = field(default_factory=Filters)
    region: CountedRegion | None = None
    frame: CountingFrame | None = None
    link_z: bool = False
    classifier: ObjectClassifier | None = None
    joiner: Joiner | None = None
    reviewer: Reviewer | None = None

    @classmethod
    def of(
        cls,
        facts: ModelFacts,
        asked: Mapping[str, Any] = MappingProxyType({}),
        *,
        read: ReadOptions = ReadOptions(),
        diameter: str | None = None,
        tile_size: int = 1024,
        region: CountedRegion | None = None,
        counting_frame: str | None = None,
        link_z: bool = False,
    ) -> "SegmentOptions":
        """Complete the settings with the numbers of the model file.

        Parameters
        ----------
        facts : ModelFacts
            The model's own numbers, for those of `asked` that are None or absent.
        asked : mapping
            ``threshold marker_threshold marker_rise min_confidence exclude_border``, and those of `Filters`.
        read, diameter, tile_size, region
            As the attributes; the diameter as text, such as ``12px``.
        counting_frame : str, optional
            Width of the counting frame's guard, as text too.
        link_z : bool
            As the attribute.

        Raises
        ------
        SettingsError
            If `diameter` is not a diameter, or a filter or the frame is not one, or region and frame exclude
            each other.
        """
        min_confidence = asked.get("min_confidence")
        rule = CountRule.of(asked, region, counting_frame, link_z=link_z)
        return cls(
            threshold=asked.get("threshold") or facts.threshold,
            marker_threshold=asked.get("marker_threshold") or facts.marker_threshold,
            marker_rise=asked.get("marker_rise") or facts.marker_rise,
            min_confidence=facts.min_confidence if min_confidence is None else min_confidence,
            min_area_px=1,
            min_area_network_px=facts.min_area_px,
            read=read,
            diameter=Diameter.parse(diameter) if diameter else None,
            tile_size=tile_size,
            classifier=facts.classifier,
            joiner=None if asked.get("marker_rise") else facts.joiner,
            reviewer=facts.reviewer,
            **vars(rule),
        )

    def has_numbers_of(self, facts: ModelFacts) -> bool:
        """Return whether beads are found with the numbers of a model file alone, as in its validation."""
        own = SegmentOptions.of(facts)
        names = ("threshold", "marker_threshold", "marker_rise", "min_confidence", "diameter", "joiner")
        return all(getattr(self, name) == getattr(own, name) for name in names)

    @property
    def rule(self) -> CountRule:
        """Which of the finished beads are counted."""
        return CountRule(self.filters, self.exclude_border, self.region, self.frame, self.link_z)

    def in_px(self, pixel_size_um: float | None) -> "SegmentOptions":
        """Return the options for a plane of this pixel size, um: all sizes in px.

        Raises
        ------
        ImageError
            If a size is in um and the pixel size is unknown.
        """
        diameter = self.diameter
        if diameter:
            diameter_px = diameter.in_px(pixel_size_um)
            if diameter_px is None:
                raise ImageError("its pixel size is unknown; give --pixel-size, or --diameter in px")
            diameter = Diameter(diameter_px, "px")
        return dataclasses.replace(self, diameter=diameter, **vars(self.rule.in_px(pixel_size_um)))

    def shrunk(self, factor: int) -> "SegmentOptions":
        """Return the options, with sizes in px, for the maps of a plane shrunk by a factor."""
        diameter, least = self.diameter, self.filters.min_area
        return dataclasses.replace(
            self,
            diameter=diameter and Diameter(diameter.value / factor, "px"),
            filters=dataclasses.replace(self.filters, min_area=least and Area(least.value / factor**2, "px")),
        )

    def fingerprint(self, model: Model) -> str:
        """Return what, besides an image's content, decides its result."""
        facts = dataclasses.asdict(self)
        del facts["tile_size"], facts["read"]["limits"]
        facts["region"] = self.region and self.region.identity
        return fingerprint(model.sha256, facts)
