"""The facts that a model file carries: what it was trained for, and how it wants to be run."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from beadctl.errors import ModelError

METADATA_KEY = "beadctl"
SCHEMA = 2
_METADATA_PROPS = 14
NORMALISATION = "median, larger tail to 0.1/99.9 %, clipped to 3"


@dataclass(frozen=True)
class ModelFacts:
    """What `metadata_props["beadctl"]` of a model file says, as JSON with a schema version.

    Attributes
    ----------
    name, licence, beadctl_version : str
        What the model is called, how it may be used, what wrote it.
    normalisation : str
        Name of the normalisation; only `NORMALISATION` is known.
    stride : int
        Height and width of an input must be multiples of this, px.
    halo : int
        Context a block needs on each side for a seamless result: the receptive reach, rounded up to
        the stride, px.
    threshold, marker_threshold, marker_rise : float
        Foreground probability, height of a marker, and its rise above the pass to the next, 0 to 1.
    min_confidence : float
        Beads with less are dropped: mean probability times the height of the marker, 0 to below 1.
    min_area_px : int
        Smallest instance, px.
    diameter_px, pixel_size_um : float or None
        Typical bead of the training data, and its pixel size, where known.
    polarity : str
        ``both``, ``dark`` or ``bright``.
    training : dict
        The settings of the training.
    data : str
        Fingerprint of the training data.
    validation : dict
        Figures on the validation tiles.
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
    normalisation: str = NORMALISATION
    training: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    validation: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Write the facts as JSON, the form that the model file carries."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    def within(self, model: bytes) -> bytes:
        """Return a model file with these facts in the place of its own.

        Only the list of fields at the top of the file is read (ONNX's ``ModelProto``, whose field 14 is
        ``metadata_props``): the network's bytes are copied as they are, and the onnx package, which
        would read them all, need not be installed to use a model.

        Parameters
        ----------
        model : bytes
            An ONNX file.
        """
        entry = _field(1, METADATA_KEY.encode()) + _field(2, self.to_json().encode())
        return b"".join(_other_fields(model)) + _field(_METADATA_PROPS, entry)

    @classmethod
    def from_json(cls, text: str | None, source: str) -> "ModelFacts":
        """Read the facts of a model file.

        Parameters
        ----------
        text : str or None
            The metadata entry; None when the file has none.
        source : str
            The file's name, for the message.

        Raises
        ------
        ModelError
            If there are none, they are malformed, or of a newer schema.
        """
        if text is None:
            raise ModelError(
                f"{source}: not a beadctl model (no metadata); write one with: beadctl export RUN"
            )
        try:
            content = json.loads(text)
            schema = int(content["schema"])
        except (ValueError, TypeError, KeyError):
            raise ModelError(f"{source}: its metadata cannot be read; export the model again") from None
        if schema > SCHEMA:
            raise ModelError(f"{source}: written by a newer beadctl (schema {schema}); update beadctl")
        if schema < 2:
            # Schema 1 called the marker map "seed".
            content = {key.replace("seed", "marker"): value for key, value in content.items()}
        content["schema"] = SCHEMA
        known = {item.name for item in dataclasses.fields(cls)}
        try:
            facts = cls(**{key: value for key, value in content.items() if key in known})
        except TypeError as error:
            raise ModelError(
                f"{source}: its metadata is incomplete ({error}); export the model again"
            ) from None
        if facts.normalisation != NORMALISATION:
            raise ModelError(f"{source}: wants the normalisation {facts.normalisation!r}; update beadctl")
        pixels, shares = (
            (facts.stride, facts.halo, facts.min_area_px),
            (facts.threshold, facts.marker_threshold, facts.marker_rise),
        )
        if (
            not all(isinstance(number, int) and number >= 0 for number in pixels)
            or not all(isinstance(share, int | float) and 0 < share < 1 for share in shares)
            or not (isinstance(facts.min_confidence, int | float) and 0 <= facts.min_confidence < 1)
            or facts.stride < 1
        ):
            raise ModelError(
                f"{source}: its metadata has a stride, halo, area, confidence or threshold that cannot be; "
                "export the model again"
            )
        return facts


def _other_fields(model: bytes) -> Iterator[bytes]:
    """Yield each top field of a protocol buffer, but for the metadata entry that is ours."""
    ours = _field(1, METADATA_KEY.encode())
    place = 0
    while place < len(model):
        start = place
        tag, place = _varint(model, place)
        match tag & 7:
            case 0:
                _, place = _varint(model, place)
            case 1:
                place += 8
            case 2:
                length, place = _varint(model, place)
                place += length
            case _:
                place += 4
        if tag >> 3 != _METADATA_PROPS or ours not in model[start:place]:
            yield model[start:place]


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, lowest first; return it and where it ends."""
    number = shift = 0
    while True:
        byte = data[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place


def _field(number: int, content: bytes) -> bytes:
    """Write a field of bytes."""
    return _number(number << 3 | 2) + _number(len(content)) + content


def _number(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes((low | 128,)) + _number(rest) if rest else bytes((low,))
