"""Where the beads of a plane come from: the network, or a label image that another program made."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from beadctl import cpus
from beadctl.annotations.label_image import looks_labelled, read_label_image
from beadctl.counting.detection import Band
from beadctl.errors import FileNote, SettingsError
from beadctl.files import fingerprint
from beadctl.images import Plane, ReadOptions, intensities_of
from beadctl.memory import COSTS
from beadctl.model.session import Model, installed_builds
from beadctl.results.block_store import BlockStore
from beadctl.results.lanes import MOST_LANES
from beadctl.results.workers import Workers
from beadctl.segmentation import scale
from beadctl.segmentation.count_rule import CountRule
from beadctl.segmentation.measure import measure
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.plane import Segmented, label_plane
from beadctl.segmentation.prediction import ScaledPlane, predict_plane, scaled_plane

SHARED_LABELS = "shared-labels"


@dataclass(frozen=True)
class FoundPlane:
    """A plane and its beads.

    Attributes
    ----------
    image : ndarray, shape (H, W)
        The plane, in its own units, or the label image itself.
    segmented : Segmented
        Its beads.
    shrink : int or None
        Factor by which the plane was shrunk for the network, if one looked at it.
    bands : tuple of Band
        Validation figures that apply to its count.
    """

    image: NDArray[Any]
    segmented: Segmented
    shrink: int | None = None
    bands: tuple[Band, ...] = ()


def require_one_count(read: ReadOptions, rule: CountRule) -> None:
    """Refuse to project a stack and to link its planes too, and either of a single plane.

    Raises
    ------
    SettingsError
        If two of these are asked for.
    """
    if read.projection and rule.link_z:
        raise SettingsError(f"--project {read.projection}: leaves no planes to link; leave out --link-z")
    if read.plane is not None and (read.projection or rule.link_z):
        how = f"--project {read.projection}" if read.projection else "--link-z"
        raise SettingsError(f"{how}: --plane {read.plane} leaves one plane of a stack; leave out one of them")


class Source(Protocol):
    """Where the beads of planes come from; the same for every image of a run."""

    @property
    def read(self) -> ReadOptions:
        """How image files are read."""

    @property
    def rule(self) -> CountRule:
        """Which of the finished beads are counted."""

    @property
    def work(self) -> str:
        """What is done with an image, for the progress."""

    @property
    def key(self) -> str:
        """What, besides an image's content, decides its result."""

    @property
    def lacking(self) -> str:
        """Why no validation figures apply to the counts, where some could; empty otherwise."""

    @property
    def lanes(self) -> int:
        """Small planes that are worked on at a time."""

    @property
    def small_px(self) -> int:
        """Pixels of all of these together."""

    @property
    def workers(self) -> Workers | None:
        """Processes that find the beads in place of this one, if there are any."""

    def facts(self) -> Mapping[str, Any]:
        """Return what ``run.json`` says of it."""

    def begin(self, plane: Plane) -> Callable[[], FoundPlane]:
        """Read a plane, and run what needs the network; the function that is returned does the rest."""


def begun(source: Source, plane: Plane) -> Callable[[], FoundPlane]:
    """Begin a plane by its source, and warn of what is assumed of the region in it."""
    if source.rule.region:
        for note in source.rule.region.mask((plane.height, plane.width)).notes:
            warnings.warn(FileNote(plane.path, note), stacklevel=1)
    return source.begin(plane)


@dataclass(frozen=True)
class ByNetwork:
    """Beads that the network of a model file finds.

    Attributes
    ----------
    model, options : Model and SegmentOptions
        The opened model file, and how planes become beads.
    store : BlockStore or None
        Blocks of large planes that several shards compute.
    """

    model: Model
    options: SegmentOptions
    store: BlockStore | None = None
    workers: Workers | None = None
    work = "segmenting"

    def __post_init__(self) -> None:
        require_one_count(self.read, self.rule)

    @property
    def read(self) -> ReadOptions:
        """How image files are read."""
        return self.options.read

    @property
    def rule(self) -> CountRule:
        """Which of the finished beads are counted."""
        return self.options.rule

    @cached_property
    def key(self) -> str:
        """Fingerprint of model and options."""
        return self.options.fingerprint(self.model)

    @property
    def lacking(self) -> str:
        """Why the model has no validation figures for these options; empty if it has."""
        if not self.model.facts.bands:
            return f"{self.model.path.name} has no validation figures by density, which eval --bands writes"
        if not self.options.has_numbers_of(self.model.facts):
            return "thresholds or diameter are not those of the model's validation"
        return ""

    @property
    def lanes(self) -> int:
        """As many as there are threads."""
        return min(self.threads, MOST_LANES)

    @property
    def threads(self) -> int:
        """Those of the network."""
        return self.model.cpu_threads

    @property
    def small_px(self) -> int:
        """A tile with its halo: `beadctl.memory.Costs` has the memory for it."""
        return ((self.options.tile_size or COSTS.tiles[0]) + 2 * self.model.facts.halo) ** 2

    def facts(self) -> dict[str, Any]:
        """Return the model, the runtime and the options."""
        return {
            "onnxruntime": installed_builds(),
            "model": str(self.model.path.absolute()),
            "model_sha256": self.model.sha256,
            "device_used": self.model.device,
            "threads": self.model.threads,
            "options": dataclasses.asdict(self.options),
            **(self.workers.facts if self.workers else {}),
        }

    def begin(self, plane: Plane) -> Callable[[], FoundPlane]:
        """Run the network over a plane; errors are those of `beadctl.segmentation.plane.segment_plane`."""
        with plane.open() as pixels:
            size_um, store = plane.pixel_size_um, self.store
            maps_of = partial(store.maps, plane) if store and plane.path in store.paths else None
            predicted = predict_plane(
                pixels, self.model, self.options, pixel_size_um=size_um, maps_of=maps_of
            )
            image = pixels.read_all()
            measured = intensities_of(pixels, image)
        if looks_labelled(image):
            words = "looks like a label image, whose labels count --labels takes as they are"
            warnings.warn(FileNote(plane.path, words), stacklevel=1)

        def finish() -> FoundPlane:
            segmented = label_plane(predicted, image, self.options, plane.pixel_size_um, measured)
            bands = () if self.lacking else self.model.facts.bands
            return FoundPlane(image, segmented, predicted.shrink, bands)

        return finish

    def help(self, plane: Plane, is_done: Callable[[], bool]) -> None:
        """Compute blocks of a large plane that another shard has, until `is_done`; errors as for `begin`."""
        if self.store is None or max(plane.height, plane.width) <= scale.LIMITS.whole_edge_px:
            return
        with plane.open() as pixels:
            size_um = plane.pixel_size_um
            scaled = scaled_plane(pixels, self.model, self.options, pixel_size_um=size_um)
            if isinstance(scaled, ScaledPlane) and scaled.is_large:
                self.store.fill(plane, scaled, is_done)


@dataclass(frozen=True)
class ByLabels:
    """Beads of label images.

    Attributes
    ----------
    read, rule : ReadOptions and CountRule
        How image files are read, and which beads are counted.
    asked_threads : int or None
        CPU threads; by default what the job may use.
    """

    read: ReadOptions = field(default_factory=ReadOptions)
    rule: CountRule = field(default_factory=CountRule)
    asked_threads: int | None = None
    workers: Workers | None = None
    work = "measuring"
    lacking = ""
    small_px = COSTS.tiles[0] ** 2

    def __post_init__(self) -> None:
        require_one_count(self.read, self.rule)
        if self.read.projection:
            raise SettingsError(
                f"--project {self.read.projection}: label images have no brightness; count stacks by --link-z"
            )

    @property
    def lanes(self) -> int:
        """As many as there are threads."""
        return min(self.threads, MOST_LANES)

    @property
    def threads(self) -> int:
        """Planes are measured by so many, beside each other."""
        return cpus.threads(self.asked_threads)

    @cached_property
    def key(self) -> str:
        """Fingerprint of the options."""
        options = self._options()
        del options["read"]["limits"]
        options["region"] = self.rule.region and self.rule.region.identity
        return fingerprint("labels", options)

    def facts(self) -> dict[str, Any]:
        """Return the threads and the options."""
        own = {"threads": self.threads, "options": self._options()}
        return {**own, **(self.workers.facts if self.workers else {})}

    def _options(self) -> dict[str, Any]:
        return {"read": dataclasses.asdict(self.read), **dataclasses.asdict(self.rule)}

    def begin(self, plane: Plane) -> Callable[[], FoundPlane]:
        """Read the labels of a plane.

        Raises
        ------
        ImageError, AnnotationError
            If it cannot be read, is no label image, or the region or the counting frame does not fit it.
        """
        found = read_label_image(plane)
        rule = self.rule.in_px(plane.pixel_size_um)

        def finish() -> FoundPlane:
            labels = found.labels
            table = measure(labels, pixel_size_um=plane.pixel_size_um)
            counted = rule.counted(labels, table)
            quality = (SHARED_LABELS,) * bool(found.shared) + counted.quality
            if rule.link_z:
                segmented = Segmented(labels, table, 0, counted.inside, None, quality, unlinked=counted)
                return FoundPlane(labels, segmented)
            kept = table.some(counted.kept)
            is_kept = np.zeros(int(labels.max(initial=0)) + 1, bool)
            is_kept[kept.label] = True
            segmented = Segmented(
                np.where(is_kept[labels], labels, 0), kept, counted.filtered, counted.inside, None, quality
            )
            return FoundPlane(labels, segmented)

        return finish
