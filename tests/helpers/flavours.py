"""One image in every flavour that tifffile, Pillow, imagecodecs and the tools of libtiff write."""

import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from shutil import which
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

GREY = {"photometric": "minisblack"}
DTYPES = ["u1", "u2", "u4", "u8", "i2", "i4", "i8", "f2", "f4", "f8"]
LAYOUTS = {"strip": {}, "strips": {"rowsperstrip": 7}, "tiles": {"tile": (16, 32)}}
CODECS: dict[str, dict[str, Any]] = {
    name: {} for name in (
        "lzw", "deflate", "adobe_deflate", "packbits", "zstd", "lzma", "jpeg2000", "aperio_jp2000_rgb",
        "jpeg_2000_lossy", "jpegxr", "jpegxr_ndpi", "lerc", "png", "pixtiff",
    )
} | {name: {"lossless": True} for name in ("jpeg", "jpegxl", "jpegxl_dng")}  # fmt: skip
PREDICTORS = {"u1": (2,), "u2": (2,), "u4": (2,), "f4": (3,), "f8": (3,)}
UM = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
RAMP = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
ORIENTATION = 274

Flavours = dict[str, int]
"""Number of planes of each file."""
Write = Callable[..., None]


def write_flavours(folder: Path, image: np.ndarray) -> Flavours:
    """Write an image of uint8 in every flavour; each plane holds its values, turned by tags at most."""
    planes: Flavours = {}

    def add(name: str, write: Callable[[Path], object], count: int = 1) -> None:
        planes[name] = count
        write(folder / name)

    for flavours in (_grey(image), _colour(image), _stacks(image), _pillow(image), _rasters(image)):
        for name, count, write in flavours:
            add(name, write, count)
    for name, count, write in _tools(folder) if which("tiffcp") else ():
        add(name, write, count)
    return planes


Flavour = tuple[str, int, Callable[[Path], object]]


def _tiff(array: Any, **options: Any) -> Callable[[Path], object]:
    return lambda path: tifffile.imwrite(path, array, **options)


def _grey(image: np.ndarray) -> Iterator[Flavour]:
    for dtype, order, big in product(DTYPES, "<>", (False, True)):
        name = f"{dtype}_{'little' if order == '<' else 'big'}{'_64' * big}.tif"
        yield name, 1, _tiff(image.astype(dtype), byteorder=order, bigtiff=big, **GREY)
    for layout, dtype, (codec, args) in product(LAYOUTS, ("u1", "u2"), CODECS.items()):
        options = LAYOUTS[layout] | {"compression": codec, "compressionargs": args or None} | GREY
        yield f"{codec}_{dtype}_{layout}.tif", 1, _tiff(image.astype(dtype), **options)
    for layout, dtype in product(LAYOUTS, PREDICTORS):
        for predictor, codec in product(PREDICTORS[dtype], ("lzw", "deflate", "zstd")):
            options = LAYOUTS[layout] | {"compression": codec, "predictor": predictor} | GREY
            name = f"{codec}_{dtype}_{layout}_predictor{predictor}.tif"
            yield name, 1, _tiff(image.astype(dtype), **options)
    for turn in range(1, 9):
        tag = [(ORIENTATION, 3, 1, turn, True)]
        yield f"turned{turn}.tif", 1, _tiff(image, extratags=tag, metadata=None, **GREY)
    yield "white_is_zero.tif", 1, _tiff(255 - image, photometric="miniswhite")
    yield "white_is_zero_u2.tif", 1, _tiff(0xFFFF - image.astype("u2"), photometric="miniswhite")
    yield "palette.tif", 1, _tiff(image, photometric="palette", colormap=RAMP.astype("u2") * 257)
    yield "twelve_bits.tif", 1, _tiff(image.astype("u2"), bitspersample=12, **GREY)
    yield "described.tif", 1, _tiff(image, description="Dear microscope, = 3 µm".encode(), **GREY)


def _colour(image: np.ndarray) -> Iterator[Flavour]:
    rgb = np.stack([image] * 3, -1)
    rgba = np.stack([image] * 3 + [np.full_like(image, 255)], -1)
    for dtype, codec, layout in product(("u1", "u2", "f4"), (None, "deflate"), LAYOUTS):
        for planar, pixels in (("contig", rgb), ("separate", np.moveaxis(rgb, -1, 0))):
            options = LAYOUTS[layout] | {"compression": codec, "planarconfig": planar, "photometric": "rgb"}
            yield f"rgb_{dtype}_{codec}_{layout}_{planar}.tif", 1, _tiff(pixels.astype(dtype), **options)
    yield (
        "rgb_webp.tif",
        1,
        _tiff(rgb, compression="webp", compressionargs={"lossless": True}, photometric="rgb"),
    )
    for extra in ("unassalpha", "assocalpha"):
        yield f"rgba_{extra}.tif", 1, _tiff(rgba, photometric="rgb", extrasamples=[extra])
        grey = rgba[..., 2:]
        yield f"grey_{extra}.tif", 1, _tiff(grey, extrasamples=[extra], planarconfig="contig", **GREY)


def _stacks(image: np.ndarray) -> Iterator[Flavour]:
    def stack(*shape: int, dtype: str = "u1") -> np.ndarray:
        return np.broadcast_to(image.astype(dtype), (*shape, *image.shape)).copy()

    def pages(path: Path) -> None:
        for _ in range(3):
            tifffile.imwrite(path, image, append=True, metadata=None)

    def pyramid(path: Path, *, ome: bool) -> None:
        with tifffile.TiffWriter(path, ome=ome) as writer:
            writer.write(image, subifds=2, tile=(16, 16))
            writer.write(image[::2, ::2], subfiletype=1, tile=(16, 16))
            writer.write(image[::4, ::4], subfiletype=1, tile=(16, 16))

    def reduced(path: Path) -> None:
        with tifffile.TiffWriter(path) as writer:
            writer.write(image, metadata=None)
            writer.write(image[::2, ::2], subfiletype=1, metadata=None)

    yield "pages.tif", 3, pages
    yield "pyramid.tif", 1, lambda path: pyramid(path, ome=False)
    yield "pyramid_ome.ome.tif", 1, lambda path: pyramid(path, ome=True)
    yield "reduced.tif", 1, reduced
    yield "stack.tif", 4, _tiff(stack(4), compression="deflate", **GREY)
    for codec in (None, "deflate"):
        yield (
            f"imagej_{codec}.tif",
            6,
            _tiff(stack(2, 3, dtype="u2"), imagej=True, compression=codec, metadata={"axes": "TZYX"}),
        )
        for axes, shape in {"ZYX": (3,), "TZYX": (2, 2), "TYX": (3,)}.items():
            name = f"ome_{axes}_{codec}.ome.tif"
            metadata = {"axes": axes, **UM}
            yield (
                name,
                int(np.prod(shape)),
                _tiff(stack(*shape), ome=True, compression=codec, metadata=metadata, **GREY),
            )
    yield (
        "imagej_truncated.tif",
        5,
        _tiff(stack(5), imagej=True, truncate=True, metadata={"axes": "ZYX"}),
    )
    yield "volume.tif", 16, _tiff(stack(16), volumetric=True, tile=(16, 16, 16), compression="zstd", **GREY)


def _pillow(image: np.ndarray) -> Iterator[Flavour]:
    picture = Image.fromarray(image)
    modes = {"L": picture, "LA": picture.convert("LA"), "RGB": picture.convert("RGB")}
    modes |= {"RGBA": picture.convert("RGBA"), "I16": Image.fromarray(image.astype("u2"))}
    modes |= {"I": Image.fromarray(image.astype("i4")), "F": Image.fromarray(image.astype("f4"))}
    codecs = [None, "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits", "zstd", "lzma"]
    for (mode, one), codec in product(modes.items(), codecs):
        yield (
            f"pillow_{mode}_{codec}.tif",
            1,
            lambda path, one=one, codec=codec: one.save(path, compression=codec),
        )
    palette = picture.copy()
    palette.putpalette(RAMP.T.tobytes())
    yield "pillow_P.tif", 1, palette.save
    for turn in range(1, 9):
        tags = ImageFileDirectory_v2()
        tags[ORIENTATION] = turn
        yield f"pillow_turned{turn}.tif", 1, lambda path, tags=tags: picture.save(path, tiffinfo=tags)
    yield (
        "pillow_pages.tif",
        3,
        lambda path: picture.save(path, save_all=True, append_images=[picture, picture]),
    )


def _rasters(image: np.ndarray) -> Iterator[Flavour]:
    picture = Image.fromarray(image)
    for mode in ("L", "LA", "RGB", "RGBA"):
        yield f"png_{mode}.png", 1, picture.convert(mode).save
    palette = picture.copy()
    palette.putpalette(RAMP.T.tobytes())
    for name in ("palette_png.png", "palette_bmp.bmp", "palette_gif.gif"):
        yield name, 1, palette.save
    for name in ("grey_gif.gif", "grey_bmp.bmp"):
        yield name, 1, picture.save
    yield "rgb_bmp.bmp", 1, picture.convert("RGB").save
    yield "webp.webp", 1, lambda path: picture.convert("RGB").save(path, lossless=True)
    sixteen = image.astype("u2")
    yield "png_u2.png", 1, lambda path: path.write_bytes(imagecodecs.png_encode(sixteen))
    for form, pixels in product(("jp2", "j2k"), (image, sixteen)):
        yield (
            f"jpeg2000_{form}_{pixels.dtype}.{form}",
            1,
            lambda path, form=form, pixels=pixels: path.write_bytes(
                imagecodecs.jpeg2k_encode(pixels, codecformat=form)
            ),
        )


TIFFCP = (
    "-s -r 5", "-t -w 32 -l 16", "-t -w 16 -l 32 -c lzw", "-c none -B", "-c none -L -8", "-c lzw -B",
    "-c lzw:2 -t -w 16 -l 16 -B", "-c zip:2", "-c zip -8", "-c zstd:2", "-c lzma", "-c packbits", "-c lerc",
    "-f lsb2msb -c packbits", "-f msb2lsb -c lzw",
)  # fmt: skip
TIFFCP_OF = {
    "u1_little.tif": TIFFCP, "u2_big.tif": TIFFCP, "white_is_zero.tif": TIFFCP[:2], "palette.tif": TIFFCP[:2],
    "f4_little.tif": (*TIFFCP[:6], "-c zip:3", "-c zstd:3 -t -w 16 -l 16"), "pages.tif": TIFFCP[:6],
    "rgb_u1_None_strip_contig.tif": (*TIFFCP, "-p separate", "-p separate -c lzw:2 -t -w 16 -l 16"),
    "rgba_unassalpha.tif": ("-p separate", "-p separate -t -w 16 -l 16 -c zip:2"),
}  # fmt: skip
TIFF2RGBA = ("-c none", "-c lzw -r 5", "-c zip -n", "-c packbits -b")


def _tools(folder: Path) -> Iterator[Flavour]:
    def call(*words: object) -> None:
        subprocess.run(list(map(str, words)), check=True, capture_output=True)

    for source, every in TIFFCP_OF.items():
        for options in every:
            name = f"tiffcp {options} {source}"
            yield (
                name,
                3 if source == "pages.tif" else 1,
                lambda path, source=source, options=options: call(
                    "tiffcp", *options.split(), folder / source, path
                ),
            )
    for source in ("u1_little.tif", "palette.tif", "rgb_u1_None_strip_contig.tif"):
        for options in TIFF2RGBA:
            yield (
                f"tiff2rgba {options} {source}",
                1,
                lambda path, source=source, options=options: call(
                    "tiff2rgba", *options.split(), folder / source, path
                ),
            )
    yield "pal2rgb.tif", 1, lambda path: call("pal2rgb", folder / "palette.tif", path)
