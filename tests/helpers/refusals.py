"""Annotation files that are refused, or read, in one line."""

import pytest

from beadctl.annotations.reading import read
from beadctl.errors import AnnotationError, BeadctlError
from helpers import annotating

SHAPE = (96, 128)


SQUARE = [10.0, 10.0, 20.0, 10.0, 20.0, 20.0, 10.0, 20.0]


def refused(path, *words, kind=AnnotationError, shape=SHAPE, **options):
    """Check that a file is refused in one line with these words and a remedy."""
    with pytest.raises(kind) as caught:
        read(path, shape, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert ";" in message, "it says what to do"
    for word in words:
        assert word in message
    return message


def labels_or_one_line(path, **options):
    """Check that a file gives a label image, or a `BeadctlError` of one line."""
    message = f"{path}: read"
    try:
        assert read(path, SHAPE, **options).labels.shape == SHAPE
    except BeadctlError as error:
        message = str(error)
    assert message.startswith(str(path))
    assert "\n" not in message


def document(**changes):
    """COCO of one square."""
    annotation = {"id": 5, "image_id": 1, "category_id": 1, "segmentation": [SQUARE], "iscrowd": 0}
    image = {"id": 1, "file_name": "a.tif", "height": 96, "width": 128}
    return {
        "images": [image | changes.pop("image", {})],
        "annotations": [annotation | changes],
        "categories": [],
    }


def oval():
    """Return a region of ImageJ."""
    return annotating.region(annotating.OVAL, (10, 20, 30, 50))
