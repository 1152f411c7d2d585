"""Settings of image files, annotations and tiles."""

from pathlib import Path

from pydantic import Field

from beadctl.annotations import AnnotationFormat
from beadctl.cli.sections.section import Axes, DistanceText, Fraction, Section, Share, Texts
from beadctl.counting.stacks import Projection


class Data(Section):
    """Tiles, and how image files and annotations are read."""

    tiles: Path = Field(Path("tiles"), description="Folder of training tiles, as `beadctl tile` writes it.")
    size: int = Field(512, ge=16, le=8192, description="Edge of a tile or of a simulated scene, px.")
    seed: int = Field(0, ge=0, description="Seed of every random choice.")
    axes: Axes | None = Field(None, description="Axes of the image files, such as ZYX [from the metadata].")
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
    include: Texts = Field(
        (), description="Use only images of these names, such as *.tif or day1/*, separated by commas [all]."
    )
    exclude: Texts = Field(
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
    counting_frame: DistanceText | None = Field(
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

    overlap: int | None = Field(
        None, ge=0, description="Overlap of neighbouring tiles, px [64; half of a tile below 128 px]."
    )
    val_fraction: Fraction = Field(0.15, description="Fraction of the source images for validation.")
    test_fraction: Fraction = Field(0.15, description="Fraction of the source images for the final test.")
    group_by: str | None = Field(
        None,
        description="Keep images in one split whose paths have the same match of this regular expression, "
        "such as ^[^_]+ for what precedes the first _ [each image by itself].",
    )
    only: Path | None = Field(None, description="File with the names of the images to use, one a line [all].")
    min_beads: int = Field(1, ge=1, description="A tile with fewer beads counts as empty.")
    keep_empty: Share = Field(1.0, description="Share of the empty tiles to keep, chosen by the seed.")
