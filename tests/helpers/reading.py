"""Read images and errors through the public functions of `beadctl.images`."""

import numpy as np
import pytest

from beadctl.errors import ImageError
from beadctl.images import ReadOptions, open_image

BT709 = np.array([0.2126, 0.7152, 0.0722])


def noise(shape, dtype="u2", seed=0):
    """Return noise over the whole range of a dtype, so that a lost bit or a swapped byte is detected."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "f":
        return rng.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def read_plane(path, index=0, **options):
    """Return the pixels of a plane."""
    with open_image(path, ReadOptions(**options)).planes[index].open() as pixels:
        return pixels.read_all()


def read_planes(path, **options):
    """Return the pixels of every plane."""
    planes = []
    for plane in open_image(path, ReadOptions(**options)).planes:
        with plane.open() as pixels:
            planes.append(pixels.read_all())
    return planes


def read_error(path, **options):
    """Return the message, one line, of the error that reading all planes of `path` raises."""
    with pytest.raises(ImageError) as caught:
        read_planes(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert caught.value.exit_code == 1
    return message
