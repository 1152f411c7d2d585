"""Series, axes, channels and planes, from metadata or as named by the user."""

import numpy as np
import pytest
import tifffile
from helpers.ome import write_ome_set
from helpers.reading import BT709, noise, read_error, read_plane, read_planes

from beadctl.counting.stacks import Projection
from beadctl.errors import FileNote, ImageError
from beadctl.images import ReadOptions, open_image, stacks_of


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_are_planes(tmp_path, compression):
    stack = noise((5, 20, 30))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in stack:
            writer.write(page, contiguous=False, metadata=None, compression=compression)
    opened = open_image(path)
    assert [p.index for p in opened.planes] == [0, 1, 2, 3, 4]
    assert opened.planes[3].position == "page=3"
    np.testing.assert_array_equal(read_planes(path), stack)


@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("kind", [{"ome": True}, {"imagej": True}, {"metadata": {"axes": "TZCYX"}}])
def test_time_depth_and_channel_axes(tmp_path, kind, byteorder, compression):
    if "imagej" in kind and compression:
        pytest.skip("tifffile writes ImageJ stacks uncompressed")
    stack = noise((2, 3, 4, 20, 30))
    path = tmp_path / "a.tif"
    options = {"metadata": {"axes": "TZCYX"}} | kind
    tifffile.imwrite(
        path, stack, photometric="minisblack", byteorder=byteorder, compression=compression, **options
    )
    opened = open_image(path, ReadOptions(channel=2))
    assert (opened.axes, opened.shape) == ("TZCYX", (2, 3, 4, 20, 30))
    assert opened.conversion == "channel 2 of 4"
    assert [p.position for p in opened.planes][:4] == ["T=0 Z=0", "T=0 Z=1", "T=0 Z=2", "T=1 Z=0"]
    np.testing.assert_array_equal(read_planes(path, channel=2), stack[:, :, 2].reshape(6, 20, 30))
    one = open_image(path, ReadOptions(channel=2, plane=4)).planes
    assert [(p.index, p.position) for p in one] == [(4, "T=1 Z=1")]
    np.testing.assert_array_equal(read_plane(path, channel=2, plane=4), stack[1, 1, 2])


def test_stack_of_rgb_planes(tmp_path):
    stack = noise((3, 16, 18, 3), "u1")
    for kind in ({"ome": True}, {"imagej": True}, {}):
        path = tmp_path / f"{'-'.join(kind)}.tif"
        tifffile.imwrite(path, stack, photometric="rgb", metadata={"axes": "ZYXS"}, **kind)
        np.testing.assert_allclose(read_planes(path), stack @ BT709, rtol=1e-5)


def test_planes_of_all_series_are_listed_in_order(tmp_path):
    first, second = noise((2, 20, 30)), noise((3, 24, 26), seed=1)
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(first, metadata={"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5})
        writer.write(second, metadata={"axes": "TYX", "PhysicalSizeX": 2, "PhysicalSizeY": 2})
    planes = open_image(path).planes
    assert [p.position for p in planes] == [f"series=0 Z={i}" for i in (0, 1)] + [
        f"series=1 T={i}" for i in range(3)
    ]
    assert [p.index for p in planes] == list(range(5))
    assert [p.pixel_size_um for p in planes] == [0.5, 0.5, 2, 2, 2]
    for got, expected in zip(read_planes(path), [*first, *second], strict=True):
        np.testing.assert_array_equal(got, expected)


def test_pages_of_different_sizes_are_separate_series(tmp_path):
    pages = [noise((20, 30)), noise((22, 28)), noise((20, 30), seed=1)]
    path = tmp_path / "a.tif"
    for page in pages:
        tifffile.imwrite(path, page, append=True, metadata=None)
    opened = open_image(path)
    assert [p.position for p in opened.planes] == ["series=0 page=0", "series=0 page=1", "series=1"]
    for got, expected in zip(read_planes(path), [pages[0], pages[2], pages[1]], strict=True):
        np.testing.assert_array_equal(got, expected)


def test_set_of_files_gives_each_plane_once(tmp_path):
    stack = write_ome_set(tmp_path, noise((3, 20, 30)))
    for i in range(3):
        path = tmp_path / f"t{i}.ome.tif"
        (plane,) = open_image(path).planes
        assert (plane.index, plane.position) == (i, f"T={i}")
        np.testing.assert_array_equal(read_planes(path), [stack[i]])
    assert "other files of its set" in read_error(tmp_path / "t0.ome.tif", plane=1)


@pytest.mark.parametrize("how", Projection)
def test_a_z_stack_in_several_files_is_neither_projected_nor_linked(tmp_path, how):
    """Each file would be a stack of its own, and a bead in several planes would count several times."""
    write_ome_set(tmp_path, noise((3, 20, 30)))
    for i in range(3):
        # Of times, each is whole.
        path = tmp_path / f"t{i}.ome.tif"
        assert open_image(path, ReadOptions(projection=how)).planes[0].position == f"T={i}"
    write_ome_set(tmp_path, noise((3, 20, 30)), axis="Z")
    path = tmp_path / "t1.ome.tif"
    assert "has a part of a Z stack" in read_error(path, projection=how)
    (plane,) = open_image(path).planes
    assert plane.position == "Z=1"
    with pytest.raises(ImageError, match="has a part of a Z stack"):
        stacks_of([plane])


def test_file_of_a_set_of_channels_gives_its_own_channel(tmp_path):
    stack = write_ome_set(tmp_path, noise((3, 20, 30)), axis="C")
    for i in range(3):
        path = tmp_path / f"t{i}.ome.tif"
        assert open_image(path).conversion == f"channel {i} of 3"
        np.testing.assert_array_equal(read_planes(path), [stack[i]])
        np.testing.assert_array_equal(read_planes(path, channel=i), [stack[i]])
    message = read_error(tmp_path / "t0.ome.tif", channel=2)
    assert "in another file of its set" in message
    assert message.endswith("give the other file, or choose --channel 0")


@pytest.mark.filterwarnings("ignore::beadctl.errors.FileNote")
def test_planes_of_a_lost_file_of_a_set_are_those_of_the_first_file_that_is_there(tmp_path):
    stack = write_ome_set(tmp_path, noise((4, 20, 30)))
    for name in ("t0.ome.tif", "t2.ome.tif"):
        (tmp_path / name).unlink()
    with pytest.warns(FileNote, match=r"2 files \(t0.ome.tif, t2.ome.tif\)"):
        planes = open_image(tmp_path / "t1.ome.tif").planes
    assert [(p.index, p.position) for p in planes] == [(0, "T=0"), (1, "T=1"), (2, "T=2")]
    np.testing.assert_array_equal(read_plane(tmp_path / "t1.ome.tif", plane=1), stack[1])
    for lost in (planes[0], planes[2]):
        with pytest.raises(ImageError, match=r"t1.ome.tif: its set lacks 2 files"), lost.open():
            pass
    np.testing.assert_array_equal(read_planes(tmp_path / "t3.ome.tif"), [stack[3]])


@pytest.mark.filterwarnings("ignore::beadctl.errors.FileNote")
def test_a_set_that_was_renamed_or_is_a_copy_gives_the_planes_of_each_file(tmp_path):
    stack = write_ome_set(tmp_path, noise((3, 20, 30)))
    for i in range(3):
        (tmp_path / f"t{i}.ome.tif").rename(tmp_path / f"renamed{i}.ome.tif")
    with pytest.warns(FileNote, match="not beside it"):
        open_image(tmp_path / "renamed1.ome.tif")
    for i in range(3):
        np.testing.assert_array_equal(read_planes(tmp_path / f"renamed{i}.ome.tif"), [stack[i]])
    write_ome_set(tmp_path, stack)
    (tmp_path / "t1.ome.tif").unlink()
    assert len(open_image(tmp_path / "t0.ome.tif", is_copy=True).planes) == 1


def test_lost_channels_of_a_set_are_said(tmp_path):
    stack = write_ome_set(tmp_path, noise((3, 20, 30)), axis="C")
    (tmp_path / "t1.ome.tif").unlink()
    with pytest.warns(FileNote, match=r"1 file \(t1.ome.tif\)"):
        (plane,) = open_image(tmp_path / "t0.ome.tif").planes
    np.testing.assert_array_equal(read_planes(tmp_path / "t2.ome.tif"), [stack[2]])
    with plane.open() as pixels:
        np.testing.assert_array_equal(pixels.read_all(), stack[0])
    assert "in another file of its set" in read_error(tmp_path / "t2.ome.tif", channel=1)


def test_images_of_a_set_are_those_of_their_own_files(tmp_path):
    """Each image of the metadata lies in a file of its own, at the same place in it."""
    stack = write_ome_set(tmp_path, noise((3, 20, 30)), are_images=True)
    for i in range(3):
        path = tmp_path / f"t{i}.ome.tif"
        (plane,) = open_image(path).planes
        assert (plane.index, plane.position) == (i, f"series={i}")
        np.testing.assert_array_equal(read_planes(path), [stack[i]])


@pytest.mark.filterwarnings("ignore::beadctl.errors.FileNote")
@pytest.mark.parametrize("lost", range(3))
def test_images_of_a_lost_file_of_a_set_are_those_of_the_first_file_that_is_there(tmp_path, lost):
    """Else the images that are left look like all of them, and have the numbers of others."""
    stack = write_ome_set(tmp_path, noise((3, 20, 30)), are_images=True)
    (tmp_path / f"t{lost}.ome.tif").unlink()
    first, second = sorted({0, 1, 2} - {lost})
    path = tmp_path / f"t{first}.ome.tif"
    planes = open_image(path).planes
    assert [plane.position for plane in planes] == [f"series={i}" for i in sorted((first, lost))]
    gone = planes[first < lost]
    assert (gone.index, gone.height, gone.width) == (lost, 20, 30)
    with pytest.raises(ImageError, match=rf"its set lacks 1 file \(t{lost}.ome.tif\)"), gone.open():
        pass
    np.testing.assert_array_equal(read_plane(path, series=first), stack[first])
    (plane,) = open_image(tmp_path / f"t{second}.ome.tif").planes
    assert (plane.index, plane.position) == (second, f"series={second}")
    np.testing.assert_array_equal(read_planes(tmp_path / f"t{second}.ome.tif"), [stack[second]])
    assert len(open_image(path).series) == 3


def test_invalid_ome_metadata_needs_axes(tmp_path):
    stack = noise((4, 20, 30))
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, stack, ome=True, photometric="minisblack", metadata={"axes": "CYX"})
    path.write_bytes(path.read_bytes().replace(b"<Pixels ", b"<Pixelz ").replace(b"</Pixels>", b"</Pixelz>"))
    assert "--axes" in read_error(path)
    np.testing.assert_array_equal(read_plane(path, axes="CYX", channel=2), stack[2])


@pytest.mark.parametrize("kind", [{"ome": True}, {"imagej": True}])
def test_channel_must_be_chosen(tmp_path, kind):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((3, 20, 30)), photometric="minisblack", metadata={"axes": "CYX"}, **kind)
    assert "has 3 channels; choose one with --channel 0..2" in read_error(path)
    assert "has 3 channels; choose one with --channel 0..2" in read_error(path, channel=3)
    assert "has 3 channels; choose one with --channel 0..2" in read_error(path, channel=-1)


def test_samples_without_colours_are_channels(tmp_path):
    image = noise((20, 30, 5))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack", planarconfig="contig")
    assert "has 5 channels" in read_error(path)
    np.testing.assert_array_equal(read_plane(path, channel=4), image[..., 4])


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_fourth_sample_that_is_not_alpha_is_a_channel(tmp_path, planar):
    image = noise((20, 30, 4))
    stored = image if planar == "contig" else np.moveaxis(image, -1, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, extrasamples=["unspecified"])
    assert "has 4 channels; choose one with --channel 0..3, or --axes" in read_error(path)
    np.testing.assert_array_equal(read_plane(path, channel=3), image[..., 3])
    axes = open_image(path, ReadOptions(channel=0)).axes
    np.testing.assert_allclose(read_plane(path, axes=axes), image[..., :3] @ BT709, rtol=1e-5)


def test_fourth_sample_that_is_alpha_is_left_out_and_noted(tmp_path):
    image = noise((20, 30, 4))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="rgb", extrasamples=["unassalpha"])
    with pytest.warns(FileNote, match="--channel 3"):
        np.testing.assert_allclose(read_plane(path), image[..., :3] @ BT709, rtol=1e-5)
    np.testing.assert_array_equal(read_plane(path, channel=3), image[..., 3])


def test_single_channel_is_channel_0(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((20, 30)))
    assert open_image(path, ReadOptions(channel=0)).conversion == "as stored"
    assert "--channel" in read_error(path, channel=1)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_axes_replace_those_of_the_file(tmp_path, compression):
    stack = noise((4, 20, 30))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", compression=compression)
    assert len(open_image(path).planes) == 4
    np.testing.assert_array_equal(read_plane(path, axes="CYX", channel=3), stack[3])
    np.testing.assert_array_equal(read_planes(path, axes="zxy"), np.swapaxes(stack, 1, 2))
    np.testing.assert_array_equal(read_planes(path, axes="YXZ"), np.moveaxis(stack, 2, 0))
    np.testing.assert_array_equal(read_planes(path, axes="XZY"), np.transpose(stack, (1, 2, 0)))
    np.testing.assert_allclose(
        read_planes(path, axes="SYX"), [np.moveaxis(stack[:3], 0, -1) @ BT709], rtol=1e-5
    )


@pytest.mark.parametrize("axes", ["YX", "ZYYX", "ZZX", "ZYC", "Z?X", "YYX"])
def test_invalid_axes_are_refused(tmp_path, axes):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((4, 20, 30)), photometric="minisblack")
    assert "--axes" in read_error(path, axes=axes)


def test_unnamed_axes_with_stack_last_are_refused(tmp_path):
    image = noise((64, 50, 5))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack")
    assert open_image(path, ReadOptions(axes="YXZ")).shape == (64, 50, 5)
    assert "--axes" in read_error(path)
    np.testing.assert_array_equal(read_planes(path, axes="YXZ"), np.moveaxis(image, -1, 0))


@pytest.mark.parametrize("slices", [8, 25, 39, 64])
@pytest.mark.parametrize("kind", [{}, {"metadata": None}, {"imagej": True}, {"ome": True}])
def test_array_of_y_x_z_without_names_of_its_axes_is_refused(tmp_path, slices, kind):
    image = noise((128, 140, slices))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack", **kind)
    assert "--axes" in read_error(path)
    np.testing.assert_array_equal(read_planes(path, axes="YXZ"), np.moveaxis(image, -1, 0))
    assert len(open_image(path, ReadOptions(axes="ZYX")).planes) == 128


@pytest.mark.parametrize(
    ("shape", "metadata"),
    [((40, 128, 128), {}), ((300, 200, 160), {}), ((20, 300, 32), {}), ((128, 140, 25), {"axes": "TYX"})],
)
def test_stacks_of_usual_shape_or_with_named_axes_need_no_option(tmp_path, shape, metadata):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros(shape, "u1"), photometric="minisblack", metadata=metadata)
    assert len(open_image(path).planes) == shape[0]
