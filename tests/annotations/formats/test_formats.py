"""The family of annotation formats: enum and files are equal, and a new format is one file and one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from beadctl.annotations import AnnotationFormat, formats
from beadctl.annotations.pairing import pair


def test_every_format_is_a_file_and_every_file_a_format():
    files = {path.stem for path in Path(formats.__file__).parent.glob("*.py") if path.stem != "__init__"}
    assert files == {form.value for form in AnnotationFormat}


@pytest.mark.parametrize("form", list(AnnotationFormat))
def test_every_format_has_the_parts_of_the_protocol(form):
    reader = form.reader()
    assert reader.SUFFIXES
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in reader.SUFFIXES)
    assert set(reader.SUFFIXES) <= set(AnnotationFormat.AUTO.reader().SUFFIXES)
    assert callable(reader.detects)
    assert callable(reader.by_image)


def test_the_enum_loads_neither_numpy_nor_a_format():
    code = (
        "import sys, beadctl.annotations.formats as f; list(f.AnnotationFormat);"
        "assert not {'numpy', f.__name__ + '.coco'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_stardist_is_regions_or_labels(tmp_path):
    from helpers import annotating
    from helpers.images import discs
    from PIL import Image

    image, truth = discs(3)
    for folder in ("images", "regions", "labels"):
        (tmp_path / folder).mkdir()
    Image.fromarray(image).save(tmp_path / "images/a.png")
    Image.fromarray(truth.astype(np.uint8)).save(tmp_path / "labels/a.png")
    annotating.region_set(
        tmp_path / "regions/a.zip", [annotating.traced(mask) for _, mask in annotating.beads(truth)]
    )
    for folder in ("regions", "labels"):
        pairing = pair(tmp_path / "images", tmp_path / folder, form=AnnotationFormat.STARDIST)
        assert annotating.same_beads(pairing.samples[0].load(truth.shape).labels, truth)
