"""What is left out of files is said once a run, not once a file."""

import warnings

import numpy as np
import pytest
import tifffile
from helpers.images import discs

from beadctl.console import file_notes


@pytest.mark.parametrize("slides", [1, 3])
def test_side_images_are_said_once_and_counted(tmp_path, run, model_path, slides):
    image, truth = discs(6)
    small = np.zeros((20, 30, 3), np.uint8)
    for number in range(slides):
        with tifffile.TiffWriter(tmp_path / f"slide{number}.ome.tif", ome=True) as writer:
            writer.write(image, metadata={"axes": "YX", "Name": "slide"}, photometric="minisblack")
            writer.write(small, metadata={"axes": "YXS", "Name": "label image"}, photometric="rgb")
    said = run("count", tmp_path, "-m", model_path, "--format", "jsonl")
    assert said.code == 0
    rows = said.out.splitlines()
    assert len(rows) == slides
    assert all(f'"count": {truth.max()}' in row for row in rows)
    notes = [line for line in said.err.splitlines() if "label image" in line]
    assert len(notes) == min(slides, 2)
    assert "slide0.ome.tif: left out as side images: label image" in notes[0]
    assert slides == 1 or notes[1].startswith("warning: 2 more files: left out")
    chosen = run("count", tmp_path, "-m", model_path, "--series", "0")
    assert "label image" not in chosen.err


def test_other_warnings_are_shown_as_before(capsys):
    with pytest.warns(UserWarning, match="another"), file_notes():
        warnings.warn("another", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == ""
