"""Cutting image/mask pairs into the tiles that training reads, split so that no field is on two sides."""

import csv
import dataclasses
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.canvas import Remark
from beadctl.annotations.pairing import Pair
from beadctl.devices import usable_cpus
from beadctl.errors import BeadctlError, ImageError, OutputError, SettingsError
from beadctl.files import atomic, sha256, write_bytes, write_text
from beadctl.images import measure_normalisation, normalisation_of, open_image
from beadctl.images.normalisation import MAX_EXACT_PX
from beadctl.padding import padded
from beadctl.splitting import split_sources
from beadctl.tiles import MANIFEST, SPLITS, TileRow, read_manifest

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
class Recipe:
    """How images become tiles.

    Attributes
    ----------
    size, overlap : int
        Of the tiles, px. Images smaller than a tile are padded by reflection.
    val_fraction, test_fraction, group_by
        As for `beadctl.splitting.split_sources`.
    seed : int
        Of the split, and of the choice among empty tiles.
    min_beads : int
        Beads below which a tile counts as empty.
    keep_empty : float
        Share of the empty tiles that are kept.
    axes, channel, plane : optional
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
    axes: str | None = None
    channel: int | None = None
    plane: int | None = None
    annotated: str = "auto"

    def split(self, names: Sequence[str], density: Mapping[str, float] | None = None) -> dict[str, str]:
        """Give each image to a split; see `beadctl.splitting.split_sources`."""
        return split_sources(
            names,
            val_fraction=self.val_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
            group_by=self.group_by,
            density=density,
        )


def cut(
    pairs: Sequence[Pair],
    out_dir: Path,
    recipe: Recipe,
    *,
    overwrite: bool = False,
    on_pair: Callable[[Pair], None] = lambda _: None,
) -> Cut:
    """Write the tiles of all pairs, and the manifest last: with it the folder is whole.

    A pair that cannot be used is reported and the others go on. The normalisation of a tile is that of
    its whole source image, as in inference. What an earlier run cut in the same way from the same files is
    kept; the split and the choice among empty tiles are made anew, over all.

    Parameters
    ----------
    pairs : sequence of Pair
        Images with their masks.
    out_dir : Path
        Folder of the tiles.
    recipe : Recipe
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
    if recipe.overlap >= recipe.size:
        raise SettingsError(
            f"tile.overlap = {recipe.overlap} must be smaller than the tile ({recipe.size} px)"
        )
    recipe.split([str(item.image.name) for item in pairs])
    _check_names(pairs, out_dir)
    _clear(pairs, out_dir, overwrite)
    parts: list[_Outline] = []
    failures: list[tuple[Path, str]] = []
    remarks: list[tuple[str, Remark]] = []
    for item in pairs:
        try:
            part, said = _part(item, out_dir, recipe, overwrite)
            parts.append(_Outline.of(item, part))
            remarks += [(str(item.image.name), remark) for remark in said]
        except OutputError:
            raise
        except BeadctlError as error:
            failures.append((item.image.path, str(error)))
        on_pair(item)
    density = {part.source: part.density for part in parts}
    splits = recipe.split(list(density), density) if parts else {}
    kept = _kept(parts, recipe)
    counts = {split: Counter[str]() for split in SPLITS}
    if any(kept):
        counts = _write_manifest(out_dir, parts, splits, kept)
    return Cut(counts, tuple(failures), tuple(remarks))


def _kept(parts: "Sequence[_Outline]", recipe: Recipe) -> list[list[int]]:
    """Return the numbers of each image's tiles without the empty ones that are too many.

    Their files stay, for another choice.
    """
    empty = [
        (part, tile)
        for part, found in enumerate(parts)
        for tile, beads in enumerate(found.beads)
        if beads < recipe.min_beads
    ]
    number = round(recipe.keep_empty * len(empty))
    gone = {empty[at] for at in np.random.default_rng(recipe.seed).permutation(len(empty))[number:].tolist()}
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
    with atomic(out_dir / MANIFEST) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for outline, tiles in zip(parts, kept, strict=True):
            part = _Part.read(_beside(out_dir, outline.stem), out_dir)
            if part is None:
                raise OutputError(
                    f"{out_dir}: the tiles of {outline.source} were changed meanwhile; run it again"
                )
            split = splits[part.source]
            for row in (dataclasses.replace(part.rows[tile], split=split) for tile in tiles):
                writer.writerow([_cell(getattr(row, column), out_dir) for column in COLUMNS])
                counts[split].update(tiles=1, beads=row.beads)
            counts[split].update(images=bool(tiles))
    return counts


def _clear(pairs: Sequence[Pair], out_dir: Path, overwrite: bool) -> None:
    """Refuse tiles of other images; if overwriting was asked for, take all tiles away."""
    manifest = out_dir / MANIFEST
    if not manifest.exists():
        return
    earlier = read_manifest(out_dir)
    known = {str(item.image.name) for item in pairs}
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
        rows = [{name: _cell(getattr(row, name), out_dir) for name in COLUMNS} for row in self.rows]
        # One that a power cut takes, or leaves broken, is cut again.
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
    def of(cls, item: Pair, part: _Part) -> "_Outline":
        return cls(_stem(item), part.source, part.density, tuple(row.beads for row in part.rows))


def _beside(out_dir: Path, stem: str) -> Path:
    return out_dir / ".beadctl" / f"{stem}.json"


def _part(item: Pair, out_dir: Path, recipe: Recipe, overwrite: bool) -> tuple[_Part, tuple[Remark, ...]]:
    """Cut a pair, or find that an earlier run did."""
    path = _beside(out_dir, _stem(item))
    try:
        files = sha256(item.image.path), sha256(item.truth)
    except OSError as error:
        raise ImageError(f"{item.image.path}: cannot be read ({error.strerror or error})") from None
    how = (recipe.size, recipe.overlap, recipe.axes, recipe.channel, recipe.plane, recipe.annotated)
    key = hashlib.sha256(repr((files, how)).encode()).hexdigest()
    earlier = None if overwrite else _Part.read(path, out_dir)
    if earlier and all(row.image.exists() and row.mask.exists() for row in earlier.rows):
        if earlier.key == key:
            return earlier, ()
        raise OutputError(
            f"{out_dir}: holds tiles of {item.image.name} that were cut otherwise or from other files; use"
            " --overwrite, or another -o"
        )
    rows, density, remarks = _cut_pair(item, out_dir, recipe)
    part = _Part(key, str(item.image.name), density, tuple(rows))
    part.write(path, out_dir)
    return part, remarks


def _check_names(pairs: Sequence[Pair], out_dir: Path) -> None:
    """Refuse, before any work, tiles that would replace each other or the images they are cut from."""
    folders = {(out_dir / name).resolve() for name in ("images", "masks")}
    taken: dict[str, Path] = {}
    for item in pairs:
        for path in (item.image.path, item.truth):
            if path.resolve().parent in folders:
                raise OutputError(f"{out_dir}: holds {path}, which is to be cut; choose another -o")
        other = taken.setdefault(_stem(item).casefold(), item.image.path)
        if other != item.image.path:
            raise OutputError(
                f"{other} and {item.image.path} would both write {_stem(item)}_*.tif; rename one of them"
            )


def _stem(item: Pair) -> str:
    return "_".join(item.image.name.with_suffix("").parts)


def _cut_pair(item: Pair, out_dir: Path, recipe: Recipe) -> tuple[list[TileRow], float, tuple[Remark, ...]]:
    """Write the tiles of a pair; return their rows, without a split, the beads per pixel, and remarks."""
    image = open_image(item.image.path, axes=recipe.axes, channel=recipe.channel, plane=recipe.plane)
    if len(image.planes) != 1:
        raise SettingsError(
            f"{item.image.path}: has {len(image.planes)} planes and one mask; choose one with --plane"
        )
    with image.planes[0].open() as opened:
        pixels = opened.read_all()
        exact = pixels.size <= MAX_EXACT_PX
        normalisation = normalisation_of(pixels) if exact else measure_normalisation(opened)
    height, width = pixels.shape
    truth = item.load((height, width))
    areas = np.bincount(truth.labels.ravel())

    def tile(corner: tuple[int, int]) -> TileRow:
        top, left = corner
        window = np.s_[top : top + recipe.size, left : left + recipe.size]
        labels = truth.labels[window]
        name = f"{_stem(item)}_y{top:05d}_x{left:05d}.tif"
        image_path, mask_path = out_dir / "images" / name, out_dir / "masks" / name
        padding = ((0, recipe.size - labels.shape[0]), (0, recipe.size - labels.shape[1]))
        if not any(map(any, padding)):
            digest = _write(image_path, pixels[window])
            _write(mask_path, labels)
        else:
            digest = _write(image_path, np.pad(pixels[window], padding, mode="reflect"))
            _write(mask_path, padded(np.ascontiguousarray(labels), padding))
        inside = np.bincount(labels.ravel(), minlength=len(areas))[1:]
        return TileRow(
            split="",
            image=image_path,
            mask=mask_path,
            source=str(item.image.name),
            top=top,
            left=left,
            height=recipe.size,
            width=recipe.size,
            beads=int(np.count_nonzero(inside)),
            cut=int(np.count_nonzero((inside > 0) & (inside < areas[1:]))),
            offset=normalisation.offset,
            scale=normalisation.scale,
            sha256=digest,
        )

    # Compression, most of the work, leaves the other cores free to compress too.
    with ThreadPoolExecutor(usable_cpus()) as pool:
        rows = list(pool.map(tile, corners(pixels.shape, recipe.size, recipe.overlap)))
    return rows, np.count_nonzero(areas[1:]) / (height * width), truth.remarks


def corners(shape: tuple[int, ...], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield top and left of each tile, row by row; see `origins`."""
    for top in origins(shape[0], size, overlap):
        for left in origins(shape[1], size, overlap):
            yield top, left


def _write(path: Path, pixels: NDArray[Any]) -> str:
    """Write a tile, and return its SHA-256."""
    import tifffile

    content = io.BytesIO()
    tifffile.imwrite(
        content,
        pixels,
        compression="zlib",
        photometric="minisblack",
        metadata=None,
        software="beadctl tile",
    )
    write_bytes(path, content.getbuffer(), durable=False)
    return hashlib.sha256(content.getbuffer()).hexdigest()


def _cell(value: object, folder: Path) -> object:
    if isinstance(value, Path):
        return value.relative_to(folder).as_posix()
    return repr(value) if isinstance(value, float) else value
