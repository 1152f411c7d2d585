"""Small LIF files, written by hand: a header of XML, then a block of pixels for each image."""

import struct
from xml.sax.saxutils import quoteattr

DIMENSIONS = {"X": 1, "Y": 2, "Z": 3, "T": 4, "M": 10}


def _text(kind, text):
    """Return a text that the file marks with its length."""
    return struct.pack("<BI", kind, len(text)) + text.encode("utf-16-le")


def _image(number, name, axes, pixels, size_m, channel_tags):
    """Return the XML of an image whose array has these axes in the order of the file, the last fastest."""
    strides = dict(zip(axes, pixels.strides, strict=True))
    lengths = dict(zip(axes, pixels.shape, strict=True))
    dimensions = "".join(
        f'<DimensionDescription DimID="{DIMENSIONS[axis]}" NumberOfElements="{lengths[axis]}" Origin="0"'
        f' Length="{size_m.get(axis, 0) * (lengths[axis] - 1)}" Unit="m" BitInc="0"'
        f' BytesInc="{strides[axis]}"/>'
        for axis in sorted(set(axes) & set(DIMENSIONS), key="XYZTM".index)
    )
    channel = "S" if "S" in axes else "C"
    kind = 1 if pixels.dtype.kind == "f" else 0
    channels = "".join(
        f'<ChannelDescription DataType="{kind}" ChannelTag="{tag}" Resolution="{8 * pixels.itemsize}"'
        f' NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" LUTName="Gray" IsLUTInverted="0" BitInc="0"'
        f' BytesInc="{i * strides.get(channel, 0)}"/>'
        for i, tag in zip(range(lengths.get(channel, 1)), channel_tags or [0] * 99, strict=False)
    )
    return (
        f"<Element Name={quoteattr(name)}><Data><Image><ImageDescription><Channels>{channels}</Channels>"
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{pixels.nbytes}" MemoryBlockID="MemBlock_{number}"/></Element>'
    )


def write_lif(path, images, size_m=None, channel_tags=None):
    """Write images.

    Parameters
    ----------
    path : Path
        The file.
    images : list of (str, str, ndarray)
        Name, axes and pixels of each image; C are planes of a channel, S samples of a pixel.
    size_m : dict of float, optional
        Size of a voxel, m, by axis.
    channel_tags : list of int, optional
        Colour of each channel: 0 grey, 1 red, 2 green, 3 blue.
    """
    elements = "".join(_image(i, *image, size_m or {}, channel_tags) for i, image in enumerate(images))
    xml = (
        f'<LMSDataContainerHeader Version="2"><Element Name="file"><Children>{elements}</Children></Element>'
        "</LMSDataContainerHeader>"
    )
    header = _text(0x2A, xml)
    parts = [struct.pack("<II", 0x70, len(header)) + header]
    for i, (_, _, pixels) in enumerate(images):
        name = _text(0x2A, f"MemBlock_{i}")
        head = struct.pack("<BQ", 0x2A, pixels.nbytes) + name
        parts += [struct.pack("<II", 0x70, len(head)) + head, pixels.tobytes()]
    path.write_bytes(b"".join(parts))
    return path
