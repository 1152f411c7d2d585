"""The documentation of a package, made of the facts of its model file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

from beadctl.counting.detection import Band
from beadctl.images import InputName
from beadctl.model.metadata import ModelFacts
from beadctl.words import number_of

SUMMARY = (
    "Finds microbeads and other round particles, also touching ones, in a plane of grey levels (fluorescence,"
    " bright field, electron microscopy): a U-Net gives the probability that a pixel belongs to a bead, and a"
    " marker map whose peaks part touching beads. Its input is no raw image; README.md says how it is made."
)
"""Description of the model; at most 512 characters."""

# How a plane becomes the channels of each kind of input, in the words of the guide to model files.
RULES = {InputName.MEDIAN: "one_channel.md", InputName.LOCAL: "three_channels.md"}
CHANNELS = {
    InputName.MEDIAN: ("grey level",),
    InputName.LOCAL: ("grey level", "contrast within 8 px", "contrast within 32 px"),
}
OUTPUTS = {
    "probability": "0 to 1: that a pixel belongs to a bead",
    "marker": "0 to 1: relative distance to the edge of the bead; each peak is one bead",
}
CLASSIFIER = ", and so\nis what the classifier of objects in the metadata takes for no bead"
JOINER = (
    ";\nthe joiner in the metadata decides in place of both numbers which basins of the marker are one bead"
)
# What is told of the training, where the model file has it.
TOLD = ("arch", "depth", "width", "max_channels", "loss", "lr", "batch_size", "size", "seed")


def documentation(name: str, facts: ModelFacts, outputs: Iterable[str]) -> str:
    """Return the documentation of a package as Markdown.

    Parameters
    ----------
    name : str
        Name of the model in the package.
    facts : ModelFacts
        Of its model file.
    outputs : iterable of str
        Names of the network's outputs.
    """
    return Template(_text("documentation.md")).substitute(
        name=name,
        summary=SUMMARY,
        channels=facts.normalisation.channels,
        input=_text(RULES[facts.normalisation]).rstrip(),
        stride=facts.stride,
        halo=facts.halo,
        diameter=f"about {facts.diameter_px:.3g} px" if facts.diameter_px else "unknown diameter",
        outputs="\n".join(f"- `{output}`, float32 [N, 1, H, W], {OUTPUTS[output]}" for output in outputs),
        threshold=f"{facts.threshold:g}",
        marker_threshold=f"{facts.marker_threshold:g}",
        marker_rise=f"{facts.marker_rise:g}",
        joiner=JOINER if facts.joiner else "",
        min_area_px=facts.min_area_px,
        min_confidence=f"{facts.min_confidence:g}",
        classifier=CLASSIFIER if facts.classifier else "",
        training=_listed({key: facts.training[key] for key in TOLD if key in facts.training}, "not recorded"),
        validation=_listed(facts.validation | _bands(facts), "The model file holds no figures."),
        licence=facts.licence,
        version=facts.beadctl_version,
    )


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _bands(facts: ModelFacts) -> dict[str, object]:
    """Return precision and recall on fields of known numbers of beads, by their density."""
    shares = {band: f"precision {band.precision:.3f}, recall {band.recall:.3f}" for band in facts.bands}
    return {f"{number_of(band.fields, 'field')}, {_of_band(band)}": words for band, words in shares.items()}


def _of_band(band: Band) -> str:
    if band.flagged:
        return "count flagged as doubtful"
    return f"beads covering less than {band.covered_below:g} of them, doubt below {band.doubt_below:g}"


def _listed(values: Mapping[str, object], none: str) -> str:
    numbers = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in values.items()}
    return "\n".join(f"- {name}: {value}" for name, value in numbers.items()) or none
