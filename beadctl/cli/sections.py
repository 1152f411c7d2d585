"""The sections of the settings: every field with its default, bounds, unit and meaning.

A bracket at the end of a description names the value that a field of None stands for.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from beadctl.annotations import AnnotationFormat
from beadctl.cluster import place
from beadctl.console import Form
from beadctl.counting.measured import Measured
from beadctl.counting.stacks import Projection, Unit
from beadctl.devices import DEVICE_PATTERN
from beadctl.errors import SettingsError
from beadctl.losses import Loss, checked_weights
from beadctl.results.formats import Output
from beadctl.segmentation.sizes import Area, Diameter
from beadctl.training.choices import ArchName, PrecisionName, ScheduleName, SelectName
from beadctl.weighting import WeightingName

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Probability = Annotated[float, Field(gt=0.0, lt=1.0)]
Weight = Annotated[float, Field(ge=0.0)]
Device = Annotated[str, Field(pattern=DEVICE_PATTERN)]


def _list(value: object) -> object:
    """Split a list as flags, which may be repeated, and the environment give it: ``0.7,0.3``."""
    parts = [value] if isinstance(value, str) else value
    if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
        return [word.strip() for part in parts for word in part.split(",")]
    return value


Outputs = Annotated[tuple[Output, ...], BeforeValidator(_list)]
Weights = Annotated[tuple[Weight, ...], BeforeValidator(_list)]


Patterns = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_list)]


def _text(value: object) -> object:
    """Return a number of pixels as the text that a flag would give."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _read_by(parse: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parse(text)
        except SettingsError as error:
            # The error that this becomes names the setting and where it is.
            raise ValueError(str(error).rpartition(": ")[2]) from None
        return text

    return AfterValidator(check)


AreaText = Annotated[str, BeforeValidator(_text), _read_by(Area.parse)]
DiameterText = Annotated[str, BeforeValidator(_text), _read_by(Diameter.parse)]
MeasuredText = Annotated[str, BeforeValidator(_text), _read_by(Measured.parse)]
PlaceText = Annotated[str, _read_by(place.parse)]


class Section(BaseModel):
    """A group of settings: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class Data(Section):
    """Tiles, and how image files and annotations are read."""

    tiles: Path = Field(Path("tiles"), description="Folder of training tiles, as `beadctl tile` writes it.")
    size: int = Field(512, ge=16, le=8192, description="Edge of a tile or of a simulated scene, px.")
    seed: int = Field(0, ge=0, description="Seed of every random choice.")
    axes: str | None = Field(
        None, pattern=r"^[A-Z]{2,8}$", description="Axes of the image files, such as ZYX [from the metadata]."
    )
    channel: int | None = Field(
        None, ge=0, description="Channel to use of a multi-channel image, from 0 [the only one]."
    )
    plane: int | None = Field(None, ge=0, description="Plane to use of a stack, from 0 [all].")
    series: int | None = Field(
        None,
        ge=0,
        description="Series to use of a file of several images, from 0 [all but side images].",
    )
    pixel_size: float | None = Field(
        None, ge=1e-6, le=1e6, description="Pixel size, um, where the file's metadata has none [unknown]."
    )
    include: Patterns = Field(
        (), description="Use only images of these names, such as *.tif or day1/*, separated by commas [all]."
    )
    exclude: Patterns = Field(
        (),
        description="Leave out files and folders of these names, such as *_dark*, separated by commas "
        "[none].",
    )
    recursive: bool = Field(True, description="Search the folders in a folder.")
    region: str | None = Field(
        None,
        min_length=1,
        description="Count only beads with their centre in this region of an image: x,y,width,height in px, "
        "a GeoJSON file, an ImageJ .roi or .zip, or a mask image [the whole image].",
    )
    region_exclude: str | None = Field(
        None, min_length=1, description="Leave beads in this region out; given as for --region."
    )
    counting_frame: DiameterText | None = Field(
        None,
        description="Count by an unbiased frame this far inside the image, as wide as the largest bead, such "
        "as 20px or 5um [the whole image].",
    )
    project: Projection | None = Field(
        None,
        description="Count one plane for each Z stack: its maximum, mean or sharpest plane [each plane].",
    )
    annotations: AnnotationFormat = Field(
        AnnotationFormat.AUTO, description="Format of the annotations; auto detects it by their content."
    )
    pair: str | None = Field(
        None,
        description="Regular expression on paths of images and masks; its group is what both have in common "
        "[by their names].",
    )
    centre_diameter: float | None = Field(
        None, gt=0, description="Diameter of the beads, px, where annotations mark their centres."
    )


class Images(Section):
    """Limits of image files, above which a file is taken for damaged or hostile."""

    max_pixels: int = Field(
        4_000_000_000,
        ge=1,
        description="Most pixels of a plane, and of all planes of a file that is decoded as a whole.",
    )
    max_planes: int = Field(100_000, ge=1, description="Most planes of a file and its set.")
    max_copy_bytes: int = Field(
        20_000_000_000, ge=1, description="Most bytes of the copy of an image in a store or on a web server."
    )


class Tile(Section):
    """Cutting image/mask pairs into tiles."""

    overlap: int = Field(64, ge=0, description="Overlap of neighbouring tiles, px.")
    val_fraction: Fraction = Field(0.15, description="Fraction of the source images for validation.")
    test_fraction: Fraction = Field(0.15, description="Fraction of the source images for the final test.")
    group_by: str | None = Field(
        None,
        description="Regular expression on the image's path; equal matches stay in one split [each image].",
    )
    only: Path | None = Field(None, description="File with the names of the images to use, one a line [all].")
    min_beads: int = Field(1, ge=1, description="A tile with fewer beads counts as empty.")
    keep_empty: Share = Field(1.0, description="Share of the empty tiles to keep, chosen by the seed.")


class Train(Section):
    """Network, optimiser and duration of a training run."""

    # Choices are checked as enums and kept as plain strings, which checkpoints can hold.
    model_config = ConfigDict(use_enum_values=True)

    start: str | None = Field(
        None,
        min_length=1,
        description="Weights to start from: default, a run's folder, a checkpoint or a model file; they "
        "determine the network [random].",
    )
    simulate: int = Field(
        0, ge=0, description="Simulated scenes an epoch to train on instead of tiles; 0: tiles."
    )
    epochs: int = Field(100, ge=1, description="Passes over the training tiles.")
    max_minutes: float | None = Field(
        None, gt=0, description="Plan the learning rate for, and stop after, this many minutes [no limit]."
    )
    batch_size: int = Field(4, ge=1, description="Tiles in a micro-batch.")
    accumulate: int = Field(1, ge=1, description="Accumulation steps: micro-batches in an optimiser step.")
    lr: float | None = Field(None, gt=0, description="Peak learning rate [0.001; 0.0003 with --from].")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW weight decay.")
    warmup_epochs: float = Field(1.0, ge=0, description="Epochs in which the learning rate rises.")
    schedule: ScheduleName = Field(
        ScheduleName.COSINE, description="Fall of the learning rate; plateau lowers it when progress stops."
    )
    plateau_epochs: int = Field(
        5, ge=1, description="Plateau: epochs without a better validation figure before the rate falls."
    )
    plateau_factor: Probability = Field(0.5, description="Plateau: factor on the learning rate.")
    select: SelectName = Field(
        SelectName.F1, description="Validation figure that chooses the best epoch; f1 is of beads at IoU 0.5."
    )
    patience: int = Field(
        25, ge=1, description="Stop after this many epochs without a better validation figure."
    )
    arch: ArchName = Field(
        ArchName.UNET, description="Network; resunet: residual blocks, attention-unet: gated skips."
    )
    width: int = Field(16, ge=2, le=256, description="Channels of the first level; doubled at each level.")
    depth: int = Field(4, ge=2, le=7, description="Levels of the U-Net; the stride is 2^(depth-1).")
    steps_per_epoch: int | None = Field(
        None, ge=1, description="Optimiser steps of an epoch [one pass over the tiles]."
    )
    max_channels: int = Field(512, ge=2, description="Cap on the channels of a level.")
    dropout: Fraction = Field(0.1, description="Dropout in the deepest level.")
    dilation: int = Field(
        1, ge=1, le=16, description="Dilation in the deepest level; widens receptive field and halo."
    )
    clip_norm: float = Field(1.0, gt=0, description="Largest norm of the gradient of a step.")
    ema_decay: Fraction = Field(
        0.995, description="Decay of the weight average that is validated and exported."
    )
    precision: PrecisionName = Field(PrecisionName.AUTO, description="Arithmetic of training.")
    augment: bool = Field(True, description="Augment the tiles: geometry, intensity, both polarities.")
    workers: int | None = Field(None, ge=0, description="Processes that prepare tiles [by the CPU count].")
    tensorboard: bool = Field(
        False, description="Write TensorBoard event files into the run's folder as well."
    )


class LossSection(Section):
    """Training loss: its terms, their weights and parameters."""

    name: Loss = Field(Loss.COMBINED, description="Loss on the foreground.")
    weights: Weights | None = Field(
        None,
        description="Weights of the terms: dice,focal in `combined`; dice,focal,boundary in `multi-term` "
        "[0.7,0.3; 0.6,0.3,0.1].",
    )
    weighting: WeightingName = Field(
        WeightingName.FIXED,
        description="Weights while training; ramp: from --ramp-from, uncertainty: learned, balance: of "
        "gradients.",
    )
    ramp_from: Weights | None = Field(None, description="Ramp: weights at the start [equal shares].")
    ramp_epochs: float = Field(
        30.0, gt=0, description="Ramp: epochs until the weights are those of the loss."
    )
    focal_alpha: Probability = Field(0.25, description="Focal loss: weight of the foreground.")
    focal_gamma: float = Field(2.0, ge=0, description="Focal loss: focusing exponent.")
    tversky_alpha: float = Field(0.7, ge=0, description="Tversky losses: weight of missed bead pixels.")
    tversky_beta: float = Field(0.3, ge=0, description="Tversky losses: weight of false bead pixels.")
    tversky_gamma: float = Field(0.75, gt=0, description="Focal Tversky loss: exponent.")
    boundary_px: int = Field(
        2, ge=1, le=32, description="Boundary term: half the width of the band along the edges, px."
    )
    marker_weight: float = Field(1.0, ge=0, description="Weight of the marker map's loss.")
    contact_weight: float = Field(
        4.0, ge=0, description="Marker map's loss: extra weight of pixels where beads touch."
    )

    @model_validator(mode="after")
    def _one_weight_per_term(self) -> Self:
        for name in ("weights", "ramp_from"):
            try:
                checked_weights(self.name, getattr(self, name))
            except ValueError as error:
                given = ",".join(f"{weight:g}" for weight in getattr(self, name))
                raise ValueError(f"{name} = {given} does not fit: {error}") from None
        return self


class Export(Section):
    """The ONNX file that is made of a training run."""

    opset: int = Field(20, ge=18, le=20, description="ONNX operator set.")
    licence: str = Field("unspecified", description="Licence of the model, written into the file.")
    name: str = Field("bead", description="Name of the model, written into the file.")
    authors: Patterns = Field((), description="Who made the model, for --bioimageio: names, with commas.")
    blend: str | None = Field(
        None,
        description="Weights to average with the run's, such as those it started from: default, a run's "
        "folder, a checkpoint or a model file [none].",
    )
    blend_share: float = Field(0.5, gt=0, lt=1, description="Share of the --blend weights in the average.")


class Inference(Section):
    """The model file and how it is run."""

    model: Path | None = Field(None, description="Model file (.onnx) [that in the package].")
    device: Device = Field(
        "auto",
        description="Device of the network: auto (cuda where it works, else cpu), cpu, cuda, tensorrt, "
        "directml, coreml, openvino; or one of several, as cuda:1 or openvino:GPU.",
    )
    diameter: Annotated[str, BeforeValidator(_text)] | None = Field(
        None,
        description="Diameter of a typical bead, 12px or 5um, to within a third [found for each image].",
    )
    threads: int | None = Field(None, ge=1, description="CPU threads [those granted to the job].")
    tile_size: int | None = Field(
        None, ge=0, description="Edge of a block without its halo, px; 0: the whole image [by --max-memory]."
    )
    max_memory: Annotated[str, BeforeValidator(_text)] | None = Field(
        None, description="Memory that the run may use, such as 2G [what is free and granted to the job]."
    )


class Instances(Section):
    """Turning the network's maps into beads."""

    threshold: Probability | None = Field(
        None, description="Least probability that a pixel is of a bead, 0 to 1 [the model's own]."
    )
    marker_threshold: Probability | None = Field(
        None, description="Least height of a marker, 0 to 1 [the model's own]."
    )
    marker_rise: Probability | None = Field(
        None, description="Rise of a marker of 10 px above the saddle to the next, 0 to 1 [the model's own]."
    )
    min_confidence: Fraction | None = Field(
        None,
        description="Least confidence of a bead, 0 to 1: mean probability times root of the marker height "
        "[the model's own].",
    )
    min_area: AreaText | None = Field(
        None, description="Smallest area of a bead, such as 60px or 25um2 [the model's own]."
    )
    max_area: AreaText | None = Field(
        None, description="Largest area of a bead, such as 2000px or 800um2 [no limit]."
    )
    min_circularity: Share | None = Field(
        None, description="Least circularity of a bead, 0 to 1: 4 pi area / perimeter^2 [no limit]."
    )
    min_diameter: DiameterText | None = Field(
        None, description="Least diameter of the disc of a bead's area, such as 9px or 4um [no limit]."
    )
    max_diameter: DiameterText | None = Field(
        None, description="Largest diameter of the disc of a bead's area, such as 50px or 20um [no limit]."
    )
    exclude_border: bool = Field(False, description="Leave out beads that touch the image's border.")


class Counting(Section):
    """Statistics of the counts of `beadctl count`."""

    group_by: str | None = Field(
        None,
        min_length=1,
        description="Regular expression on the image's path; equal matches are a group of fields. Its groups "
        "named sample, dilution and replicate are these.",
    )
    sample_sheet: Path | None = Field(
        None,
        description="CSV file with the columns file, sample, dilution and replicate, instead of --group-by.",
    )
    depth_um: MeasuredText | None = Field(
        None,
        description="Depth of the chamber, um, such as 100 or 100+-2 with its standard deviation; gives "
        "beads per mL.",
    )
    dilution: MeasuredText | None = Field(
        None,
        description="Factor by which the stock was diluted, such as 10 or 10+-0.2 [from --group-by or the "
        "sample sheet, else 1].",
    )
    dilution_series: bool = Field(
        False, description="Fit the dilutions of each sample: slope, proportionality, linear range, plot."
    )
    manual: Path | None = Field(
        None,
        description="CSV file with the columns file, count and plane of manual counts to compare with.",
    )
    unit: Unit = Field(
        Unit.PLANE, description="What is one field of the statistics; file: the sum of a file's planes."
    )
    link_z: bool = Field(
        False, description="Count a bead that overlaps itself in neighbouring planes of a Z stack once."
    )
    sizes: bool = Field(False, description="Report diameters: mean, D10, D50, D90, modes, histogram, plot.")
    nominal_um: float | None = Field(
        None, gt=0, description="Nominal diameter of the beads, um; reports the share within --tolerance."
    )
    tolerance: str | None = Field(
        None,
        min_length=1,
        description="How far a bead may differ from the nominal diameter, such as 5% or 0.1um [5%].",
    )


class Cluster(Section):
    """Workers of a Dask cluster that do the work of a command."""

    workers: PlaceText | None = Field(
        None,
        description="Work on a Dask cluster: local:N processes here, the scheduler at tcp://HOST:PORT, or N "
        "jobs by jobqueue.yaml:N [this process].",
    )
    timeout_s: float = Field(
        30.0, gt=0, description="Seconds that the scheduler and its first worker may take to answer."
    )
    tls_ca: Path | None = Field(
        None, description="TLS: certificate of the authority that signed all others, PEM [as Dask is set]."
    )
    tls_cert: Path | None = Field(None, description="TLS: own certificate, PEM.")
    tls_key: Path | None = Field(None, description="TLS: own private key, PEM.")


class OutputSection(Section):
    """Output files and console tables."""

    out_dir: Path | None = Field(None, description="Folder of the results.")
    overwrite: bool = Field(False, description="Replace results that already exist.")
    format: Form = Field(
        Form.AUTO,
        description="Form of the table on standard output; auto: table on a terminal, csv in a pipe (eval: "
        "json, info: table).",
    )
    save: Outputs = Field(
        (Output.MASKS, Output.OVERLAYS),
        description="Files to write of each image, separated by commas: " + ", ".join(Output) + ".",
    )
    report: bool = Field(False, description="Write report.html, a page with each image and its beads.")
