"""From a training run to one self-describing ONNX file, which is verified before it is put in place."""

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from beadctl import __version__
from beadctl.dataset.manifest import read_manifest
from beadctl.errors import ModelError
from beadctl.files import atomic
from beadctl.images import levels_of
from beadctl.model.metadata import METADATA_KEY, ModelFacts, require_writable
from beadctl.model.session import Maps, Model
from beadctl.segmentation.options import SegmentOptions
from beadctl.segmentation.prediction import find_beads
from beadctl.simulate import render
from beadctl.training import checkpoint
from beadctl.training.blend import Blend
from beadctl.training.checkpoint import Checkpoint
from beadctl.training.fold import fold
from beadctl.training.parted import part
from beadctl.training.shown import input_of, shown
from beadctl.training.tiles import Tiles
from beadctl.training.unet import UNet

# Largest difference of onnxruntime and PyTorch that rounding explains. It is less than a level of the maps,
# 1/255, so a count differs only where a value lies within it of the boundary between two levels.
TOLERANCE = 1e-4
SAMPLES = 3
BATCHES = (1, 2, 3)


@dataclass(frozen=True)
class ExportReport:
    """What the comparison of onnxruntime with PyTorch gave.

    Attributes
    ----------
    comparisons, recounted : int
        Inputs compared, and those of them with another count, where values lie between two levels.
    largest_difference : float
        Of any probability or marker.
    size_bytes, doubt : int and str
        Size of the file; and the doubt of the `ModelFacts`.
    """

    comparisons: int
    recounted: int
    largest_difference: float
    size_bytes: int
    doubt: str = ""

    def __str__(self) -> str:
        """Return the report as words."""
        counts = (
            f"which changes the counts of {self.recounted}: a bead there is at the limit of a threshold"
            if self.recounted
            else "and in no count"
        )
        return (
            f"{self.size_bytes / 2**20:.2f} MiB; on {self.comparisons} inputs onnxruntime and PyTorch "
            f"differ by at most {self.largest_difference:.1e}, {counts}"
        )


class Deployed(nn.Module):
    """The network with batch normalisation folded, skips not copied, and its two maps as probabilities."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = part(fold(network))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return probability and marker, each (N, 1, H, W) in 0..1."""
        maps = torch.sigmoid(self.network(image))
        return maps[:, :1], maps[:, 1:]


@dataclass(frozen=True)
class ExportOptions:
    """Facts of the model file that are not those of the run.

    Attributes
    ----------
    opset, name, licence
        ONNX operator set, 18 to 20, and name and licence of the model.
    threshold, marker_threshold, min_area_px : optional
        By default those of the run's validation.
    """

    opset: int = 20
    name: str = "bead"
    licence: str = "unspecified"
    threshold: float | None = None
    marker_threshold: float | None = None
    min_area_px: int | None = None


DEFAULT_OPTIONS = ExportOptions()


def export(
    run: Path,
    out: Path,
    options: ExportOptions = DEFAULT_OPTIONS,
    *,
    blend: Blend | None = None,
    overwrite: bool = False,
) -> ExportReport:
    """Write the best checkpoint of a run as ONNX, and verify it; a failure leaves no file.

    It is verified on the tiles of the run, or on simulated scenes if it had none.

    Parameters
    ----------
    run : Path
        Folder of a run, or a checkpoint of it.
    out : Path
        The ``.onnx`` file.
    options : ExportOptions
        Operator set, and facts of the file.
    blend : Blend, optional
        Weights to average with; the validation figures of the run do not hold for the mean and are left out.
    overwrite : bool
        Replace `out`.

    Raises
    ------
    ModelError
        If the run cannot be read, the weights to blend with are of another shape, or onnxruntime and PyTorch
        differ.
    OutputError
        If `out` already exists, or does not end in ``.onnx``.
    """
    require_writable(out, "-o", overwrite=overwrite)
    source = run / "best.pt" if run.is_dir() else run
    state = checkpoint.load(source)
    network = state.network()
    facts = facts_of(state, network, options)
    if blend:
        network = blend.of(network)
        facts = replace(facts, training={**facts.training, "blend": blend.facts}, validation={})
    images = _images(_tiles_of(source.parent), facts)
    with atomic(out) as temporary:
        write_onnx(network, temporary, options.opset, facts)
        return verify(temporary, network, images, facts)


def verify(
    path: Path, network: UNet, images: Sequence[NDArray[np.float32]], facts: ModelFacts
) -> ExportReport:
    """Compare onnxruntime with PyTorch, at several sizes and batch sizes.

    The maps decide. Beads are labelled on maps that are rounded to 255 levels, so a count can differ, within
    the tolerance, only by values that lie between two levels; such counts are reported.

    Parameters
    ----------
    path, network, facts
        The model file and what it was written from, as `write_onnx` takes them.
    images : sequence of ndarray of float32, shape (C, H, W)
        Inputs, at least one.

    Raises
    ------
    ModelError
        If the file is not valid ONNX, or a map differs by more than `TOLERANCE`.
    """
    import onnx

    try:
        onnx.checker.check_model(str(path), full_check=True)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"the exported model is not valid ONNX ({str(error).splitlines()[0]})") from None
    model = Model(path, "cpu")
    worst, comparisons, recounted = 0.0, 0, 0
    for batch in _batches(images, facts.stride):
        with torch.inference_mode():
            wanted = torch.sigmoid(network(torch.from_numpy(batch))).numpy()
        found = np.concatenate(model.run(batch), axis=1)
        difference = float(np.abs(wanted - found).max())
        if not difference <= TOLERANCE:
            raise ModelError(
                f"the exported model differs from the trained one (by {difference:.1e} on an input of "
                f"{'x'.join(map(str, batch.shape))} px, {TOLERANCE:.0e} is allowed); no file was written"
            )
        counts = [[_count(maps, facts) for maps in answer] for answer in (wanted, found)]
        recounted += counts[0] != counts[1]
        worst, comparisons = max(worst, difference), comparisons + 1
    return ExportReport(comparisons, recounted, worst, path.stat().st_size, facts.doubt)


def write_onnx(network: UNet, path: Path, opset: int, facts: ModelFacts) -> None:
    """Write a network with its facts as ONNX, batch normalisation folded; nothing is verified.

    Parameters
    ----------
    network, path : UNet and Path
        In evaluation mode; and the file.
    opset, facts : int and ModelFacts
        ONNX operator set, 18 to 20; and the file's metadata.
    """
    import onnx

    example = torch.zeros(2, facts.normalisation.channels, 8 * facts.stride, 8 * facts.stride)
    with _silence():
        program = torch.onnx.export(
            Deployed(network).eval(),
            (example,),
            input_names=["image"],
            output_names=["probability", "marker"],
            opset_version=opset,
            dynamic_shapes=(
                {
                    0: torch.export.Dim("batch"),
                    2: facts.stride * torch.export.Dim("rows"),
                    3: facts.stride * torch.export.Dim("columns"),
                },
            ),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    # The exporter writes stack traces, with paths of this machine, into the nodes.
    graph = proto.graph
    for node in graph.node:
        node.doc_string = ""
    for piece in (proto, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        del piece.metadata_props[:]
    onnx.helper.set_model_props(proto, {METADATA_KEY: facts.to_json()})
    proto.producer_name, proto.producer_version = "beadctl", __version__
    onnx.save_model(proto, path, save_as_external_data=False)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Silence exporter logging."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    # Loggers below it inherit this level.
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def facts_of(state: Checkpoint, network: UNet, options: ExportOptions = DEFAULT_OPTIONS) -> ModelFacts:
    """Return the facts of the model file of a checkpoint, whose network is given."""
    plan = state.settings
    best = next((record for record in state.history if record["epoch"] == state.best_epoch), {})
    figures = ("val_jaccard", "val_dice", "val_f1", "count_mae", "count_bias")
    return ModelFacts(
        name=options.name,
        licence=options.licence,
        beadctl_version=__version__,
        stride=network.architecture.stride,
        halo=network.architecture.halo_px,
        threshold=options.threshold or float(plan["threshold"]),
        marker_threshold=options.marker_threshold or float(plan["marker_threshold"]),
        min_area_px=options.min_area_px or int(plan["min_area_px"]),
        diameter_px=state.facts.get("diameter_px"),
        polarity="both" if plan["augment"] or plan["simulate"] else "as trained",
        normalisation=input_of(network.architecture.inputs),
        training=dict(plan),
        data=str(state.facts.get("data", "")),
        validation={key: best[key] for key in figures if key in best},
        joiner=state.joiner,
    )


def _tiles_of(run: Path) -> Path | None:
    """Return the tiles that a run was trained on, by its ``run.json``."""
    try:
        tiles = json.loads((run / "run.json").read_text(encoding="utf-8"))["data"]["tiles"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return Path(tiles) if tiles else None


def _images(folder: Path | None, facts: ModelFacts) -> list[NDArray[np.float32]]:
    """Return inputs (C, H, W) to compare on: validation tiles if there are any, else simulated ones."""
    name = facts.normalisation
    if folder and (folder / "manifest.csv").is_file():
        held = Tiles(read_manifest(folder), "val", folder, name)
        large = [index for index, row in enumerate(held.rows) if min(row.height, row.width) >= facts.stride]
        if large:
            return [shown(held[index][0], name) for index in large[:SAMPLES]]
    scenes = [render(np.random.default_rng([20, index]), 256).image for index in range(SAMPLES)]
    return [
        shown(name.normalisation(levels_of(image, name.surround)).scaled(image), name) for image in scenes
    ]


def _batches(images: Sequence[NDArray[np.float32]], stride: int) -> list[NDArray[np.float32]]:
    """Return inputs of several sizes and batch sizes, cut from the images."""
    batches = [
        image[None, :, : _down(image.shape[1], stride), : _down(image.shape[2], stride)] for image in images
    ]
    edge = _down(min(min(image.shape[1:]) for image in images), stride)
    for index, size in enumerate(BATCHES):
        rows, columns = _down(edge // (index + 1), stride) or stride, edge
        batches.append(np.stack([images[k % len(images)][:, :rows, :columns] for k in range(size)]))
    return [np.ascontiguousarray(batch) for batch in batches]


def _down(length: int, stride: int) -> int:
    return length // stride * stride


def _count(maps: NDArray[np.float32], facts: ModelFacts) -> int:
    probability, marker = np.rint(maps * 255).astype(np.uint8)
    return find_beads(Maps(probability, marker), SegmentOptions.of(facts)).count
