"""What `rdf.yaml` of a package says, as the library of the BioImage Model Zoo checks it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from beadctl.errors import ModelError, SettingsError
from beadctl.model.metadata import ModelFacts, require_onnx
from beadctl.model.session import Model
from beadctl.zoo.documentation import CHANNELS, OUTPUTS, SUMMARY, documentation
from beadctl.zoo.example import Example, least_edge_px

TAGS = ("2d", "unet", "instance-segmentation", "beads", "microbeads", "particles", "counting", "beadctl")
WEIGHTS = "weights.onnx"
TOLD = (
    "stride",
    "halo",
    "threshold",
    "marker_threshold",
    "marker_rise",
    "min_confidence",
    "min_area_px",
    "diameter_px",
    "pixel_size_um",
    "polarity",
    "precision",
    "beadctl_version",
)
LARGEST_NAME = 64


@dataclass(frozen=True)
class Statement:
    """What a package has to state of a model and no network tells.

    Attributes
    ----------
    name : str
        As the zoo shows it.
    licence : str
        Its SPDX identifier.
    authors : tuple of str
        Names, at least one.
    """

    name: str
    licence: str
    authors: tuple[str, ...]

    @classmethod
    def of(cls, name: str, licence: str, authors: Sequence[str]) -> Self:
        """Return the statement for the name of a model file, its licence, and the names of its makers.

        Raises
        ------
        SettingsError
            If nobody is named, or the licence is no SPDX identifier.
        """
        from bioimageio.spec.common import ValidationError
        from bioimageio.spec.model.v0_5 import LicenseId

        if not authors:
            raise SettingsError("a package names who made the model; give --authors NAME,NAME")
        try:
            LicenseId(licence)
        except ValidationError:
            raise SettingsError(
                f"a package states a licence of the SPDX list, and {licence!r} is none; give one, such as "
                "--licence CC0-1.0"
            ) from None
        # The zoo takes these characters only.
        shown = re.sub(r"[^A-Za-z0-9_+\-() ]+", "-", f"Microbead segmentation ({name})")
        return cls(shown[:LARGEST_NAME], licence, tuple(authors))


def describe(model: Model, example: Example, statement: Statement, folder: Path) -> Any:
    """Return the description of a package, a `bioimageio.spec.model.v0_5.ModelDescr`.

    Parameters
    ----------
    model : Model
        The model file.
    example : Example
        Its test tensors and cover.
    statement : Statement
        What else is to be stated.
    folder : Path
        An empty folder, which then holds the files of the package but the description.

    Raises
    ------
    ModelError
        If the library refuses the description; the message is its own.
    """
    from bioimageio.spec import ValidationContext
    from bioimageio.spec.common import ValidationError
    from bioimageio.spec.model import v0_5

    facts = model.facts
    content = model.path.read_bytes()
    (folder / WEIGHTS).write_bytes(content)
    (folder / "README.md").write_text(
        documentation(statement.name, facts, example.maps), encoding="utf-8", newline="\n"
    )
    (folder / "cover.png").write_bytes(example.cover)
    for name, array in {"plane": example.plane, "image": example.shown, **example.maps}.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    opset = next(
        one.version for one in require_onnx().load_model_from_string(content).opset_import if not one.domain
    )
    try:
        with ValidationContext(root=folder):
            return v0_5.ModelDescr(
                name=statement.name,
                description=SUMMARY,
                authors=[v0_5.Author(name=name) for name in statement.authors],
                license=v0_5.LicenseId(statement.licence),
                tags=list(TAGS),
                documentation=_file(folder, "README.md"),
                covers=[_file(folder, "cover.png")],
                attachments=[_file(folder, "plane.npy")],
                inputs=[_input(facts, folder)],
                outputs=[_output(name, facts, folder) for name in example.maps],
                weights=v0_5.WeightsDescr(
                    onnx=v0_5.OnnxWeightsDescr(source=folder / WEIGHTS, opset_version=opset)
                ),
                config=v0_5.Config(beadctl=_own(facts)),
            )
    except ValidationError as error:
        raise ModelError(f"{model.path}: cannot be described for the zoo ({_first(error)})") from None


def _file(folder: Path, name: str) -> Any:
    from bioimageio.spec.common import FileDescr

    return FileDescr(source=folder / name)


def _input(facts: ModelFacts, folder: Path) -> Any:
    from bioimageio.spec.model import v0_5

    size = v0_5.ParameterizedSize(min=least_edge_px(facts), step=facts.stride)
    channels = CHANNELS[facts.normalisation]
    limit = 3.0 if len(channels) == 1 else 5.0
    return v0_5.InputTensorDescr(
        id=v0_5.TensorId("image"),
        description="No raw image: channels that are computed of a whole plane, as README.md says",
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=list(channels)),
            *(v0_5.SpaceInputAxis(id=v0_5.AxisId(axis), size=size, concatenable=True) for axis in "yx"),
        ],
        test_tensor=_file(folder, "image.npy"),
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(-limit, limit)),
    )


def _output(name: str, facts: ModelFacts, folder: Path) -> Any:
    from bioimageio.spec.model import v0_5

    def axis(letter: str) -> Any:
        as_input = v0_5.SizeReference(tensor_id=v0_5.TensorId("image"), axis_id=v0_5.AxisId(letter))
        if not facts.halo:
            return v0_5.SpaceOutputAxis(id=v0_5.AxisId(letter), size=as_input)
        return v0_5.SpaceOutputAxisWithHalo(id=v0_5.AxisId(letter), size=as_input, halo=facts.halo)

    return v0_5.OutputTensorDescr(
        id=v0_5.TensorId(name),
        description=OUTPUTS[name],
        axes=[v0_5.BatchAxis(), v0_5.ChannelAxis(channel_names=[name]), axis("y"), axis("x")],
        test_tensor=_file(folder, f"{name}.npy"),
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(0.0, 1.0)),
    )


def _own(facts: ModelFacts) -> Mapping[str, Any]:
    """Return what beadctl needs of the model, for who reads the description alone."""
    return {"normalisation": facts.normalisation.value} | {name: getattr(facts, name) for name in TOLD}


def _first(error: Any) -> str:
    """Return the first of the faults that the library found."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg'].splitlines()[0]}"
