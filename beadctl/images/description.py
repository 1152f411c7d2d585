"""Facts of an image file, as rows of text."""

from pathlib import Path

from beadctl.images import ReadOptions, open_image
from beadctl.images.image import sizes_of


def describe_image(path: Path, options: ReadOptions) -> list[tuple[str, str]]:
    """Return name and value of each fact of a file, and what would be segmented, from its metadata alone.

    Parameters and errors are those of `beadctl.images.open_image`.
    """
    image = open_image(path, options)
    size = "unknown (give --pixel-size)" if image.pixel_size_um is None else f"{image.pixel_size_um:.6g} um"
    z_step_um = image.planes[0].z_step_um
    series = [
        (f"series {i}", f"{one}{one.side and f'; side image ({one.side}), left out'}")
        for i, one in enumerate(image.series)
        if len(image.series) > 1
    ]
    return [
        ("axes", image.axes),
        ("shape", " x ".join(map(str, image.shape))),
        ("dtype", str(image.dtype)),
        ("pixel size", size),
        *([("z step", f"{z_step_um:.6g} um")] if z_step_um and "Z" in image.axes else []),
        *series,
        ("segmented", f"{sizes_of(image.planes)}, {image.conversion}"),
    ]
