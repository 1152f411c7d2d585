"""Write the example images and their masks: simulated scenes in several formats.

Usage: python examples/make_images.py [FOLDER]; the default is the folder of this file.
"""

import argparse
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from beadctl.simulate import Scene, render

SIZE_PX = 320
PIXEL_SIZE_UM = 0.65
# Seeds of scenes that match the file names.
SEEDS = {
    "fluorescent_8bit": 197,
    "fluorescent_16bit": 148,
    "brightfield_rgb": 178,
    "brightfield_jpeg": 173,
    "spheres": 32,
    "empty_field": 274,
    "focus_series": 234,
}
# White balance of a warm lamp: the channels differ as in the image of a colour camera.
WARM = (1.0, 0.94, 0.82)


def scene(name: str) -> Scene:
    """Render the scene of an image."""
    return render(np.random.default_rng([7, SEEDS[name]]), SIZE_PX)


def save_tiff(path: Path, pixels: NDArray[np.generic]) -> None:
    """Write a plane without metadata, whose date would make equal pixels differ."""
    tifffile.imwrite(path, pixels, photometric="minisblack", compression="zlib", metadata=None)


def save_focus_series(path: Path, image: NDArray[np.generic]) -> None:
    """Write an OME-TIFF of three planes with increasing blur, and a pixel size."""
    planes = [image, *(ndimage.gaussian_filter(image, sigma) for sigma in (1.0, 2.0))]
    physical = {f"PhysicalSize{axis}": PIXEL_SIZE_UM for axis in "XY"}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    tifffile.imwrite(
        path,
        np.stack(planes),
        ome=True,
        photometric="minisblack",
        compression="zlib",
        metadata={
            "axes": "ZYX",
            "UUID": "urn:uuid:00000000-0000-0000-0000-000000000000",
            **physical,
            **units,
        },
    )


def write(folder: Path) -> None:
    """Write `folder`/images and, for images of a single plane, `folder`/masks."""
    images, masks = folder / "images", folder / "masks"
    for subfolder in (images, masks):
        subfolder.mkdir(parents=True, exist_ok=True)
    scenes = {name: scene(name) for name in SEEDS}
    for name in ("fluorescent_8bit", "fluorescent_16bit", "spheres", "empty_field"):
        save_tiff(images / f"{name}.tif", scenes[name].image)
    colour = np.rint(scenes["brightfield_rgb"].image[..., None] * np.array(WARM)).astype(np.uint8)
    Image.fromarray(colour).save(images / "brightfield_rgb.png", optimize=True)
    Image.fromarray(scenes["brightfield_jpeg"].image).save(images / "brightfield_jpeg.jpg", quality=90)
    save_focus_series(images / "focus_series.ome.tif", scenes["focus_series"].image)
    for name in SEEDS:
        if name != "focus_series":
            save_tiff(masks / f"{name}_masks.tif", scenes[name].labels.astype(np.uint16))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the example images and their masks.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    write(parser.parse_args().folder)
