"""Cutting of annotated images into training tiles, split by source image."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from beadctl import lock
from beadctl.annotations.canvas import Remark, remark_lines
from beadctl.annotations.sample import Sample, flat_stem
from beadctl.console import Messages
from beadctl.cpus import usable_cpus
from beadctl.dataset.division import Division, divide
from beadctl.dataset.manifest import COLUMNS, MANIFEST, SPLITS, TileRow, tile_files
from beadctl.dataset.splitting import split_sources
from beadctl.dataset.tile_record import TileRecord, stems
from beadctl.dataset.tiling import TilingOptions
from beadctl.errors import BeadctlError, ImageError, OutputError
from beadctl.files import sha256, write_csv
from beadctl.images import Window, levels_of, measure_levels, only_plane, real_path
from beadctl.images.normalisation import LIMITS
from beadctl.images.tiff_write import write_tiff
from beadctl.text import alike

Regions = tuple[tuple[str, Window], ...]


@dataclass(frozen=True)
class Cut:
    """Result of cutting.

    Attributes
    ----------
    splits : mapping from str to Counter
        Number of ``images``, ``tiles`` and ``beads`` of each split in the manifest.
    failures : tuple of str
        Why images could not be used, or no tile is left.
    remarks : tuple of (str, Remark)
        Names of images, with remarks on their annotations.
    division : Division or None
        The image that was divided among splits.
    leaks : tuple of str
        Pairs of images in different splits that have an equal tile with beads.
    """

    splits: Mapping[str, Counter[str]]
    failures: tuple[str, ...]
    remarks: tuple[tuple[str, Remark], ...]
    division: Division | None = None
    leaks: tuple[str, ...] = ()

    def warnings(self) -> Iterator[str]:
        """Yield what the splits cannot be used for."""
        if self.division:
            yield str(self.division)
        if self.leaks:
            more = f" and {len(self.leaks) - 1} more pairs" if len(self.leaks) > 1 else ""
            yield (
                f"equal images in different splits, so figures on them are too good: {self.leaks[0]}{more};"
                " leave one of each pair out, or keep them together with --group-by"
            )
        empty = [split for split, counts in self.splits.items() if counts["tiles"] and not counts["beads"]]
        if empty and any(counts["beads"] for counts in self.splits.values()):
            yield f"no beads in the tiles of {' and '.join(empty)}; annotate more images with beads"


def cut(
    samples: Sequence[Sample],
    out_dir: Path,
    options: TilingOptions,
    *,
    overwrite: bool = False,
    on_sample: Callable[[Sample], None] = lambda _: None,
) -> Cut:
    """Write the tiles of annotated images, and the manifest last: a folder with a manifest is complete.

    A sample that cannot be used is reported and the others are cut. An image smaller than a tile gives a
    smaller tile. The levels of a tile are those of its whole source image, as in inference. Tiles that
    an earlier run cut in the same way from the same files are kept; the split and the choice among empty
    tiles are made again for all.

    Parameters
    ----------
    samples : sequence of Sample
        Annotated images.
    out_dir : Path
        Folder of the tiles.
    options : TilingOptions
        How images become tiles.
    overwrite : bool
        Replace the tiles of an earlier run.
    on_sample : callable
        Called with each sample that is done.

    Raises
    ------
    OutputError
        If tiles already exist that were cut otherwise or from other images, two images would give tiles of
        one name, the images themselves lie where the tiles would, or nothing can be written.
    SettingsError
        If the fractions leave nothing for training.
    """
    split_sources([sample.name for sample in samples], options)
    _check_names(samples, out_dir)
    _clear(samples, out_dir, overwrite=overwrite)
    division = divide(samples, options)
    images: list[_CutImage] = []
    failures: list[str] = []
    remarks: list[tuple[str, Remark]] = []
    for sample in samples:
        try:
            regions = division.regions if division and division.name == sample.name else ()
            record, found = _cut_or_kept(sample, out_dir, options, regions, overwrite=overwrite)
            beads = tuple(row.beads for row in record.rows)
            images.append(_CutImage(record.source, record.density, beads))
            remarks += [(sample.name, remark) for remark in found]
        except OutputError:
            raise
        except BeadctlError as error:
            failures.append(str(error))
        on_sample(sample)
    held, divided = (division.splits, division.name) if division else ((), "")
    density = {image.source: image.density for image in images if image.source != divided}
    splits = split_sources(list(density), options, density, held) if density else {}
    kept = _kept(images, options)
    if images and not any(kept):
        failures.append(
            f"{out_dir}: no tile is left, as all have fewer beads than --min-beads {options.min_beads}; "
            "lower it, or raise --keep-empty"
        )
    counts, leaks = _write_manifest(out_dir, images, splits, kept)
    return Cut(counts, tuple(failures), tuple(remarks), division, leaks)


def cut_with_progress(
    samples: Sequence[Sample],
    out_dir: Path,
    options: TilingOptions,
    *,
    overwrite: bool,
    messages: Messages,
) -> Cut:
    """Run `cut`; `messages` shows the progress, the remarks on the annotations and a table of the splits."""
    with lock.held(out_dir, messages.info), messages.progress(len(samples), "tiling") as advance:
        found = cut(samples, out_dir, options, overwrite=overwrite, on_sample=advance)
    messages.notes(remark_lines(found.remarks))
    columns = ("images", "tiles", "beads")
    rows = [(split, *(str(counts[column]) for column in columns)) for split, counts in found.splits.items()]
    messages.table(str(out_dir), ("split", *columns), rows)
    for warning in found.warnings():
        messages.warn(warning)
    return found


@dataclass(frozen=True, slots=True)
class _CutImage:
    """What is kept in memory of the tiles of an image, of which there may be many thousands."""

    source: str
    density: float
    beads: tuple[int, ...]


def _kept(images: Sequence[_CutImage], options: TilingOptions) -> list[list[int]]:
    """Return the indices of each image's tiles for the manifest; files of other tiles stay for later runs."""
    empty = [
        (index, tile)
        for index, image in enumerate(images)
        for tile, beads in enumerate(image.beads)
        if beads < options.min_beads
    ]
    number = round(options.keep_empty * len(empty))
    order = np.random.default_rng(options.seed).permutation(len(empty)).tolist()
    dropped = {empty[position] for position in order[number:]}
    return [
        [tile for tile in range(len(image.beads)) if (index, tile) not in dropped]
        for index, image in enumerate(images)
    ]


def _write_manifest(
    out_dir: Path, images: Sequence[_CutImage], splits: Mapping[str, str], kept: Sequence[Sequence[int]]
) -> tuple[dict[str, Counter[str]], tuple[str, ...]]:
    """Write the manifest one record at a time; where no tile is kept, remove that of an earlier run.

    Returns the counts of each split, and pairs of images in different splits with an equal tile.
    """
    counts = {split: Counter[str]() for split in SPLITS}
    # Tile -> image and split that first had it; pair of images -> their names and splits.
    seen: dict[str, tuple[str, str]] = {}
    leaks: dict[frozenset[str], str] = {}

    def rows() -> Iterator[dict[str, object]]:
        for image, tiles in zip(images, kept, strict=True):
            record = TileRecord.read(out_dir, flat_stem(image.source))
            if record is None:
                raise OutputError(
                    f"{out_dir}: the tiles of {image.source} changed during the run; run it again"
                )
            found = set[str]()
            for tile in tiles:
                # The rows of a divided image have their splits.
                split = record.rows[tile].split or splits[image.source]
                row = dataclasses.replace(record.rows[tile], split=split)
                yield row.cells(out_dir)
                # Tiles without beads may be equal by chance: black corners.
                here = image.source, split
                source, first = seen.setdefault(row.sha256, here) if row.beads and row.sha256 else here
                if first != split and source != image.source:
                    pair = f"{source} ({first}) and {image.source} ({split})"
                    leaks.setdefault(frozenset((source, image.source)), pair)
                counts[split].update(tiles=1, beads=row.beads)
                found.add(split)
            for split in found:
                counts[split].update(images=1)

    if any(kept):
        write_csv(out_dir / MANIFEST, COLUMNS, rows())
    elif images:
        (out_dir / MANIFEST).unlink(missing_ok=True)
    return counts, tuple(leaks.values())


def _clear(samples: Sequence[Sample], out_dir: Path, *, overwrite: bool) -> None:
    """Refuse tiles of other images; if overwriting was asked for, delete all tiles."""
    manifest = out_dir / MANIFEST
    earlier = tile_files(out_dir) if manifest.exists() else []
    names = {sample.name for sample in samples}
    other = next((source for source, *_ in earlier if source not in names), None)
    if other and not overwrite:
        raise OutputError(
            f"{manifest}: holds tiles of {other}, which is not among these images; use --overwrite, or"
            " another -o"
        )
    if overwrite:
        # Delete only what is listed: the folder may hold other images, even those to be cut. A manifest of
        # cross-validation lists tiles of another folder, which stay. It lacks the empty tiles that were left
        # out, and all where a run was killed.
        manifest.unlink(missing_ok=True)
        folders = _folders(out_dir)
        for _, *tile in earlier:
            for path in tile:
                if real_path(path.parent) in folders:
                    path.unlink(missing_ok=True)
        for stem in stems(out_dir):
            if record := TileRecord.read(out_dir, stem):
                record.remove(out_dir, stem)


def _check_names(samples: Sequence[Sample], out_dir: Path) -> None:
    """Refuse, before any work, tiles that would replace each other or the images they are cut from."""
    folders = _folders(out_dir)
    taken: dict[str, Path] = {}
    for sample in samples:
        for path in (sample.image, sample.truth):
            if real_path(path).parent in folders:
                raise OutputError(f"{out_dir}: holds {path}, which is to be cut; choose another -o")
        stem = flat_stem(sample.name)
        other = taken.setdefault(alike(stem), sample.image)
        if other != sample.image:
            raise OutputError(f"{other} and {sample.image} would both write {stem}_*.tif; rename one of them")


def _folders(out_dir: Path) -> set[Path]:
    """Return the folders in which the tiles of an output folder lie."""
    return {real_path(out_dir / name) for name in ("images", "masks")}


def _cut_or_kept(
    sample: Sample, out_dir: Path, options: TilingOptions, regions: Regions, *, overwrite: bool
) -> tuple[TileRecord, tuple[Remark, ...]]:
    """Cut a sample, unless an earlier run has; return its record, and remarks if it was cut."""
    try:
        files = sha256(sample.image), sha256(sample.truth)
    except OSError as error:
        path = error.filename or sample.image
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from None
    how: tuple[object, ...] = (options.size, options.overlap, options.read, options.annotated)
    plane = only_plane(sample.image, options.read)
    if regions or min(plane.height, plane.width) < options.size:
        # Another fingerprint than that of the padded tiles of earlier versions.
        how += ("unpadded", regions)
    key = hashlib.sha256(repr((files, how)).encode()).hexdigest()
    earlier = None if overwrite else TileRecord.read(out_dir, flat_stem(sample.name))
    if earlier and all(row.image.exists() and row.mask.exists() for row in earlier.rows):
        if earlier.key == key:
            return earlier, ()
        raise OutputError(
            f"{out_dir}: holds tiles of {sample.name} that were cut otherwise or from other files; use"
            " --overwrite, or another -o"
        )
    rows, density, remarks = _cut_sample(sample, out_dir, options, regions)
    record = TileRecord(key, sample.name, density, tuple(rows))
    record.write(out_dir, flat_stem(sample.name))
    return record, remarks


def _cut_sample(
    sample: Sample, out_dir: Path, options: TilingOptions, regions: Regions
) -> tuple[list[TileRow], float, tuple[Remark, ...]]:
    """Write the tiles of a sample; return their rows, the beads per pixel, and remarks.

    Rows have a split where the sample is divided into `regions`.
    """
    with only_plane(sample.image, options.read).open() as opened:
        pixels = opened.read_all()
        exact = pixels.size <= LIMITS.max_exact
        try:
            levels = levels_of(pixels) if exact else measure_levels(opened)
        except ImageError as error:
            raise ImageError(f"{sample.image}: {str(error).removeprefix(f'{sample.image}: ')}") from None
    height, width = pixels.shape
    truth = sample.load((height, width))
    areas = np.bincount(truth.labels.ravel())
    write = partial(write_tiff, software="beadctl tile", durable=False)

    def tile(part: tuple[str, Window]) -> TileRow:
        split, window = part
        labels = truth.labels[window.slices]
        name = f"{flat_stem(sample.name)}_y{window.top:05d}_x{window.left:05d}.tif"
        image_path, mask_path = out_dir / "images" / name, out_dir / "masks" / name
        digest = write(image_path, pixels[window.slices])
        write(mask_path, labels)
        inside = np.bincount(labels.ravel(), minlength=len(areas))[1:]
        return TileRow(
            split=split,
            image=image_path,
            mask=mask_path,
            source=sample.name,
            **vars(window),
            beads=int(np.count_nonzero(inside)),
            cut=int(np.count_nonzero((inside > 0) & (inside < areas[1:]))),
            **vars(levels),
            sha256=digest,
        )

    # Most of the time goes to compression, which releases the GIL.
    with ThreadPoolExecutor(usable_cpus()) as pool:
        fields = regions or (("", Window(0, 0, height, width)),)
        parts = [(split, window) for split, field in fields for window in options.windows(field)]
        rows = list(pool.map(tile, parts))
    return rows, np.count_nonzero(areas[1:]) / (height * width), truth.remarks
