"""Facts of an image file, as rows of text."""

from pathlib import Path

from beadctl.images import ReadOptions, open_image


def describe_image(path: Path, options: ReadOptions) -> list[tuple[str, str]]:
    """Return name and value of each fact of a file, and what would be segmented, from its metadata alone.

    Parameters and errors are those of `beadctl.images.open_image`.
    """
    image = open_image(path, options)
    size = "unknown (give --pixel-size)" if image.pixel_size_um is None else f"{image.pixel_size_um:.6g} um"
    first = image.planes[0]
    planes = f"{len(image.planes)} plane(s) of {first.height} x {first.width} px, {image.conversion}"
    return [
        ("axes", image.axes),
        ("shape", " x ".join(map(str, image.shape))),
        ("dtype", str(image.dtype)),
        ("pixel size", size),
        ("segmented", planes),
    ]
