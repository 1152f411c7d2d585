"""Results with a report, which the tests of this folder share."""

import pytest
import tifffile
from helpers.images import discs, write_bead_folder
from helpers.report_page import HOSTILE

from beadctl.cli import main


@pytest.fixture(scope="package")
def finished(tmp_path_factory, model_path):
    """Results with a report: of images as people have them, one that fails, and one of a hostile name."""
    here = tmp_path_factory.mktemp("finished")
    images = write_bead_folder(here / "images")
    tifffile.imwrite(images / HOSTILE, discs(2)[0])
    (images / "words.tif").write_text("Dear microscope,")
    words = ("segment", images, "-m", model_path, "-o", here / "out", "--report", "-q")
    assert main.run([str(word) for word in words]) == 1
    return here / "out"
