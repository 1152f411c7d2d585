"""Sets of OME-TIFF files, each with the metadata of the whole set."""

import tifffile


def write_ome_set(folder, stack, *, axis="T", are_images=False):
    """Write planes as ``t0.ome.tif`` and so on: those of one image along an axis, or an image each."""
    count, height, width = stack.shape
    uuids = [f"urn:uuid:0000000{i}-0000-0000-0000-000000000000" for i in range(count)]
    sizes = {"Z": 1, "C": 1, "T": 1} | ({} if are_images else {axis: count})

    def image(numbers):
        data = "".join(
            f'<TiffData First{axis}="{0 if are_images else i}" IFD="0" PlaneCount="1">'
            f'<UUID FileName="t{i}.ome.tif">{uuids[i]}</UUID></TiffData>'
            for i in numbers
        )
        lengths = " ".join(f'Size{name}="{length}"' for name, length in sizes.items())
        pixels = (
            f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="{stack.dtype}" SizeX="{width}"'
            f' SizeY="{height}" {lengths}><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels>'
        )
        return f'<Image ID="Image:{numbers[0]}">{pixels}</Image>'

    images = "".join(image([i]) for i in range(count)) if are_images else image(range(count))
    for i, uuid in enumerate(uuids):
        xml = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
            f' UUID="{uuid}">{images}</OME>'
        )
        tifffile.imwrite(folder / f"t{i}.ome.tif", stack[i], description=xml, metadata=None)
    return stack
