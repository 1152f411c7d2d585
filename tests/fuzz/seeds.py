"""Small files of every kind that beadctl reads, by suffix: what the fuzz tests mutate.

``python tests/fuzz/seeds.py FOLDER`` writes them.
"""

import io
import json
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np

Seeds = dict[str, bytes]


def _written(name, write):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def _plane(shape=(14, 18), dtype=np.uint8):
    return np.random.default_rng(3).integers(0, 200, shape).astype(dtype)


@cache
def images() -> Seeds:
    """Return TIFF of many layouts, and one image of each other format; those of the extra if it is there."""
    import imagecodecs
    import tifffile
    from helpers.microscope_tiff import write_lsm, write_stk
    from PIL import Image

    def tiff(array, **options):
        return _written("a.tif", lambda path: tifffile.imwrite(path, array, **options))

    grey, stack = _plane(), _plane((3, 14, 18), np.uint16)
    um = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5}
    found = {
        "strip.tif": tiff(grey, rowsperstrip=5, resolution=(2e4, 2e4), resolutionunit="CENTIMETER"),
        "big_endian.tif": tiff(_plane(dtype=np.uint16), byteorder=">"),
        "tile.tif": tiff(_plane((40, 36)), tile=(16, 16), compression="zlib", predictor=True),
        "big.tif": tiff(grey, bigtiff=True),
        "planar.tif": tiff(_plane((3, 14, 18)), photometric="rgb", planarconfig="separate"),
        "rgb.tif": tiff(_plane((14, 18, 3)), photometric="rgb", compression="lzw"),
        "float.tif": tiff(_plane(dtype=np.float32), compression="zstd", predictor=3),
        "bilevel.tif": tiff(grey > 90, photometric="miniswhite"),
        "jpeg.tif": tiff(_plane((32, 32)), compression="jpeg"),
        "packbits.tif": tiff(grey, compression="packbits"),
        "imagej.tif": tiff(stack, imagej=True, metadata={"axes": "ZYX", "unit": "um", "spacing": 2}),
        "ome.ome.tif": tiff(stack, ome=True, metadata={"axes": "TYX", **um}),
        "pyramid.ome.tif": _written("a.ome.tif", _pyramid),
        "a.lsm": _written("a.lsm", lambda path: write_lsm(path, stack[:, None])),
        "a.stk": _written("a.stk", lambda path: write_stk(path, stack, size=(0.5, 0.5))),
        "colours.png": imagecodecs.png_encode(_plane((14, 18, 3), np.uint16)),
    }
    pages = [Image.fromarray(_plane()), Image.fromarray(_plane()[::-1].copy())]
    for suffix in ("png", "jpg", "gif", "webp", "bmp", "jp2"):
        buffer = io.BytesIO()
        more = {"save_all": True, "append_images": pages[1:]} if suffix in ("gif", "webp") else {}
        form = {"jpg": "JPEG", "jp2": "JPEG2000"}.get(suffix, suffix.upper())
        pages[0].save(buffer, form, **more)
        found[f"a.{suffix}"] = buffer.getvalue()
    buffer = io.BytesIO()
    Image.fromarray(_plane((14, 18, 3))).quantize(16).save(buffer, "PNG")
    return found | {"palette.png": buffer.getvalue()} | _of_the_extra(stack)


def _of_the_extra(stack):
    from helpers.czi import write_czi
    from helpers.lif import write_lif
    from helpers.nd2 import STACK, write_nd2

    from beadctl.images import extra

    at = [{"X": 0, "Y": 0, "Z": z, "M": 0} for z in range(len(stack))]
    blocks = list(zip(at, stack, strict=True))
    found = {
        "a.czi": lambda path: write_czi(path, blocks, (0.5, 0.5, 1), compression=6),
        "a.lif": lambda path: write_lif(path, [("one", "ZYX", stack), ("two", "YX", stack[0])], {"X": 1e-6}),
        "a.nd2": lambda path: write_nd2(path, stack[..., None], [(STACK, 3)], 0.5, 1.0, is_compressed=True),
    }
    return {
        name: _written(name, write) for name, write in found.items() if extra.is_installed(Path(name).suffix)
    }


def _pyramid(path):
    import tifffile

    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(_plane((64, 64)), subifds=1, tile=(16, 16), metadata={"axes": "YX"})
        file.write(_plane((32, 32)), subfiletype=1, tile=(16, 16))


@cache
def models() -> Seeds:
    """Return a model file, and the metadata of one as JSON, which is put into the file."""
    from helpers.model import write_model

    from beadctl.images import InputName
    from beadctl.model.metadata import ModelFacts

    shown = InputName.MEDIAN
    facts = ModelFacts("a", "CC0-1.0", "0.3", 8, 16, normalisation=shown, validation={"val_f1": 0.9})
    older = facts.to_json().replace('"schema": 3', '"schema": 1').replace("marker", "seed")
    return {
        "a.onnx": _written("a.onnx", write_model),
        "facts.json": facts.to_json().encode(),
        "older.json": older.encode(),
    }


@cache
def annotations() -> Seeds:
    """Return a file of each format of annotations, for an image of 24 x 32 px."""
    import tifffile
    from helpers import annotating
    from PIL import Image

    labels = np.zeros((24, 32), np.uint16)
    for label, (y, x) in enumerate(((3, 4), (3, 9), (14, 20)), start=1):
        labels[y : y + 5, x : x + 5] = label

    def polygon(mask):
        return [annotating.flat(annotating.borders(mask)[0])]

    def rle(mask):
        return {"size": list(mask.shape), "counts": annotating.compressed(annotating.runs(mask))}

    def coded(document):
        return json.dumps(document).encode()

    regions = [annotating.traced(mask) for _, mask in annotating.beads(labels)]
    regions += [annotating.region(annotating.POLYGON, points=[(1, 1), (9, 1), (9, 8)], fractions=True)]
    png = io.BytesIO()
    Image.fromarray((labels > 0).astype(np.uint8) * 255).save(png, "PNG")
    nameless = io.BytesIO()
    with zipfile.ZipFile(nameless, "w") as archive:
        archive.writestr("a.roi", regions[0])
    return {
        "labels.tif": _written("a.tif", lambda path: tifffile.imwrite(path, labels)),
        "binary.png": png.getvalue(),
        "polygon.json": coded(annotating.coco({"a.tif": labels}, polygon)),
        "rle.json": coded(annotating.coco({"a.tif": labels}, rle)),
        "a.geojson": coded(annotating.geojson(labels)),
        "cellpose.txt": annotating.cellpose(labels).encode(),
        "yolo.txt": annotating.yolo(labels).encode(),
        "centres.csv": b"image,y,x,diameter\na.tif,5,6,5\na.tif,16.5,22,\n",
        "one.roi": regions[0],
        "polygon.roi": regions[-1],
        "set.zip": _written("a.zip", lambda path: annotating.region_set(path, regions)),
        "stored.zip": nameless.getvalue(),
    }


@cache
def settings() -> Seeds:
    """Return a settings file with every section, and a short one."""
    from beadctl.cli.settings import Settings
    from beadctl.text import toml_text

    whole = toml_text(Settings().model_dump(mode="json"))
    short = '[instances]\nmin_area = "25um2"\n[loss]\nweights = [0.7, 0.3]\n[output]\nsave = ["masks"]\n'
    return {"beadctl.toml": whole.encode(), "short.toml": short.encode()}


@cache
def checkpoints() -> Seeds:
    """Return the checkpoint of a tiny network, and values as JSON, which replace those of its own."""
    from beadctl.training import checkpoint
    from beadctl.training.architecture import Architecture
    from beadctl.training.plan import TrainingPlan
    from beadctl.training.unet import UNet

    architecture = Architecture(width=2, depth=2)
    network = UNet(architecture)
    state = checkpoint.Checkpoint(
        architecture.as_dict(), network.state_dict(), network.state_dict(), {}, {}, {}, 1, 1, 1, 0.5, 1.0,
        [], TrainingPlan().as_dict(), {"halo": 16, "stride": 2},
    )  # fmt: skip
    values = {name: value for name, value in vars(state).items() if name not in ("model", "average")}
    return {
        "last.pt": _written("last.pt", lambda path: checkpoint.save(state, path)),
        "values.json": json.dumps({"version": checkpoint.VERSION, **values}).encode(),
        "version_1.json": json.dumps({"version": 1, "best_jaccard": 0.5, **values}).encode(),
    }


@cache
def ledgers() -> Seeds:
    """Return the record of an image, and that of a run."""
    from pathlib import PurePosixPath

    from beadctl.results import ledger
    from beadctl.results.written import Stamp

    def write(folder):
        row = ledger.Row("a.tif", 0, "", "ok", count=2, mean_diameter_px=4.5)
        beads = ({"image": "a.tif", "plane": 0, "label": 1},) * 2
        result, written = ledger.ImageResult((row,), beads), {"masks/a_masks.tif": Stamp(3, "0")}
        ledger.save(folder, PurePosixPath("a.tif"), ledger.Entry("k:0a", "/in/a.tif", result, written))
        return ledger.path_of(folder, PurePosixPath("a.tif"))

    with tempfile.TemporaryDirectory() as folder:
        part = write(Path(folder)).read_bytes()
    record = {"model": "m", "model_sha256": "0", "options": {"region": None}, "files": {"counts.csv": "0"}}
    return {"a.tif.json": part, "run.json": json.dumps(record).encode()}


KINDS = {
    "images": images,
    "models": models,
    "annotations": annotations,
    "settings": settings,
    "checkpoints": checkpoints,
    "ledgers": ledgers,
}

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    for kind, seeds in KINDS.items():
        for name, content in seeds().items():
            path = Path(sys.argv[1]) / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
