"""Writer of grey images and label images."""

import hashlib

import numpy as np
import pytest
import tifffile
from helpers.reading import noise, read_plane

from beadctl.errors import OutputError
from beadctl.images.tiff_write import write_tiff


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4"])
@pytest.mark.parametrize("step", [1, -2])
def test_pixels_are_read_back_in_their_dtype(tmp_path, dtype, step):
    image = noise((40, 60), dtype)[:, ::step]
    path = tmp_path / "folder" / "a.tif"
    digest = write_tiff(path, image, software="beadctl test")
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    result = read_plane(path)
    assert result.dtype == image.dtype
    np.testing.assert_array_equal(result, image)
    assert [file.name for file in path.parent.iterdir()] == ["a.tif"]


def test_equal_pixels_give_equal_bytes_without_a_date(tmp_path):
    image = noise((40, 60))
    digests = {write_tiff(tmp_path / name, image, software="beadctl test") for name in ("a.tif", "b.tif")}
    assert digests != {write_tiff(tmp_path / "c.tif", image + 1, software="beadctl test")}
    assert len(digests) == 1
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        tags = tif.pages.first.tags
        assert tags["Software"].value == "beadctl test"
        assert tags["Compression"].value.name == "ADOBE_DEFLATE"
        assert "DateTime" not in tags


def test_unwritable_path_is_an_output_error_that_names_it(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "a.tif"
    with pytest.raises(OutputError, match="file"):
        write_tiff(path, noise((4, 5)), software="beadctl test")
