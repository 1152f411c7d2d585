"""Cutting image/mask pairs into the tiles that training reads, split so that no field is on two sides."""

import csv
import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.annotations.canvas import Remark
from beadctl.annotations.pairing import Pair
from beadctl.errors import BeadctlError, OutputError, SettingsError
from beadctl.files import atomic, sha256
from beadctl.images import measure_normalisation, open_image
from beadctl.tiles import MANIFEST, TileRow, read_manifest


@dataclass(frozen=True)
class Cut:
    """What cutting gave.

    Attributes
    ----------
    rows : tuple of TileRow
        The manifest's.
    failures : tuple of (Path, str)
        The pairs that could not be used, with the reason.
    remarks : tuple of (str, Remark)
        Names of images, and what to say of their annotations.
    """

    rows: tuple[TileRow, ...]
    failures: tuple[tuple[Path, str], ...]
    remarks: tuple[tuple[str, Remark], ...]


def split_sources(
    names: Sequence[str],
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    group_by: str | None = None,
) -> dict[str, str]:
    """Give each source image to ``train``, ``val`` or ``test``, whole groups at a time.

    Groups are shuffled by the seed and each goes to the split that is furthest below its share, so that
    fractions are met as nearly as whole groups allow. Every split with a fraction gets at least one group
    where there are three, and training is served first.

    Parameters
    ----------
    names : sequence of str
        Source images.
    val_fraction, test_fraction : float
        Shares of the images, together below 1.
    seed : int
        Of the shuffle.
    group_by : str, optional
        Regular expression; names with the same first group (or whole match) stay together. A name
        that does not match is a group of its own.

    Returns
    -------
    dict
        Name to split.

    Raises
    ------
    SettingsError
        If the fractions leave nothing for training, or the expression is malformed.
    """
    if val_fraction + test_fraction >= 1:
        raise SettingsError("tile.val_fraction + tile.test_fraction must stay below 1; lower one of them")
    groups: dict[str, list[str]] = {}
    try:
        pattern = re.compile(group_by) if group_by else None
    except re.error as error:
        raise SettingsError(f"--group-by {group_by!r}: not a regular expression ({error})") from None
    for name in sorted(names):
        match = pattern.search(name) if pattern else None
        groups.setdefault(
            (match.group(1) if match.re.groups else match.group(0)) if match else name, []
        ).append(name)
    shares = {"train": 1 - val_fraction - test_fraction, "val": val_fraction, "test": test_fraction}
    held = dict.fromkeys(shares, 0)
    splits: dict[str, str] = {}
    order = [sorted(groups)[index] for index in np.random.default_rng(seed).permutation(len(groups))]
    for group in order:
        wanting = [split for split, share in shares.items() if share > 0]
        target = max(wanting, key=lambda split: (held[split] == 0, shares[split] - held[split] / len(names)))
        target = target if held["train"] else "train"
        held[target] += len(groups[group])
        splits |= dict.fromkeys(groups[group], target)
    return splits


def origins(length: int, size: int, overlap: int) -> list[int]:
    """Return where tiles of `size` px start along an axis, so that all of it is covered.

    Tiles are spread evenly with at least `overlap` px in common; an axis shorter than a tile has one,
    which is padded.
    """
    if length <= size:
        return [0]
    count = -(-(length - overlap) // (size - overlap))
    return [round(index * (length - size) / (count - 1)) for index in range(count)]


def cut(
    pairs: Sequence[Pair],
    out_dir: Path,
    *,
    size: int,
    overlap: int,
    splits: dict[str, str],
    axes: str | None = None,
    channel: int | None = None,
    plane: int | None = None,
    overwrite: bool = False,
    on_pair: Callable[[Pair], None] = lambda _: None,
) -> Cut:
    """Write the tiles of all pairs, and the manifest last: with it the folder is whole.

    A pair that cannot be used is reported and the others go on. The normalisation of a tile is that of
    its whole source image, as in inference.

    Parameters
    ----------
    pairs : sequence of Pair
        Images with their masks.
    out_dir : Path
        Folder of the tiles.
    size, overlap : int
        Of the tiles, px. Images smaller than a tile are padded by reflection.
    splits : dict
        Source name to split.
    axes, channel, plane : optional
        How image files are read; a stack needs `plane`.
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
        If tiles stand there already, two images would give tiles of one name, the images themselves lie
        where the tiles would, or nothing can be written.
    SettingsError
        If the overlap is not smaller than the tile.
    """
    if overlap >= size:
        raise SettingsError(f"tile.overlap = {overlap} must be smaller than the tile ({size} px)")
    _check_names(pairs, out_dir)
    manifest = out_dir / MANIFEST
    if manifest.exists():
        if not overwrite:
            raise OutputError(f"{manifest}: stands there already; use --overwrite, or another -o")
        # Only what the manifest names: the folder may hold other images, even those to be cut.
        earlier = read_manifest(out_dir)
        manifest.unlink()
        for row in earlier:
            row.image.unlink(missing_ok=True)
            row.mask.unlink(missing_ok=True)
    rows: list[TileRow] = []
    failures: list[tuple[Path, str]] = []
    remarks: list[tuple[str, Remark]] = []
    for item in pairs:
        try:
            more, said = _cut_pair(
                item, out_dir, size, overlap, splits[str(item.image.name)], axes, channel, plane
            )
            rows += more
            remarks += [(str(item.image.name), remark) for remark in said]
        except OutputError:
            raise
        except BeadctlError as error:
            failures.append((item.image.path, str(error)))
        on_pair(item)
    if rows:
        columns = [field.name for field in dataclasses.fields(TileRow)]
        with atomic(manifest) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([_cell(getattr(row, column), out_dir) for column in columns] for row in rows)
    return Cut(tuple(rows), tuple(failures), tuple(remarks))


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


def _cut_pair(
    item: Pair,
    out_dir: Path,
    size: int,
    overlap: int,
    split: str,
    axes: str | None,
    channel: int | None,
    plane: int | None,
) -> tuple[list[TileRow], tuple[Remark, ...]]:
    image = open_image(item.image.path, axes=axes, channel=channel, plane=plane)
    if len(image.planes) != 1:
        raise SettingsError(
            f"{item.image.path}: has {len(image.planes)} planes and one mask; choose one with --plane"
        )
    with image.planes[0].open() as opened:
        normalisation = measure_normalisation(opened)
        pixels = opened.read_all()
    height, width = pixels.shape
    truth = item.load((height, width))
    rows = []
    for top, left in _corners(pixels.shape, size, overlap):
        part, labels = (
            np.ascontiguousarray(array[top : top + size, left : left + size])
            for array in (pixels, truth.labels)
        )
        height, width = part.shape
        name = f"{_stem(item)}_y{top:05d}_x{left:05d}.tif"
        image_path, mask_path = out_dir / "images" / name, out_dir / "masks" / name
        padding = ((0, size - height), (0, size - width))
        _write(image_path, np.pad(part, padding, mode="reflect"))
        _write(mask_path, np.pad(labels, padding, mode="reflect"))
        rows.append(
            TileRow(
                split=split,
                image=image_path,
                mask=mask_path,
                source=str(item.image.name),
                top=top,
                left=left,
                height=size,
                width=size,
                beads=len(np.unique(labels[labels > 0])),
                offset=normalisation.offset,
                scale=normalisation.scale,
                sha256=sha256(image_path),
            )
        )
    return rows, truth.remarks


def _corners(shape: tuple[int, ...], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    for top in origins(shape[0], size, overlap):
        for left in origins(shape[1], size, overlap):
            yield top, left


def _write(path: Path, pixels: NDArray[Any]) -> None:
    import tifffile

    with atomic(path) as temporary:
        tifffile.imwrite(
            temporary,
            pixels,
            compression="zlib",
            photometric="minisblack",
            metadata=None,
            software="beadctl tile",
        )


def _cell(value: object, folder: Path) -> object:
    if isinstance(value, Path):
        return value.relative_to(folder).as_posix()
    return repr(value) if isinstance(value, float) else value
