"""Settings of the way from images to counts: network, beads, statistics."""

from pathlib import Path

from pydantic import Field

from beadctl.cli.sections.section import (
    AreaText,
    Device,
    DiameterText,
    Fraction,
    MeasuredText,
    Probability,
    Section,
    Share,
    SizeText,
)
from beadctl.counting.stacks import Unit


class Inference(Section):
    """The model file and how it is run."""

    model: Path | None = Field(None, description="Model file (.onnx) [that in the package].")
    device: Device = Field(
        "auto",
        description="Device of the network: auto (cuda where it works, else cpu), cpu, cuda, tensorrt, "
        "directml, coreml, openvino; or one of several, as cuda:1 or openvino:GPU.",
    )
    diameter: SizeText | None = Field(
        None,
        description="Diameter of a typical bead, 12px or 5um, to within a third [found for each image].",
    )
    threads: int | None = Field(None, ge=1, description="CPU threads [those granted to the job].")
    tile_size: int | None = Field(
        None, ge=0, description="Edge of a block without its halo, px; 0: the whole image [by --max-memory]."
    )
    max_memory: SizeText | None = Field(
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
        None,
        description="Least rise of a marker above the pass to the next, for beads of 10 px, 0 to 1 "
        "[the model's joiner].",
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
        description="Take images as fields of one group whose paths have the same match of this regular "
        "expression, such as ^[^_]+ for what precedes the first _; (?P<sample>...), (?P<dilution>...) and "
        "(?P<replicate>...) in it name its parts.",
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
