"""Cutting image/mask pairs into the tiles that training reads, split so that no field is on two sides."""

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from beadctl.annotations.canvas import Remark, said
from beadctl.annotations.sample import Sample
from beadctl.console import Messages
from beadctl.dataset.manifest import MANIFEST, SPLITS, TileRow, read_manifest
from beadctl.dataset.padding import padded
from beadctl.dataset.splitting import split_sources
from beadctl.devices import usable_cpus
from beadctl.errors import BeadctlError, ImageError, OutputError, SettingsError
from beadctl.files import sha256, write_csv, write_text
from beadctl.images import ReadOptions, measure_normalisation, normalisation_of, only_plane
from beadctl.images.normalisation import MAX_EXACT_PX
from beadctl.images.tiff_write import write_tiff

COLUMNS = tuple(field.name for field in dataclasses.fields(TileRow))


@dataclass(frozen=True)
class Cut:
    """What cutting gave.

    Attributes
    ----------
    splits : mapping from str to Counter
        Of each split how many ``images``, ``tiles`` and ``beads`` the manifest holds.
    failures : tuple of (Path, str)
        The pairs that could not be used, with the reason.
    remarks : tuple of (str, Remark)
        Names of images, and what to say of their annotations.
    """

    splits: Mapping[str, Counter[str]]
    failures: tuple[tuple[Path, str], ...]
    remarks: tuple[tuple[str, Remark], ...]


def origins(length: int, size: int, overlap: int) -> list[int]:
    """Return where tiles of `size` px start along an axis, so that all of it is covered.

    Tiles are spread evenly with at least `overlap` px in common; an axis shorter than a tile has one,
    which is padded.
    """
    if length <= size:
        return [0]
    count = -(-(length - overlap) // (size - overlap))
    return [round(index * (length - size) / (count - 1)) for index in range(count)]


@dataclass(frozen=True)
class TilingOptions:
    """How images become tiles.

    Attributes
    ----------
    size, overlap : int
        Of the tiles, px. Images smaller than a tile are padded by reflection.
    val_fraction, test_fraction, group_by
        As for `beadctl.dataset.splitting.split_sources`.
    seed : int
        Of the split, and of the choice among empty tiles.
    min_beads : int
        Beads below which a tile counts as empty.
    keep_empty : float
        Share of the empty tiles that are kept.
    read : ReadOptions
        How image files are read; a stack needs `plane`.
    annotated : str
        How annotations are read, in words: tiles cut by other words are not taken for the same.
    """

    size: int
    overlap: int
    val_fraction: float
    test_fraction: float
    seed: int
    group_by: str | None = None
    min_beads: int = 1
    keep_empty: float = 1.0
    read: ReadOptions = field(default_factory=ReadOptions)
    annotated: str = "auto"

    def split(self, names: Sequence[str], density: Mapping[str, float] | None = None) -> dict[str, str]:
        """Give each image to a split; see `beadctl.dataset.splitting.split_sources`."""
        return split_sources(
            names,
            val_fraction=self.val_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
            group_by=self.group_by,
            density=density,
        )


def cut(
    pairs: Sequence[Sample],
    out_dir: Path,
    options: TilingOptions,
    *,
    overwrite: bool = False,
    on_pair: Callable[[Sample], None] = lambda _: None,
) -> Cut:
    """Write the tiles of all pairs, and the manifest last: with it the folder is whole.

    A pair that cannot be used is reported and the others go on. The normalisation of a tile is that of
    its whole source image, as in inference. What an earlier run cut in the same way from the same files is
    kept; the split and the choice among empty tiles are made anew, over all.

    Parameters
    ----------
    pairs : sequence of Sample
        Images with their masks.
    out_dir : Path
        Folder of the tiles.
    options : TilingOptions
        How.
    overwrite : bool
        Replace the tiles of an earlier run.
    on_pair : callable
        Told of each pair that is done.

    Returns
    -------
    Cut

    Raises
    ------
    OutputError
        If tiles stand there that were cut otherwise or from other images, two images would give tiles of one
        name, the images themselves lie where the tiles would, or nothing can be written.
    SettingsError
        If the overlap is not smaller than the tile, or the fractions leave nothing for training.
    """
    if options.overlap >= options.size:
        raise SettingsError(
            f"tile.overlap = {options.overlap} must be smaller than the tile ({options.size} px)"
        )
    options.split([item.name for item in pairs])
    _check_names(pairs, out_dir)
    _clear(pairs, out_dir, overwrite)
    parts: list[_Outline] = []
    failures: list[tuple[Path, str]] = []
    remarks: list[tuple[str, Remark]] = []
    for item in pairs:
        try:
            part, said = _part(item, out_dir, options, overwrite)
            parts.append(_Outline.of(item, part))
            remarks += [(item.name, remark) for remark in said]
        except OutputError:
            raise
        except BeadctlError as error:
            failures.append((item.image, str(error)))
        on_pair(item)
    density = {part.source: part.density for part in parts}
    splits = options.split(list(density), density) if parts else {}
    kept = _kept(parts, options)
    counts = {split: Counter[str]() for split in SPLITS}
    if any(kept):
        counts = _write_manifest(out_dir, parts, splits, kept)
    return Cut(counts, tuple(failures), tuple(remarks))


def cut_with_progress(
    samples: Sequence[Sample],
    out_dir: Path,
    options: TilingOptions,
    *,
    overwrite: bool,
    messages: Messages,
) -> Cut:
    """Run `cut` with a progress bar, notes on the annotations and a table of the splits."""
    with messages.progress(len(samples), "tiling") as progress:
        found = cut(
            samples,
            out_dir,
            options,
            overwrite=overwrite,
            on_pair=lambda _: progress.advance(progress.task_ids[0]),
        )
    messages.notes(said(found.remarks))
    rows = [
        (split, *(str(counts[of]) for of in ("images", "tiles", "beads")))
        for split, counts in found.splits.items()
    ]
    messages.table(str(out_dir), ("split", "images", "tiles", "beads"), rows)
    return found


def _kept(parts: "Sequence[_Outline]", options: TilingOptions) -> list[list[int]]:
    """Return the numbers of each image's tiles without the empty ones that are too many.

    Their files stay, for another choice.
    """
    empty = [
        (part, tile)
        for part, found in enumerate(parts)
        for tile, beads in enumerate(found.beads)
        if beads < options.min_beads
    ]
    number = round(options.keep_empty * len(empty))
    gone = {empty[at] for at in np.random.default_rng(options.seed).permutation(len(empty))[number:].tolist()}
    return [
        [tile for tile in range(len(found.beads)) if (part, tile) not in gone]
        for part, found in enumerate(parts)
    ]


def _write_manifest(
    out_dir: Path,
    parts: "Sequence[_Outline]",
    splits: Mapping[str, str],
    kept: Sequence[Sequence[int]],
) -> dict[str, Counter[str]]:
    """Write the manifest, a part at a time as each lies beside the tiles; return what each split holds."""
    counts = {split: Counter[str]() for split in SPLITS}

    def rows() -> Iterator[dict[str, object]]:
        for outline, tiles in zip(parts, kept, strict=True):
            part = _Part.read(_beside(out_dir, outline.stem), out_dir)
            if part is None:
                raise OutputError(
                    f"{out_dir}: the tiles of {outline.source} were changed meanwhile; run it again"
                )
            split = splits[part.source]
            for row in (dataclasses.replace(part.rows[tile], split=split) for tile in tiles):
                yield _record(row, out_dir)
                counts[split].update(tiles=1, beads=row.beads)
            counts[split].update(images=bool(tiles))

    write_csv(out_dir / MANIFEST, COLUMNS, rows())
    return counts


def _clear(pairs: Sequence[Sample], out_dir: Path, overwrite: bool) -> None:
    """Refuse tiles of other images; if overwriting was asked for, take all tiles away."""
    manifest = out_dir / MANIFEST
    if not manifest.exists():
        return
    earlier = read_manifest(out_dir)
    known = {item.name for item in pairs}
    strange = next((row.source for row in earlier if row.source not in known), None)
    if strange and not overwrite:
        raise OutputError(
            f"{manifest}: holds tiles of {strange}, which is not among these images; use --overwrite, or"
            " another -o"
        )
    if overwrite:
        # Only what the manifest names: the folder may hold other images, even those to be cut.
        manifest.unlink()
        for row in earlier:
            row.image.unlink(missing_ok=True)
            row.mask.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Part:
    """The tiles of one image, kept beside them so that another run need not cut them again."""

    key: str
    source: str
    density: float
    rows: tuple[TileRow, ...]

    def write(self, path: Path, out_dir: Path) -> None:
        rows = [_record(row, out_dir) for row in self.rows]
        # Not durable: a part that a power cut takes, or leaves broken, is cut again.
        write_text(path, json.dumps({**vars(self), "rows": rows}), durable=False)

    @classmethod
    def read(cls, path: Path, out_dir: Path) -> "_Part | None":
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            rows = tuple(
                TileRow(
                    **{
                        **row,
                        "image": out_dir / row["image"],
                        "mask": out_dir / row["mask"],
                        "offset": float(row["offset"]),
                        "scale": float(row["scale"]),
                    }
                )
                for row in found.pop("rows")
            )
            return cls(**found, rows=rows)
        except (OSError, ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True, slots=True)
class _Outline:
    """What is kept in memory of the tiles of an image: there may be many thousands."""

    stem: str
    source: str
    density: float
    beads: tuple[int, ...]

    @classmethod
    def of(cls, item: Sample, part: _Part) -> "_Outline":
        return cls(_stem(item), part.source, part.density, tuple(row.beads for row in part.rows))


def _beside(out_dir: Path, stem: str) -> Path:
    return out_dir / ".beadctl" / f"{stem}.json"


def _part(
    item: Sample, out_dir: Path, options: TilingOptions, overwrite: bool
) -> tuple[_Part, tuple[Remark, ...]]:
    """Cut a pair, or find that an earlier run did."""
    path = _beside(out_dir, _stem(item))
    try:
        files = sha256(item.image), sha256(item.truth)
    except OSError as error:
        raise ImageError(f"{item.image}: cannot be read ({error.strerror or error})") from None
    how = (options.size, options.overlap, options.read, options.annotated)
    key = hashlib.sha256(repr((files, how)).encode()).hexdigest()
    earlier = None if overwrite else _Part.read(path, out_dir)
    if earlier and all(row.image.exists() and row.mask.exists() for row in earlier.rows):
        if earlier.key == key:
            return earlier, ()
        raise OutputError(
            f"{out_dir}: holds tiles of {item.name} that were cut otherwise or from other files; use"
            " --overwrite, or another -o"
        )
    rows, density, remarks = _cut_pair(item, out_dir, options)
    part = _Part(key, item.name, density, tuple(rows))
    part.write(path, out_dir)
    return part, remarks


def _check_names(pairs: Sequence[Sample], out_dir: Path) -> None:
    """Refuse, before any work, tiles that would replace each other or the images they are cut from."""
    folders = {(out_dir / name).resolve() for name in ("images", "masks")}
    taken: dict[str, Path] = {}
    for item in pairs:
        for path in (item.image, item.truth):
            if path.resolve().parent in folders:
                raise OutputError(f"{out_dir}: holds {path}, which is to be cut; choose another -o")
        other = taken.setdefault(_stem(item).casefold(), item.image)
        if other != item.image:
            raise OutputError(
                f"{other} and {item.image} would both write {_stem(item)}_*.tif; rename one of them"
            )


def _stem(item: Sample) -> str:
    return "_".join(PurePosixPath(item.name).with_suffix("").parts)


def _cut_pair(
    item: Sample, out_dir: Path, options: TilingOptions
) -> tuple[list[TileRow], float, tuple[Remark, ...]]:
    """Write the tiles of a pair; return their rows, without a split, the beads per pixel, and remarks."""
    with only_plane(item.image, options.read).open() as opened:
        pixels = opened.read_all()
        exact = pixels.size <= MAX_EXACT_PX
        normalisation = normalisation_of(pixels) if exact else measure_normalisation(opened)
    height, width = pixels.shape
    truth = item.load((height, width))
    areas = np.bincount(truth.labels.ravel())

    write = partial(write_tiff, software="beadctl tile", durable=False)

    def tile(corner: tuple[int, int]) -> TileRow:
        top, left = corner
        window = np.s_[top : top + options.size, left : left + options.size]
        labels = truth.labels[window]
        name = f"{_stem(item)}_y{top:05d}_x{left:05d}.tif"
        image_path, mask_path = out_dir / "images" / name, out_dir / "masks" / name
        padding = ((0, options.size - labels.shape[0]), (0, options.size - labels.shape[1]))
        if not any(map(any, padding)):
            digest = write(image_path, pixels[window])
            write(mask_path, labels)
        else:
            digest = write(image_path, np.pad(pixels[window], padding, mode="reflect"))
            write(mask_path, padded(np.ascontiguousarray(labels), padding))
        inside = np.bincount(labels.ravel(), minlength=len(areas))[1:]
        return TileRow(
            split="",
            image=image_path,
            mask=mask_path,
            source=item.name,
            top=top,
            left=left,
            height=options.size,
            width=options.size,
            beads=int(np.count_nonzero(inside)),
            cut=int(np.count_nonzero((inside > 0) & (inside < areas[1:]))),
            offset=normalisation.offset,
            scale=normalisation.scale,
            sha256=digest,
        )

    # Compression, most of the work, leaves the other cores free to compress too.
    with ThreadPoolExecutor(usable_cpus()) as pool:
        rows = list(pool.map(tile, corners(pixels.shape, options.size, options.overlap)))
    return rows, np.count_nonzero(areas[1:]) / (height * width), truth.remarks


def corners(shape: tuple[int, ...], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield top and left of each tile, row by row; see `origins`."""
    for top in origins(shape[0], size, overlap):
        for left in origins(shape[1], size, overlap):
            yield top, left


def _record(row: TileRow, folder: Path) -> dict[str, object]:
    """Return a row of the manifest as plain values, with paths below `folder`."""
    values = {name: getattr(row, name) for name in COLUMNS}
    return values | {name: values[name].relative_to(folder).as_posix() for name in ("image", "mask")}
