"""The metadata of a model file: what it was trained on and the settings it needs."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from beadctl.counting.detection import Band
from beadctl.errors import ModelError, OutputError, require_extra
from beadctl.files import require_free
from beadctl.images import InputName
from beadctl.model.classifier import ObjectClassifier
from beadctl.model.joiner import Joiner
from beadctl.model.reviewer import Reviewer

METADATA_KEY = "beadctl"
SCHEMA = 3
# Validation F1 below which the counts of a model are not to be relied on.
USEFUL_F1 = 0.5
# What `beadctl tune` writes into a file that is no better than the default model.
NOT_BETTER = "not better"
# Far beyond any network, and little enough for a first tile in memory.
LARGEST_STRIDE_PX, LARGEST_HALO_PX = 512, 2**14


@dataclass(frozen=True)
class ModelFacts:
    """What `metadata_props["beadctl"]` of a model file says, as JSON with a schema version.

    Attributes
    ----------
    name, licence, beadctl_version : str
        Name of the model, its licence, and the version of beadctl that wrote it.
    stride, halo : int
        Height and width of an input must be multiples of the stride, px; a block needs the halo on each side
        for a seamless result, px: the receptive field's reach, rounded up to the stride.
    threshold, marker_threshold, marker_rise : float
        Foreground probability, height of a marker, and its rise above the pass to the next, 0 to 1.
    min_confidence, min_area_px : float and int
        Beads with less are dropped: mean probability times the root of the marker height, 0 to below 1, and
        px.
    diameter_px, pixel_size_um : float or None
        Typical bead of the training data, and its pixel size, where known.
    polarity : str
        Of the beads that it finds: ``both``, ``dark``, ``bright``, or ``as trained``.
    precision : str
        Arithmetic of the network: ``fp32``, ``fp16`` or ``int8``.
    normalisation : InputName
        What the network is shown of a plane; files before schema 3 have `InputName.MEDIAN`.
    training, data, validation : dict, str, dict
        Settings of the training, fingerprint of its data, and metrics on the validation tiles.
    bands : tuple of Band
        Precision and recall by density, of which intervals of counts are made; empty in files without them.
    classifier : ObjectClassifier or None
        By which objects that are no beads are left out; None in files without one.
    joiner : Joiner or None
        By which the parts of one bead are told from touching beads; without one that is `marker_rise`.
    reviewer : Reviewer or None
        By which counts are doubted; without one, by how much they change with the thresholds.
    schema : int
        Version of this list; older ones are converted when they are read.
    """

    name: str
    licence: str
    beadctl_version: str
    stride: int
    halo: int
    threshold: float = 0.5
    marker_threshold: float = 0.5
    marker_rise: float = 0.07
    min_confidence: float = 0.0
    min_area_px: int = 4
    diameter_px: float | None = None
    pixel_size_um: float | None = None
    polarity: str = "both"
    precision: str = "fp32"
    normalisation: InputName = InputName.LOCAL
    training: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    validation: dict[str, Any] = field(default_factory=dict)
    bands: tuple[Band, ...] = ()
    classifier: ObjectClassifier | None = None
    joiner: Joiner | None = None
    reviewer: Reviewer | None = None
    schema: int = SCHEMA

    @property
    def doubt(self) -> str:
        """Why not to rely on the model by its own validation; empty where that is good or has no figures.

        Files of beadctl up to 0.2 hold no F1 of the beads; their Dice of the pixels stands for it.
        """
        f1 = self.validation.get("val_f1", self.validation.get("val_dice"))
        if not isinstance(f1, float | int) or f1 >= USEFUL_F1:
            if self.validation.get("verdict") != NOT_BETTER:
                return ""
            return "its tuning did not make it better than the default model; leave --model out"
        return (
            f"its validation F1 is {f1:.2f}, below {USEFUL_F1}: few of its beads match annotated ones, so do"
            " not rely on its counts; train it longer or on more tiles"
        )

    def to_json(self) -> str:
        """Return the metadata as JSON, as the model file stores it."""
        nested = {
            "classifier": self.classifier and self.classifier.to_json(),
            "joiner": self.joiner and self.joiner.to_json(),
            "reviewer": self.reviewer and self.reviewer.to_json(),
        }
        return json.dumps(dataclasses.asdict(self) | nested, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None, source: str) -> "ModelFacts":
        """Read the metadata of a model file, and convert them to the current schema.

        Parameters
        ----------
        text, source : str
            The metadata entry, None when the file has none; and the file's name, for the message.

        Raises
        ------
        ModelError
            If the metadata is missing, malformed, or of a newer schema.
        """
        if text is None:
            raise ModelError(
                f"{source}: not a beadctl model (no metadata); write one with: beadctl export RUN"
            )
        try:
            content = json.loads(text)
            schema = int(content["schema"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise ModelError(f"{source}: its metadata cannot be read; export the model again") from None
        if schema > SCHEMA:
            raise ModelError(f"{source}: written by a newer beadctl (schema {schema}); update beadctl")
        if schema < 2:
            # Schema 1 called the marker map "seed".
            content = {key.replace("seed", "marker"): value for key, value in content.items()}
        known = {item.name for item in dataclasses.fields(cls)} - {"schema"}
        stated = content.get("normalisation", InputName.MEDIAN)
        if stated not in [*InputName]:
            raise ModelError(f"{source}: wants the normalisation {stated!r}; update beadctl")
        content["normalisation"] = InputName(stated)
        try:
            content["bands"] = tuple(Band(**band) for band in content.get("bands", ()))
            if content.get("classifier") is not None:
                content["classifier"] = ObjectClassifier.from_json(content["classifier"])
            if content.get("joiner") is not None:
                content["joiner"] = Joiner.from_json(content["joiner"])
            if content.get("reviewer") is not None:
                content["reviewer"] = Reviewer.from_json(content["reviewer"])
            facts = cls(**{key: value for key, value in content.items() if key in known})
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise ModelError(
                f"{source}: its metadata is incomplete ({error}); export the model again"
            ) from None
        if not facts._in_range():
            raise ModelError(
                f"{source}: its metadata has a stride, halo, area, confidence, threshold or band that cannot "
                "be; export the model again"
            )
        return facts

    def _in_range(self) -> bool:
        pixels = (self.stride, self.halo, self.min_area_px)
        texts = (
            self.name,
            self.licence,
            self.beadctl_version,
            self.polarity,
            self.precision,
            self.data,
        )
        shares = (self.threshold, self.marker_threshold, self.marker_rise)
        return (
            all(isinstance(number, int) and number >= 0 for number in pixels)
            and self.stride <= LARGEST_STRIDE_PX
            and self.halo <= LARGEST_HALO_PX
            and all(isinstance(text, str) for text in texts)
            and isinstance(self.training, dict)
            and isinstance(self.validation, dict)
            and all(isinstance(share, int | float) and 0 < share < 1 for share in shares)
            and isinstance(self.min_confidence, int | float)
            and 0 <= self.min_confidence < 1
            and self.stride >= 1
            and all(band.is_possible for band in self.bands)
        )


def with_facts(model: bytes, facts: ModelFacts) -> bytes:
    """Return the content of an ONNX file with other metadata; its network and foreign metadata stay.

    Parameters
    ----------
    model : bytes
        Content of an ONNX file.
    facts : ModelFacts
        Replaces the beadctl entry of ``metadata_props``.

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    """
    onnx = require_onnx()
    proto = onnx.load_model_from_string(model)
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    onnx.helper.set_model_props(proto, properties | {METADATA_KEY: facts.to_json()})
    content: bytes = proto.SerializeToString()
    return content


def require_writable(out: Path, option: str, *, overwrite: bool) -> None:
    """Refuse to write a model file where one exists, or under a name that does not end in ``.onnx``.

    Parameters
    ----------
    out : Path
        The file to write.
    option : str
        That names it on the command line, for the message.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    OutputError
        If it cannot be.
    """
    require_free(out.parent, (out.name,), overwrite=overwrite)
    if out.suffix != ".onnx":
        raise OutputError(f"{out}: a model file ends in .onnx; give {option} FILE.onnx")


def require_onnx() -> ModuleType:
    """Return the package onnx, or raise MissingExtraError if it is not installed."""
    require_extra("train", "onnx")
    import onnx

    module: ModuleType = onnx
    return module
