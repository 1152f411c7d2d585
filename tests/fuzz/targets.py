"""What is done with a mutated file: it gives a result, or an error of one line."""

import json
import warnings
from pathlib import Path, PurePosixPath

import numpy as np
from fuzz import seeds

from beadctl.errors import BeadctlError

MOST_PX = 10**6
SHAPE = (24, 32)


def images(path: Path) -> None:
    """Open an image, and read its first planes where they are small."""
    from beadctl.images import intensities_of, open_image

    for plane in open_image(path).planes[:4]:
        with plane.open() as pixels:
            if plane.height * plane.width <= MOST_PX:
                intensities_of(pixels, pixels.read_all())


def models(path: Path) -> None:
    """Open a model file, or one with these metadata, and run it over a small plane."""
    from helpers.model import write_model

    from beadctl.images import InMemory
    from beadctl.model.metadata import METADATA_KEY
    from beadctl.model.session import Model

    if path.suffix == ".json":
        import onnx

        text = path.read_bytes().decode("utf-8", "replace")
        path = write_model(path.with_suffix(".onnx"), metadata=False)
        proto = onnx.load(path)
        onnx.helper.set_model_props(proto, {METADATA_KEY: text})
        onnx.save(proto, path)
    model = Model(path, "cpu", 1)
    assert isinstance(model.facts.doubt, str)
    model.maps(InMemory(np.arange(40 * 56, dtype=np.uint16).reshape(40, 56)), tile_size=16)


def annotations(path: Path) -> None:
    """Read an annotation of any format."""
    from beadctl.annotations.reading import read

    labelled = read(path, SHAPE, image=PurePosixPath("a.tif"), diameter_px=5)
    assert labelled.labels.shape == SHAPE


def settings(path: Path) -> None:
    """Load a settings file."""
    from beadctl.cli.settings import load

    list(load(path).rows())


def checkpoints(path: Path) -> None:
    """Load a checkpoint, or one with these values, and build its network."""
    from beadctl.training import checkpoint

    if path.suffix == ".json":
        import torch

        try:
            values = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return
        path = path.with_suffix(".pt")
        path.write_bytes(seeds.checkpoints()["last.pt"])
        content = torch.load(path, weights_only=True) | (values if isinstance(values, dict) else {})
        torch.save(content, path)
    checkpoint.load(path).network()


def ledgers(path: Path) -> None:
    """Read the record of an image, or verify the run that it is of."""
    from beadctl.results import ledger
    from beadctl.results.tally import Tally
    from beadctl.results.verify import verify
    from beadctl.text import cell

    name = PurePosixPath("a.tif")
    part = ledger.path_of(path.parent, name)
    part.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    if path.name != "run.json":
        part.write_bytes(path.read_bytes())
        path.with_name("run.json").write_text("{}")
    if entry := ledger.read(path.parent, name):
        tally = Tally()
        tally.add(ledger.skipped(entry.result))
        assert all(isinstance(cell(value), str) for row in tally.first for value in row.cells().values())
        assert all(isinstance(bead["plane"], int) for bead in ledger.beads(path.parent, name))
    verify(path.parent, ledger.images(path.parent))


FUNCTIONS = (images, models, annotations, settings, checkpoints, ledgers)
TARGETS = {function.__name__: function for function in FUNCTIONS}


def answer(target: str, path: Path) -> str:
    """Return the line of an error, or an empty text for a result; any other exception is a fault."""
    with warnings.catch_warnings(action="ignore"):
        try:
            TARGETS[target](path)
        except BeadctlError as error:
            line = str(error)
            assert line
            assert "\n" not in line, line
            return line
    return ""
