"""An empty picture to draw objects on."""

from PIL import Image, ImageDraw

from beadctl.simulate.drawing import Shape


def canvas(shape: Shape) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return a black picture of float32 of a height and width `shape`, px, and the pen that draws on it."""
    picture = Image.new("F", (shape[1], shape[0]), 0.0)
    return picture, ImageDraw.Draw(picture)
