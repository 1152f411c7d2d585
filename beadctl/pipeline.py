"""From a folder of images to rows, beads and masks: one plane at a time, nothing changed between images."""

import dataclasses
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl import beads, instances, ledger, piles, scale, specks
from beadctl.basins import SEED_RISE
from beadctl.errors import BeadctlError, ImageError, OutputError
from beadctl.files import sha256
from beadctl.images import Found, Normalisation, Pixels, Plane, open_image
from beadctl.inference import Maps, Model
from beadctl.ledger import Part, Row
from beadctl.scale import Diameter
from beadctl.shrinking import Cutout, Shrunk
from beadctl.writers import masks, overlay

# Above this a plane's labelling no longer overlaps with the next plane's network: memory first.
OVERLAPPED_PX = 64 * 2**20


@dataclass(frozen=True)
class Recipe:
    """How a plane becomes beads; the same for every image of a run.

    Attributes
    ----------
    threshold, seed_threshold : float
        Foreground probability and seed height, 0 to 1.
    seed_rise, min_confidence : float
        How far a seed rises above the pass to the next, and what a bead must be worth, 0 to 1.
    min_area_px : int
        Smallest bead.
    speck_px : int
        Smallest bead in the network's own pixels: where a plane is shrunk for it, this is larger by the
        square of the factor.
    exclude_border : bool
        Leave out beads that touch the border of the plane.
    axes, channel, plane : optional
        How an image file is read; see `beadctl.images.open_image`.
    pixel_size_um : float or None
        For images whose metadata has none.
    diameter : Diameter or None
        Of a typical bead, which sets the scale at which the network looks; None to find the scale for each
        plane.
    tile_size : int
        Edge of a block, px; it changes memory, never the result.
    """

    threshold: float
    seed_threshold: float
    min_area_px: int
    speck_px: int = 0
    seed_rise: float = SEED_RISE
    min_confidence: float = 0.0
    exclude_border: bool = False
    axes: str | None = None
    channel: int | None = None
    plane: int | None = None
    pixel_size_um: float | None = None
    diameter: Diameter | None = None
    tile_size: int = 1024

    def fingerprint(self, model: Model) -> str:
        """Return what, besides an image's content, decides its result."""
        facts = dataclasses.asdict(self)
        del facts["tile_size"]
        return ledger.key(model.sha256, facts)


@dataclass(frozen=True)
class Outputs:
    """Where results go: `folder` None writes no file at all."""

    folder: Path | None = None
    with_masks: bool = False
    with_overlays: bool = False
    overwrite: bool = False

    def overlays(self, image: PurePosixPath, planes: int) -> list[Path]:
        """Return the pictures of an image with so many planes."""
        if self.folder is None or not self.with_overlays:
            return []
        stem = _stem(image)
        names = [stem] if planes == 1 else [f"{stem}_p{index:04d}" for index in range(planes)]
        return [self.folder / "overlays" / image.parent / f"{name}_overlay.png" for name in names]

    def mask(self, image: PurePosixPath) -> Path | None:
        """Return the label image of an image, one file for all of its planes."""
        if self.folder is None or not self.with_masks:
            return None
        return self.folder / "masks" / image.parent / f"{_stem(image)}_masks.tif"

    def every(self, image: PurePosixPath, planes: int) -> list[Path]:
        """Return each file that an image with so many planes gives."""
        mask = self.mask(image)
        return self.overlays(image, planes) + ([mask] if mask else [])


def _stem(image: PurePosixPath) -> str:
    return image.stem.removesuffix(".ome")


@dataclass(frozen=True)
class Segmented:
    """A plane's beads.

    Attributes
    ----------
    labels : ndarray of uint32, shape (H, W)
        Label image.
    table : BeadTable
        One row a bead.
    """

    labels: NDArray[np.uint32]
    table: beads.BeadTable


def label_plane(
    maps: Maps,
    image: NDArray[Any] | None,
    recipe: Recipe,
    pixel_size_um: float | None,
    shrink: int = 1,
) -> Segmented:
    """Turn the network's maps of one plane into beads; `shrink` is what `look` told with the maps.

    Without the image nothing is said of piles and specks, which only their brightness tells.
    """
    labels = instances.label(
        maps.probability,
        maps.seed,
        threshold=recipe.threshold,
        seed_threshold=recipe.seed_threshold,
        min_area_px=max(recipe.min_area_px, recipe.speck_px * shrink**2),
        seed_rise=recipe.seed_rise,
        min_confidence=recipe.min_confidence,
        exclude_border=recipe.exclude_border,
    )
    measure = partial(
        beads.measure,
        image=image,
        probability=maps.probability,
        seed=maps.seed,
        pixel_size_um=pixel_size_um,
    )
    table = measure(labels)
    if image is None:
        return Segmented(labels, table)
    gone = specks.specks(labels, image, table)
    if gone.any():
        labels = specks.without(labels, gone)
        table = measure(labels)
    labels, parts = piles.divided(labels, image, table)
    return Segmented(labels, measure(labels, parts=parts) if parts else table)


def look(
    pixels: Pixels,
    model: Model,
    recipe: Recipe,
    *,
    pixel_size_um: float | None = None,
    normalisation: Normalisation | None = None,
) -> tuple[Maps, int]:
    """Run the network over a plane, at the scale that the recipe states or that the plane asks for.

    Returns
    -------
    tuple
        The maps, and the factor by which the plane was shrunk for them.

    Raises
    ------
    ImageError
        If the diameter is stated in um and the pixel size is unknown; or the pixels cannot be decoded.
    """
    if recipe.diameter:
        diameter_px = recipe.diameter.in_px(pixel_size_um)
        if diameter_px is None:
            raise ImageError("its pixel size is unknown; give --pixel-size, or --diameter in px")
        factor = scale.factor_for(diameter_px)
        shrunk = model.maps(pixels, tile_size=recipe.tile_size, normalisation=normalisation, shrink=factor)
        return shrunk, factor
    windows = scale.sample_windows(pixels.height, pixels.width)
    whole = len(windows) == 1
    seen: dict[int, Maps] = {}

    def beads_at(factor: int) -> list[beads.BeadTable]:
        tables = []
        for window in windows:
            part = pixels if whole else Cutout(pixels, window)
            small = Shrunk(part, factor) if factor > 1 else part
            maps = model.maps(small, tile_size=recipe.tile_size, normalisation=normalisation)
            if whole and factor == 1:
                seen[1] = maps
            tables.append(label_plane(maps, None, recipe, None).table)
        return tables

    factor = scale.chosen(pixels.height, pixels.width, beads_at)
    if factor in seen:
        return seen[factor], factor
    chosen = model.maps(pixels, tile_size=recipe.tile_size, normalisation=normalisation, shrink=factor)
    return chosen, factor


def check_outputs(found: Sequence[Found], model: Model, recipe: Recipe, outputs: Outputs) -> None:
    """Refuse, before any work, what would share a file or replace a result.

    Raises
    ------
    OutputError
        If two images would write one file, or the folder holds results that another model or other
        settings made, or files that no run of beadctl made.
    """
    taken: dict[str, Found] = {}
    for item in found:
        other = taken.setdefault(str(item.name.parent / _stem(item.name)).casefold(), item)
        if outputs.folder and other is not item:
            raise OutputError(
                f"{other.path} and {item.path} would both write {_stem(item.name)}_masks.tif; "
                "rename one, or give them in separate runs"
            )
    if outputs.folder is None or outputs.overwrite:
        return
    base = recipe.fingerprint(model)
    for item in found:
        recalled = ledger.recall(outputs.folder, item.name)
        standing = [path for path in outputs.every(item.name, 1) if path.exists()]
        if recalled is None and standing:
            raise OutputError(f"{standing[0]}: stands there already; use --overwrite, or another -o")
        if recalled and not recalled[1].failed and not recalled[0].startswith(base):
            raise OutputError(
                f"{outputs.folder}: holds the result of {item.name} from another model or other settings; "
                "use --overwrite, or another -o"
            )


def run(
    found: Sequence[Found], model: Model, recipe: Recipe, outputs: Outputs
) -> Generator[Part, None, None]:
    """Process images in order and yield the part of each as it is complete.

    A bad image is a row that says why, and the others go on. While the network works on one image
    a second thread labels, measures and writes the one before.

    Parameters
    ----------
    found : sequence of Found
        The images.
    model : Model
        The opened model.
    recipe : Recipe
        How planes become beads.
    outputs : Outputs
        What is written, and where.

    Yields
    ------
    Part
        One an image, in order.

    Raises
    ------
    OutputError
        If nothing can be written: no further image would fare better.
    """
    base = recipe.fingerprint(model)
    with ThreadPoolExecutor(1, thread_name_prefix="label") as worker:
        waiting: Future[Part] | None = None
        for item in found:
            started = _start(item, model, recipe, outputs, base, worker)
            if waiting is not None:
                yield waiting.result()
            waiting = started
        if waiting is not None:
            yield waiting.result()


def _start(
    item: Found, model: Model, recipe: Recipe, outputs: Outputs, base: str, worker: ThreadPoolExecutor
) -> Future[Part]:
    """Run the network over an image's planes; the future gives its part once all is written."""
    try:
        fingerprint = f"{base}:{sha256(item.path)}" if outputs.folder else ""
        earlier = _earlier(item, outputs, fingerprint)
        if earlier:
            return worker.submit(ledger.skipped, earlier)
        image = open_image(item.path, axes=recipe.axes, channel=recipe.channel, plane=recipe.plane)
        labelled = [_plane(plane, model, recipe, outputs, worker) for plane in image.planes]
    except ImageError as error:
        return worker.submit(ledger.failed, item.name, _reason(error, item.path))
    except OSError as error:
        return worker.submit(ledger.failed, item.name, f"cannot be read ({error.strerror or error})")
    return worker.submit(_finish, item, labelled, outputs, fingerprint)


def _earlier(item: Found, outputs: Outputs, fingerprint: str) -> Part | None:
    """Return what an earlier run made of an image, or None where it is still, or again, to be done."""
    recalled = ledger.recall(outputs.folder, item.name) if outputs.folder and not outputs.overwrite else None
    if recalled is None or recalled[1].failed:
        return None
    key, part = recalled
    expected = outputs.every(item.name, len(part.rows))
    if key == fingerprint:
        return part if all(path.exists() for path in expected) else None
    if any(path.exists() for path in expected):
        raise ImageError(
            f"{item.path}: changed since its result was written; use --overwrite to replace that"
        )
    return None


@dataclass(frozen=True)
class _Plane:
    row: Row
    beads: tuple[dict[str, Any], ...]
    mask: masks.EncodedMask | None
    picture: NDArray[np.uint8] | None


def _plane(
    plane: Plane, model: Model, recipe: Recipe, outputs: Outputs, worker: ThreadPoolExecutor
) -> Future[_Plane]:
    pixel_size_um = plane.pixel_size_um or recipe.pixel_size_um
    try:
        with plane.open() as pixels:
            maps, shrink = look(pixels, model, recipe, pixel_size_um=pixel_size_um)
            image = pixels.read_all()
    except ImageError as error:
        return worker.submit(_failed_plane, plane, _reason(error, plane.path))
    future = worker.submit(_label, plane, maps, shrink, image, recipe, outputs, pixel_size_um)
    if plane.height * plane.width > OVERLAPPED_PX:
        future.exception()
    return future


def _label(
    plane: Plane,
    maps: Maps,
    shrink: int,
    image: NDArray[Any],
    recipe: Recipe,
    outputs: Outputs,
    pixel_size_um: float | None,
) -> _Plane:
    segmented = label_plane(maps, image, recipe, pixel_size_um, shrink)
    table = segmented.table
    diameters = np.asarray(table.diameter_px, float)
    count = len(diameters)
    mean = float(diameters.mean()) if count else None
    row = Row(
        image="",
        plane=plane.index,
        position=plane.position,
        status="ok",
        count=count,
        height_px=plane.height,
        width_px=plane.width,
        pixel_size_um=pixel_size_um,
        mean_diameter_px=mean,
        sd_diameter_px=float(diameters.std(ddof=1)) if count > 1 else None,
        mean_diameter_um=mean * pixel_size_um if mean and pixel_size_um else None,
        covered_fraction=float(np.asarray(table.area_px, float).sum() / (plane.height * plane.width)),
        mean_confidence=float(np.mean(table.confidence)) if count else None,
        shrink=shrink,
    )
    return _Plane(
        row,
        tuple(table.rows()),
        masks.encode(segmented.labels) if outputs.with_masks else None,
        overlay.paint(image, segmented.labels) if outputs.with_overlays else None,
    )


def _failed_plane(plane: Plane, reason: str) -> _Plane:
    row = Row("", plane.index, plane.position, "failed", None, plane.height, plane.width, plane.pixel_size_um)
    return _Plane(dataclasses.replace(row, reason=reason), (), None, None)


def _finish(item: Found, labelled: Sequence[Future[_Plane]], outputs: Outputs, fingerprint: str) -> Part:
    """Write what an image's planes gave: its part first, its masks last, so that a kill leaves no doubt."""
    planes = [future.result() for future in labelled]
    name = str(item.name)
    part = Part(
        tuple(dataclasses.replace(plane.row, image=name) for plane in planes),
        tuple({"image": name, "plane": plane.row.plane, **bead} for plane in planes for bead in plane.beads),
    )
    if outputs.folder is None:
        return part
    ledger.save(outputs.folder, item.name, fingerprint, part)
    if part.failed:
        return part
    for path, plane in zip(outputs.overlays(item.name, len(planes)), planes, strict=False):
        if plane.picture is not None:
            overlay.write(path, plane.picture)
    mask_path = outputs.mask(item.name)
    if mask_path:
        masks.write(mask_path, [plane.mask for plane in planes if plane.mask], planes[0].row.pixel_size_um)
    return part


def _reason(error: BeadctlError, path: Path) -> str:
    """Return an error's words without the file's name, which its row has already."""
    return str(error).removeprefix(f"{path}: ")
