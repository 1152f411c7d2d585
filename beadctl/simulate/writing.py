"""Writer of a folder of simulated images, label images and a manifest."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from beadctl.errors import OutputError
from beadctl.files import write_csv
from beadctl.images.tiff_write import write_tiff
from beadctl.simulate.scene import Fact, render
from beadctl.simulate.suspension import draw_suspension

NAME = re.compile(r"sim_[0-9]{5,}\.tif")


def write(
    out_dir: Path,
    count: int,
    size: int,
    seed: int,
    *,
    suspensions: bool = False,
    overwrite: bool = False,
    on_image: Callable[[Path], None] | None = None,
) -> list[Path]:
    """Write scenes as `images/sim_00000.tif`, `masks/sim_00000.tif` and so on, and a `manifest.csv`.

    Return the paths of the images in order. Image i depends only on the seed and on i, so that a larger count
    does not change earlier images.

    Parameters
    ----------
    out_dir : Path
        The folder; created if missing.
    count, size : int
        Number of images; side of the square images, px.
    seed : int
        Random seed, at least 0.
    suspensions : bool
        Whether the scenes are fields of suspensions, see `draw_suspension`, instead of all kinds.
    overwrite : bool
        Whether to replace an earlier run: its images are removed first, also those beyond `count`.
    on_image : callable, optional
        Called with the path of each image after it is written.

    Raises
    ------
    OutputError
        If the folder already contains simulated images, or cannot be written.
    """
    images, masks, manifest = out_dir / "images", out_dir / "masks", out_dir / "manifest.csv"
    # The manifest first: a folder with a manifest is complete.
    earlier = [manifest] * manifest.exists()
    for folder in (images, masks):
        earlier += sorted(old for old in folder.glob("sim_*.tif") if NAME.fullmatch(old.name))
    if earlier and not overwrite:
        raise OutputError(f"{earlier[0]}: already exists; choose another folder or pass --overwrite")
    for old in earlier:
        try:
            old.unlink()
        except OSError as error:
            raise OutputError(f"{old}: cannot be removed ({error.strerror}); choose another folder") from None
    paths: list[Path] = []
    rows: list[dict[str, Fact]] = []
    draw = draw_suspension if suspensions else render
    for index in range(count):
        scene = draw(np.random.default_rng([seed, index]), size)
        path = images / f"sim_{index:05d}.tif"
        write_tiff(path, scene.image, software="beadctl simulate")
        is_wide = scene.labels.max(initial=0) > 65535
        labels = scene.labels if is_wide else scene.labels.astype(np.uint16)
        write_tiff(masks / path.name, labels, software="beadctl simulate")
        rows.append({"image": path.name, **scene.facts})
        paths.append(path)
        if on_image is not None:
            on_image(path)
    write_csv(manifest, list(rows[0]) if rows else ["image"], rows)
    return paths
